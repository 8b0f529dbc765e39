"""Scoring a clip with several metrics in turn; an error in one of them does not affect the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from opens2v_hf._util.foreign_code import ends_as_errors
from opens2v_hf.data.benchmark.sample import EvalSample
from opens2v_hf.jobs.failure import failure
from opens2v_hf.scores.outcome import VideoScore
from opens2v_hf.video.clip import Clip

if TYPE_CHECKING:
    from opens2v_hf.metrics.base import Metric


@dataclass(frozen=True)
class Task:
    """A metric and what it compares a clip with.

    Attributes:
        metric: with its models loaded.
        reference: gives the second argument of `metric.score`; called once, and may raise as `score` may.
    """

    metric: Metric[Any]
    reference: Callable[[], Any] = lambda: None


@dataclass(frozen=True)
class MetricTask:
    """A metric and the function that makes its reference from a sample.

    Attributes:
        metric: with its models loaded.
        reference: from a sample to the second argument of `metric.score`.
    """

    metric: Metric[Any]
    reference: Callable[[EvalSample], Any]


def score_tasks(tasks: Sequence[Task], clip: Clip | Callable[[], Clip]) -> Iterator[tuple[Task, VideoScore]]:
    """Score one clip with several metrics; yields each score as soon as it is computed.

    An error from a video, a reference image or a judge becomes the failure of that task, with its reason; see
    `opens2v_hf.jobs.failure`. Metrics that read all frames come first, so that one decoding serves all.

    Args:
        tasks: the metrics.
        clip: opened with the sampling rules of all of them; or a function that opens it.

    Raises:
        ArgumentError, ModelError, MissingDependencyError, ...: wrong use by the caller, not specific to a video.
    """
    opened = clip
    for task in sorted(tasks, key=lambda task: not task.metric.sampling.is_every):
        try:
            if not isinstance(opened, Clip):
                opened = opened()
            with ends_as_errors():
                score = task.metric.score(opened, task.reference())
        except Exception as error:
            name = task.metric.name
            what = f"{name} of {opened.name}" if isinstance(opened, Clip) else name
            score = VideoScore.failed(failure(error, what).reason)
        yield task, score
