"""The one way from a clip to its scores: every metric in turn, and what one of them raises costs no other."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from opens2v_hf._util.retries import free_memory, is_out_of_memory
from opens2v_hf.data.benchmark.sample import EvalSample
from opens2v_hf.errors import (
    ImageError,
    JudgeError,
    MaskError,
    OpenS2VError,
    SampleError,
    ServiceUnavailableError,
    SourceError,
    VideoError,
)
from opens2v_hf.scores.outcome import VideoScore
from opens2v_hf.video.clip import Clip

if TYPE_CHECKING:
    from opens2v_hf.metrics.base import Metric

_LOGGER = logging.getLogger(__name__)

ITEM_ERRORS = (VideoError, ImageError, JudgeError, SampleError, SourceError, MaskError, ServiceUnavailableError)
"""Typed errors of one video or of what belongs to it. The other typed errors are the caller's wrong use."""


@dataclass(frozen=True)
class Task:
    """A metric, and what it compares a clip with.

    Attributes:
        metric: with its models loaded.
        reference: gives what `metric.score` takes beside the clip; called once, and may raise as `score` may.
    """

    metric: Metric[Any]
    reference: Callable[[], Any] = lambda: None


@dataclass(frozen=True)
class MetricTask:
    """A metric and how it gets what it needs of a sample.

    Attributes:
        metric: with its models loaded.
        reference: from a sample to what `metric.score` takes besides the clip.
    """

    metric: Metric[Any]
    reference: Callable[[EvalSample], Any]


@dataclass(frozen=True)
class Outcome:
    """What came of one task.

    Attributes:
        score: of the clip; failed where something was raised.
        error: what was raised, for the caller to decide whether another try is worth it; None where nothing was.
    """

    score: VideoScore
    error: Exception | None = None


def score_tasks(
    tasks: Sequence[Task],
    clip: Clip | Callable[[], Clip],
    *,
    attempt: Callable[[Callable[[], VideoScore]], VideoScore] = lambda work: work(),
) -> Iterator[tuple[Task, Outcome]]:
    """Score one clip with several metrics, each outcome as soon as it is there.

    Whatever a video, a reference image or a judge raises is the failure of that task, with its reason. Metrics that
    look at all frames come first: their decoding serves those that look at some.

    Args:
        tasks: the metrics.
        clip: opened with the sampling rules of all of them; or what opens it.
        attempt: calls a piece of work, again where its error may have passed by then; by default once.

    Raises:
        ArgumentError, ModelError, MissingDependencyError, ...: the caller's wrong use, whichever video it is.
    """
    opened = clip
    for task in sorted(tasks, key=lambda task: not task.metric.sampling.is_every):

        def work(task: Task = task) -> VideoScore:
            nonlocal opened
            if not isinstance(opened, Clip):
                opened = opened()
            return task.metric.score(opened, task.reference())

        try:
            outcome = Outcome(attempt(work))
        except Exception as error:
            what = f"{task.metric.name} of {opened.name}" if isinstance(opened, Clip) else task.metric.name
            outcome = Outcome(failure(error, what), error)
        yield task, outcome


def failure(error: Exception, what: str) -> VideoScore:
    """The failed score that an error of one item stands for.

    Args:
        error: what was raised.
        what: was attempted, for the reason where the error says no more than a library's own words.

    Raises:
        OpenS2VError: the error itself, where it is the caller's wrong use.
    """
    if isinstance(error, ITEM_ERRORS):
        return VideoScore.failed(str(error))
    if isinstance(error, OpenS2VError):
        raise error
    text = " ".join(str(error).split())
    if is_out_of_memory(error):
        free_memory()
        return VideoScore.failed(
            f"{what}: there is not enough memory ({type(error).__name__}: {text}); use a smaller batch_tokens or "
            "batch_size"
        )
    # The traceback is for a log file; what a user needs is in the reason.
    _LOGGER.debug("%s failed", what, exc_info=error)
    return VideoScore.failed(f"{what}: an unexpected error ({type(error).__name__}: {text}); please report it")
