"""Requesting all ratings before scoring, from a judge that answers in batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from opens2v_hf._util.console import remark
from opens2v_hf.errors import ArgumentError, OpenS2VError, ServiceUnavailableError
from opens2v_hf.evaluation import cost_constants as c
from opens2v_hf.evaluation.score_video import VideoGroup
from opens2v_hf.jobs.journal import Journal
from opens2v_hf.jobs.processes import Processes
from opens2v_hf.metrics.apply import MetricTask
from opens2v_hf.models.roles import ROLES
from opens2v_hf.video.clip import Clip

_BATCH_DISCOUNT = 0.5
"""Price of a request in a batch over that of a single request (OpenAI's price list, 2025)."""


def ask_ahead(
    tasks: Sequence[MetricTask], groups: Sequence[VideoGroup], journal: Journal, processes: Processes
) -> None:
    """Request the ratings that the journal lacks, for metrics with a judge that answers in batches, and wait.

    If the service fails, the run continues: the videos without an answer fail with that reason, and the next run asks
    again.

    Raises:
        ArgumentError: several processes would request the same ratings, or the judge's budget is too small.
    """
    for task in tasks:
        metric: Any = task.metric
        if not getattr(metric, "asks_in_batches", False):
            continue
        if processes.count > 1:
            raise ArgumentError(
                f"a judge that answers in batches (`judge.batch`) must be used by one process (got {processes.count})"
            )
        try:
            metric.ask_ahead(partial(_clips, metric.name, groups, journal), say=remark, price=_price(metric))
        except ServiceUnavailableError as error:
            remark(f"{metric.name}: {error}")


def _clips(name: str, groups: Sequence[VideoGroup], journal: Journal) -> Iterator[Clip]:
    """The videos that a metric has not finished; one that cannot be read is skipped, and fails when it is scored."""
    for group in groups:
        if name not in group.unit_names or group.name in journal.suspects:
            continue
        try:
            opened = group.open()
            unit = next(unit for unit in opened.units if unit.name == name)
            known = journal.get(unit.key())
            if known is not None and not known.failed:
                continue
            journal.begin(opened.key, group.name)  # so that a video that crashes the process is skipped the next time
            opened.prepare([name])
            yield opened.clip
            journal.end(opened.key)
        except (ArgumentError, ServiceUnavailableError):
            raise
        except (OpenS2VError, OSError):
            continue


def _price(metric: Any) -> Any:
    released = ROLES["judge"].released

    def words(num_requests: int) -> str:
        if metric.models[0].name != released:
            return ""
        tokens = num_requests * (c.JUDGE_FRAMES * c.JUDGE_IMAGE_TOKENS + c.JUDGE_TEXT_TOKENS)
        answers = num_requests * c.JUDGE_ANSWER_TOKENS
        dollars = _BATCH_DISCOUNT * (tokens * c.JUDGE_DOLLARS_IN + answers * c.JUDGE_DOLLARS_OUT)
        return f", about {tokens / 1e6:.1f} M tokens and {dollars:.2f} dollars, half the price of single requests"

    return words
