"""Reasons why a result is not comparable with the leaderboard, checked before it is submitted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from opens2v_hf._util.public_names import without_folder
from opens2v_hf._util.text import harmless
from opens2v_hf.data.benchmark.ids import PROMPT_SHA256
from opens2v_hf.data.benchmark.rules import GENERAL_METRICS
from opens2v_hf.errors import ResultError
from opens2v_hf.models.info import EMBEDDED_NOTE, ModelInfo
from opens2v_hf.results.columns import column_metrics
from opens2v_hf.results.problem import Problem
from opens2v_hf.results.result import PARTIAL_NOTE, MetricResult, RunResult
from opens2v_hf.scores.scorecard import RELEASED, VERSIONS, Scorecard

UNAVOIDABLE_CAVEATS = ("the rubric is ", "by the judge naturalscore-open-")
"""NaturalScore always says whose rubric it used, since the released prompt cannot be shipped, and of which edition its
judge is, which fills a column in the edition of that judge alone: shown, not refused."""


@dataclass(frozen=True)
class Allowed:
    """Exceptions under which a result that is not comparable may be pushed.

    Attributes:
        partial: columns or videos that are missing.
        embedded: numbers of the embedded models.
        not_comparable: other models, options, prompts, weights or scoring than the leaderboard's.
    """

    partial: bool = False
    embedded: bool = False
    not_comparable: bool = False


def check_comparable(result: RunResult, card: Scorecard, allowed: Allowed, *, has_protocol: bool = False) -> None:
    """Refuse a result that is not comparable with the leaderboard, unless that is allowed.

    Args:
        result: of a scoring run.
        card: its scorecard.
        allowed: exceptions.
        has_protocol: whether the destination separates weights and scoring, as the results dataset does; elsewhere a
            total by other weights, or a strict column, would be listed among released ones.

    Raises:
        NotComparableError: it is partial, made with embedded models, or not comparable, and that was not allowed.
        ResultError: it holds no column at all.
    """
    if result.is_partial:
        raise ResultError(f"the result of {result.model!r} is not pushed: {PARTIAL_NOTE}; score the whole split")
    if not any(column.normalised is not None for column in card.columns.values()):
        raise ResultError(f"the result of {result.model!r} has no column of the leaderboard; score with more metrics")
    found = []
    if not allowed.embedded and any(metric.embedded for metric in column_metrics(result).values()):
        found.append(Problem("embedded", "", f"it was {EMBEDDED_NOTE}", "allow_embedded=True"))
    if not allowed.partial:
        found += [Problem("partial", "", reason, "allow_partial=True") for reason in partial_reasons(result, card)]
    if not allowed.not_comparable:
        reasons = other_reasons(result) + ([] if has_protocol else _protocol_reasons(card))
        found += [Problem("not_comparable", "", reason, "allow_not_comparable=True") for reason in reasons]
    if found:
        raise NotComparableError(result.model, found)


class NotComparableError(ResultError):
    """A result is not pushed; `problems` holds a reason each, without the argument that allows it.

    Args:
        model: of the result.
        reasons: whose remedies are the arguments that allow them.
    """

    def __init__(self, model: str, reasons: Sequence[Problem]) -> None:
        listed = "; ".join(f"{reason.what} (`{reason.remedy}`)" for reason in reasons)
        super().__init__(f"the result of {model!r} is not pushed: {listed}. What is in brackets pushes it all the same")
        self.problems = tuple(replace(reason, what=harmless(reason.what), remedy="") for reason in reasons)


def partial_reasons(result: RunResult, card: Scorecard) -> list[str]:
    """The missing parts of a whole row, a sentence each."""
    found = []
    if card.missing_columns:
        found.append(f"it lacks the columns {', '.join(card.missing_columns)}, so there is no total")
    if result.coverage.missing:
        found.append(f"{len(result.coverage.missing)} of {result.coverage.expected} samples have no video")
    if card.scoring == RELEASED:  # strict scoring has counted them
        found += [
            f"{column.num_missing} videos have no {column.title}"
            for name, column in card.columns.items()
            if name in GENERAL_METRICS and column.num_missing and column.num_videos
        ]
    return found


def other_reasons(result: RunResult) -> list[str]:
    """Why the numbers are not the leaderboard's besides embedded models and what is missing, a sentence each."""
    found = [
        f"{column}: {caveat}"
        for column, metric in column_metrics(result).items()
        for caveat in public_caveats(metric)
        if not is_unavoidable(column, caveat)
    ]
    if result.generation is not None:
        found += result.generation.caveats
    if result.benchmark.get("sha256") != PROMPT_SHA256.get(result.split):
        found.append(f"its prompts are not the released ones of {result.split}")
    return found


def _protocol_reasons(card: Scorecard) -> list[str]:
    found = []
    if card.version != VERSIONS[0]:
        found.append(f"its total is by the weights of {card.version}, the leaderboard's by those of {VERSIONS[0]}")
    if card.scoring != RELEASED:
        found.append(f"it is scored {card.scoring}, the leaderboard {RELEASED}")
    return found


def public_caveats(metric: MetricResult) -> tuple[str, ...]:
    """The caveats of a metric, without folders of the machine that it ran on."""
    caveats = metric.caveats
    for model in metric.models:
        caveats = tuple(caveat.replace(model.name, public_name(model)) for caveat in caveats)
    return caveats


def public_name(model: ModelInfo) -> str:
    """A model's name without its folder.

    Example:
        >>> public_name(ModelInfo("embedder", "/home/me/models/gme-7b")), public_name(ModelInfo("embedder", "org/gme"))
        ('gme-7b', 'org/gme')
    """
    return without_folder(model.name)


def is_unavoidable(column: str, caveat: str) -> bool:
    """Whether every result has such a caveat, so that it is no reason to refuse one."""
    return column == "naturalscore" and caveat.startswith(UNAVOIDABLE_CAVEATS)
