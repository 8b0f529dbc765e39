"""The interface of a metric, and scoring of a list of videos as `compute()` does it."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from opens2v_hf._util import processes
from opens2v_hf.errors import ArgumentError
from opens2v_hf.metrics.apply import Task, score_tasks
from opens2v_hf.metrics.cost import video_cost
from opens2v_hf.metrics.each_video import for_each_video
from opens2v_hf.metrics.pictures import bytes_or_path
from opens2v_hf.models.info import EMBEDDED_NOTE, ModelInfo
from opens2v_hf.scores.outcome import VideoScore, summarize
from opens2v_hf.video.clip import Clip
from opens2v_hf.video.frames_in_memory import ArrayVideo
from opens2v_hf.video.reader import Backend
from opens2v_hf.video.sampling import SamplingRule

_LOGGER = logging.getLogger(__name__)
_CACHED_BYTES = 512 << 20

Reference_contra = TypeVar("Reference_contra", contravariant=True)


class Metric(Protocol[Reference_contra]):
    """A metric with its models loaded.

    Attributes:
        name: e.g. "gmescore"; the key of its mean in what `compute()` returns.
        sampling: the frames it reads; a clip shared by several metrics is opened with all their rules.
        models: the models that its numbers come from.
        options: JSON-compatible; everything else that decides its numbers.
        caveats: why its numbers are not the leaderboard's (another model, another protocol); empty when they are.
            They need not name embedded models.
    """

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def sampling(self) -> SamplingRule: ...  # noqa: D102
    @property
    def models(self) -> tuple[ModelInfo, ...]: ...  # noqa: D102
    @property
    def options(self) -> Mapping[str, Any]: ...  # noqa: D102
    @property
    def caveats(self) -> tuple[str, ...]: ...  # noqa: D102

    def score(self, clip: Clip, reference: Reference_contra) -> VideoScore:
        """Score one clip against what the metric needs of its sample (a prompt, pictures with labels, or None).

        A broken video and a judge that fails become `VideoScore.failed` with the reason; errors of the caller's
        arguments and of the program are raised.
        """
        ...


def definitions(metric: Metric[Any]) -> Iterator[tuple[Metric[Any], str | None]]:
    """The metric itself, and its companion with the companion's variant, if it has one."""
    yield metric, None
    companion = getattr(metric, "companion", None)
    if companion is not None:
        yield companion, companion.variant


def cached_bytes(rules: Sequence[SamplingRule]) -> int:
    """Bytes of decoded frames that a clip may hold, so that several metrics of all frames share one decoding."""
    return _CACHED_BYTES if sum(rule.is_every for rule in rules) > 1 else 0


def score_video(tasks: Sequence[Task], video: Any, *, backend: Backend = "auto") -> dict[str, VideoScore]:
    """Open one video and score it with several metrics.

    Args:
        tasks: the metrics.
        video: a path, the bytes of a file, a dict with "path" or "bytes" (as `datasets` gives undecoded videos), or
            frames in memory.
        backend: of the video reader.

    Returns:
        Metric name to its score; see `score_tasks` for what is a failure and what is raised.
    """
    rules = [task.metric.sampling for task in tasks]

    def opened() -> Clip:
        return Clip(video_source(video), rules=rules, backend=backend, max_kept_bytes=cached_bytes(rules))

    return {task.metric.name: score for task, score in score_tasks(tasks, opened)}


def score_clip(metric: Metric[Any], video: Any, reference: Any = None, *, backend: Backend = "auto") -> VideoScore:
    """Open one video and score it with one metric; see `score_video`.

    Args:
        metric: any metric.
        video: see `score_video`.
        reference: what the metric needs of the sample; None for a metric that needs nothing.
        backend: of the video reader.
    """
    return score_video([Task(metric, lambda: reference)], video, backend=backend)[metric.name]


def score_many(
    metric: Metric[Any],
    videos: Sequence[Any],
    references: Sequence[Any] | None = None,
    *,
    backend: Backend = "auto",
    details: bool = False,
    distributed: bool = True,
) -> dict[str, Any]:
    """Score videos one by one, with progress on standard error, and answer as every `compute()` does.

    Under `accelerate launch` with several processes they share the videos, and each gets the whole answer.

    Args:
        metric: any metric.
        videos: see `score_video`.
        references: one for each video, or None for a metric that needs nothing.
        backend: of the video reader.
        details: whether the answer also holds each video's details (key "details").
        distributed: False to score all of them in this process, even if several were launched.

    Returns:
        See `answer`.

    Raises:
        ArgumentError: the numbers of videos and references differ.
        ProcessError: the videos were shared, and a process failed, died, or was given other ones.
    """
    if references is not None and len(references) != len(videos):
        raise ArgumentError(
            f"{metric.name} needs one reference for each video (got {len(videos)} videos, {len(references)} references)"
        )
    scores = for_each_video(
        lambda pair: score_clip(metric, *pair, backend=backend).to_dict(),
        list(zip(videos, references if references is not None else [None] * len(videos), strict=True)),
        name=lambda pair: video_name(pair[0]),
        cost=lambda pair: cost_of(pair[0], [metric.sampling]),
        setting=lambda: [setting_of(metric), [_texts_of(reference) for reference in references or ()]],
        failed=lambda pair, reason: VideoScore.failed(reason).to_dict(),
        description=metric.name,
        distributed=distributed,
    )
    return answer(metric, [VideoScore.from_dict(score) for score in scores], details=details)


def answer(metric: Metric[Any], scores: Sequence[VideoScore], *, details: bool = False) -> dict[str, Any]:
    """The dictionary that `compute()` returns.

    Returns:
        `<metric name>`: mean over the scored videos, or None where none is; `scores`: value or None, per video;
        `reasons`: why a video has none, or a remark; `statuses`; `summary`: what the mean rests on; `models` and
        `options`: what it was made with; `comparable` and `note`: whether it is comparable with the leaderboard's
        numbers, and why not; `details` on request. A metric that reports each reference also gives `references`: for
        each video a list, empty where the video has no score.
    """
    summary = summarize(scores)
    notes = list(metric.caveats)
    if any(model.embedded for model in metric.models):
        notes.insert(0, EMBEDDED_NOTE)
    result: dict[str, Any] = {
        metric.name: summary.mean,
        "scores": [score.value for score in scores],
        "reasons": [score.reason for score in scores],
        "statuses": [str(score.status) for score in scores],
        "summary": summary.to_dict(),
        "models": [model.to_dict() for model in metric.models],
        "options": {**metric.options, "sampling": metric.sampling.name},
        "comparable": not notes,
        "note": "; ".join(notes),
    }
    if getattr(metric, "reports_references", False):
        result["references"] = [list(score.references) for score in scores]
    if details:
        result["details"] = [score.all_details() for score in scores]
    if summary.num_failed and processes.is_main_process():
        _LOGGER.warning(
            "%s: %d of %d videos could not be scored and are not in the mean; see `reasons`",
            metric.name, summary.num_failed, len(scores),
        )  # fmt: skip
    return result


def setting_of(metric: Metric[Any]) -> dict[str, Any]:
    """Everything that decides a metric's numbers, except the device."""
    return {
        "name": metric.name,
        "sampling": metric.sampling.name,
        "options": dict(metric.options),
        "models": [{**model.to_dict(), "device": None} for model in metric.models],
    }


def _texts_of(reference: Any) -> Any:
    """The texts of a reference, which are compared across processes."""
    return reference if isinstance(reference, str) else [getattr(reference, key, None) for key in ("id", "labels")]


@dataclass(frozen=True, eq=False)
class MemoryVideo:
    """Frames in memory that are not checked yet, so that frames that are no video fail their video alone.

    Attributes:
        frames: see `ArrayVideo`.
        fps: likewise.
        name: for messages and results.
    """

    frames: Any
    fps: float
    name: str

    def checked(self) -> ArrayVideo:
        """The video."""
        return ArrayVideo(self.frames, self.fps, name=self.name)


def cost_of(video: Any, rules: Sequence[SamplingRule]) -> float:
    """Estimated work for a video; 0 for one that cannot be read, since scoring fails at once."""
    try:
        source = video_source(video)
        if isinstance(source, ArrayVideo):
            return float(source.num_frames * source.width * source.height)
        return video_cost(source, rules)
    except Exception:  # any error becomes this video's reason when it is scored
        _LOGGER.debug("the cost of a video is unknown", exc_info=True)
        return 0.0


def video_name(video: Any) -> str:
    """Identifier of a video in messages and across processes: its path or name, or the digest of its bytes."""
    source = video if isinstance(video, MemoryVideo) else video_source(video)
    if isinstance(source, ArrayVideo | MemoryVideo):
        return source.name
    if isinstance(source, bytes):
        return f"<{len(source)} bytes, sha256 {hashlib.sha256(source).hexdigest()[:12]}>"
    return os.fspath(source)


def video_source(video: Any) -> str | os.PathLike[str] | bytes | ArrayVideo:
    """The source of a clip: a path, the bytes of a file, or frames in memory.

    Raises:
        ArgumentError: `video` is none of these, nor a dict with one of the first two.
        VideoError: it is frames in memory that are no video.
    """
    if isinstance(video, MemoryVideo):
        return video.checked()
    if isinstance(video, Mapping):
        video = bytes_or_path(video, "a video")
    if isinstance(video, bytearray | memoryview):
        return bytes(video)
    if isinstance(video, str | bytes | Path | os.PathLike | ArrayVideo):
        return video
    raise ArgumentError(
        "a video is a path, the bytes of a file, a dict with 'path' or 'bytes', or frames in memory "
        f"(got {type(video).__name__})"
    )
