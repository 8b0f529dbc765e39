"""Scoring with metrics that are loaded already."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from opens2v_hf.data.benchmark.sample import EvalSample
from opens2v_hf.evaluation.run import MetricPass, Run
from opens2v_hf.evaluation.scoring import score_passes
from opens2v_hf.evaluation.videos import FoundVideos
from opens2v_hf.metrics.apply import MetricTask
from opens2v_hf.results.result import RunResult


def score_found(
    found: FoundVideos, samples: Sequence[EvalSample], tasks: Sequence[MetricTask], **run: Any
) -> RunResult:
    """Score videos in one pass and write nothing; `run` are further arguments of `Run`."""
    names = tuple(task.metric.name for task in tasks)
    return score_passes(Run(found, samples, **run), [MetricPass(names, lambda: tasks)], names)
