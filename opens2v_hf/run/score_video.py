"""One video and all metrics of a pass: what the journal has is taken from it, the rest is scored and written down."""

from __future__ import annotations

import dataclasses
import json
import logging
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from opens2v_hf.data.sample import EvalSample
from opens2v_hf.errors import ImageError, JudgeError, OpenS2VError, SampleError, ServiceUnavailableError, VideoError
from opens2v_hf.run.journal.book import Journal
from opens2v_hf.run.journal.keys import model_folders, unit_key, video_key
from opens2v_hf.run.metrics.base import Metric, kept_bytes
from opens2v_hf.run.retries import Retries, free_memory, is_out_of_memory, may_pass
from opens2v_hf.run.thumbnails import STRIP_FRAMES, write_thumbnail
from opens2v_hf.run.videos import FoundVideos
from opens2v_hf.scores.outcome import Status, VideoScore
from opens2v_hf.video.clip import Clip
from opens2v_hf.video.reader import Backend
from opens2v_hf.video.sampling import linspace
from opens2v_hf.video.source import Source

_LOGGER = logging.getLogger(__name__)

_MOST_CHANGES = 3
_THUMBNAIL = linspace(STRIP_FRAMES)

FINAL, LATER, SOON = "final", "later", "soon"
"""Whether a unit's outcome stands, may be another in the next run, or may be another at the end of this one."""


@dataclass(frozen=True)
class MetricTask:
    """A metric and how it gets what it needs of a sample.

    Attributes:
        metric: with its models loaded.
        reference: from a sample to what `metric.score` takes beside the clip.
    """

    metric: Metric[Any]
    reference: Callable[[EvalSample], Any]


@dataclass(frozen=True)
class UnitOutcome:
    """What came of one metric for one video.

    Attributes:
        score: as JSON gives it back.
        stands: `FINAL`, `LATER` or `SOON`.
        new: whether it was scored in this run.
    """

    score: Mapping[str, Any]
    stands: str = FINAL
    new: bool = True

    @property
    def failed(self) -> bool:
        """Whether there should be a value and is none."""
        return self.score["status"] == Status.FAILED


@dataclass(frozen=True)
class VideoOutcome:
    """What came of one video in one pass.

    Attributes:
        sha256: of its bytes; empty where it could not be had.
        header: `num_frames`, `fps`, `width`, `height` as far as they could be read.
        units: metric to outcome, for the metrics that apply to the sample.
    """

    sha256: str = ""
    header: Mapping[str, Any] = field(default_factory=dict)
    units: Mapping[str, UnitOutcome] = field(default_factory=dict)

    @property
    def num_failed(self) -> int:
        """Units without a value."""
        return sum(unit.failed for unit in self.units.values())

    @property
    def worth_another_try(self) -> bool:
        """Whether a failure may have passed by the end of the run."""
        return any(unit.stands == SOON for unit in self.units.values())

    def to_dict(self) -> dict[str, Any]:
        """A JSON-compatible dict."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> VideoOutcome:
        """What `to_dict` was called on."""
        units = {name: UnitOutcome(**unit) for name, unit in record["units"].items()}
        return cls(record["sha256"], record["header"], units)


class _ChangedError(Exception):
    """The file is not the one that was hashed."""


class VideoScorer:
    """Scores one video after another.

    Args:
        found: where the videos are.
        tasks: the metrics, loaded.
        journal: of finished units.
        versions: of the libraries that compute.
        backend: of the video reader.
        retries: of what may pass.
        thumbnails: folder for a small picture of each video that is decoded; None for no pictures.
        retry_failed: whether failures in the journal are tried again.
    """

    def __init__(
        self,
        found: FoundVideos,
        tasks: Sequence[MetricTask],
        journal: Journal,
        versions: Mapping[str, str],
        *,
        backend: Backend = "auto",
        retries: Retries | None = None,
        thumbnails: Path | None = None,
        retry_failed: bool = False,
    ) -> None:
        self._found = found
        # The first metric that looks at all frames decodes them for those that look at some.
        self._tasks = sorted(tasks, key=lambda task: not task.metric.sampling.is_every)
        self._folders = {task.metric.name: model_folders(task.metric) for task in tasks}
        self._journal = journal
        self._versions = versions
        self._backend = backend
        self._retries = retries or Retries()
        self._thumbnails = thumbnails
        self._retry_failed = retry_failed

    def score(self, sample: EvalSample) -> VideoOutcome:
        """Score the video of a sample with every metric that applies to it.

        A video that is replaced meanwhile is scored anew, so that no outcome mixes two videos.

        Raises:
            ResultError: the journal or a thumbnail cannot be written.
            ArgumentError: a metric's arguments are of no use.
        """
        for _ in range(_MOST_CHANGES):
            try:
                return self._score(sample)
            except _ChangedError:
                _LOGGER.warning("%s was changed while it was scored; it is scored anew", self._name(sample))
        return self._all_failed(
            sample,
            f"{self._name(sample)} was changed {_MOST_CHANGES} times while it was scored; run the same command again "
            "when nobody writes to it",
        )

    def _score(self, sample: EvalSample) -> VideoOutcome:
        try:
            path = self._retries.call(lambda: self._fetch(sample.id))
            file = self._retries.call(lambda: _HashedFile(path))
        except VideoError as error:
            return self._all_failed(sample, str(error), SOON if may_pass(error) else LATER)
        units: dict[str, UnitOutcome] = {}
        to_do: list[tuple[MetricTask, Any, str]] = []
        for task in self._tasks_of(sample):
            try:
                reference = self._retries.call(partial(task.reference, sample))
                key = self._key(task, reference, sample, file)
            except (SampleError, ImageError, OSError) as error:
                units[task.metric.name] = _failed(str(error), SOON if may_pass(error) else LATER)
                continue
            known = self._known(key)
            if known is None:
                to_do.append((task, reference, key))
            else:
                units[task.metric.name] = UnitOutcome(known, new=False)
        try:
            clip = self._clip(path, [task for task, _, _ in to_do])
        except VideoError as error:  # it was hashed a moment ago
            raise _ChangedError from error
        header = self._header(clip, file)
        if "error" in header:
            stands = header.get("stands", FINAL)
            units |= {task.metric.name: _failed(header["error"], stands) for task, _, _ in to_do}
            return VideoOutcome(file.sha256, {}, self._in_order(units))
        pictured = self._thumbnails is None
        for task, reference, key in to_do:
            unit = self._unit(task, clip, reference)
            if not file.is_unchanged():
                raise _ChangedError
            if not pictured:
                pictured = self._write_thumbnail(clip, sample)
            if unit.stands == FINAL:
                self._journal.add(key, dict(unit.score), {"id": sample.id, "metric": task.metric.name})
            units[task.metric.name] = unit
        return VideoOutcome(file.sha256, header, self._in_order(units))

    def _tasks_of(self, sample: EvalSample) -> list[MetricTask]:
        return [task for task in self._tasks if task.metric.name in sample.metrics]

    def _in_order(self, units: Mapping[str, UnitOutcome]) -> dict[str, UnitOutcome]:
        return {task.metric.name: units[task.metric.name] for task in self._tasks if task.metric.name in units}

    def _name(self, sample: EvalSample) -> str:
        return self._found.file_names[sample.id]

    def _all_failed(self, sample: EvalSample, reason: str, stands: str = LATER) -> VideoOutcome:
        return VideoOutcome(units={task.metric.name: _failed(reason, stands) for task in self._tasks_of(sample)})

    def _fetch(self, sample_id: str) -> Path:
        from huggingface_hub.errors import HTTPError

        try:
            return self._found.fetch[sample_id]()
        except (HTTPError, OSError) as error:
            name = self._found.file_names[sample_id]
            raise VideoError(f"cannot download {name} from {self._found.source}: {error}") from error

    def _key(self, task: MetricTask, reference: Any, sample: EvalSample, file: _HashedFile) -> str:
        return unit_key(
            task.metric,
            reference,
            sample_id=sample.id,
            video_sha256=file.sha256,
            versions=self._versions,
            folders=self._folders[task.metric.name],
        )

    def _known(self, key: str) -> Any:
        score = self._journal.get(key)
        return None if score is not None and self._retry_failed and score["status"] == Status.FAILED else score

    def _clip(self, path: Path, to_do: Sequence[MetricTask]) -> Clip:
        rules = [task.metric.sampling for task in to_do]
        return Clip(path, rules=(*rules, _THUMBNAIL), backend=self._backend, max_kept_bytes=kept_bytes(rules))

    def _header(self, clip: Clip, file: _HashedFile) -> dict[str, Any]:
        """The header's facts, or why they cannot be read (key "error", and "stands" where that may change)."""
        key = video_key(file.sha256, self._versions)
        known = self._journal.get(key)
        if known is not None and not (self._retry_failed and "error" in known):
            return known
        header: dict[str, Any]
        try:
            header = self._retries.call(
                lambda: {"num_frames": clip.num_frames, "fps": clip.fps, "width": clip.width, "height": clip.height}
            )
        except VideoError as error:
            if may_pass(error):
                return {"error": str(error), "stands": SOON}
            header = {"error": str(error)}
        if not file.is_unchanged():
            raise _ChangedError
        header = as_json(header)
        self._journal.add(key, header, {"video": clip.name})
        return header

    def _unit(self, task: MetricTask, clip: Clip, reference: Any) -> UnitOutcome:
        try:
            score = self._retries.call(lambda: task.metric.score(clip, reference))
            return UnitOutcome(as_json(score.to_dict()), _stands(task.metric, score))
        except (VideoError, ImageError) as error:
            return _failed(str(error), SOON if may_pass(error) else FINAL)
        except (JudgeError, SampleError) as error:
            return _failed(str(error), SOON)
        except ServiceUnavailableError as error:
            return _failed(str(error), LATER)
        except OpenS2VError:  # what the user asked for cannot be done, for whichever video
            raise
        except Exception as error:
            if is_out_of_memory(error):
                free_memory()
                what = "there is not enough memory"
                remedy = "lower `batch_tokens=`, or use `memory=low`"
            else:
                _LOGGER.exception("%s of %s failed unexpectedly", task.metric.name, clip.name)
                what, remedy = "an unexpected error", "please report it"
            text = " ".join(str(error).split())
            return _failed(f"{clip.name}: {what} ({type(error).__name__}: {text}); {remedy}", LATER)

    def _write_thumbnail(self, clip: Clip, sample: EvalSample) -> bool:
        """Whether there is one now."""
        try:
            frames = clip.frames(_THUMBNAIL)
        except VideoError:  # the metrics have said so
            return False
        if self._thumbnails is not None:
            write_thumbnail(self._thumbnails, sample.id, frames)
        return True


class _HashedFile:
    """A file and what it held when it was hashed.

    Raises:
        VideoError: it is missing or cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        source = Source.of(path)
        # before the bytes are read, so that any later change shows
        self._status = _status(path)
        self.sha256 = source.sha256()

    def is_unchanged(self) -> bool:
        """Whether the file still holds what it held."""
        try:
            status = _status(self._path)
            if status == self._status:
                return True
            unchanged = Source.of(self._path).sha256() == self.sha256
        except VideoError:
            return False
        if unchanged:
            self._status = status
        return unchanged


def _status(path: Path) -> tuple[int, ...]:
    try:
        status = os.stat(path)
    except OSError as error:
        raise VideoError(f"{path}: cannot be looked at ({error}); check that it is still there") from error
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def as_json(value: Any) -> Any:
    """A value as it comes back from JSON, so that a result is the same whether it was written down or not.

    Numbers that JSON does not know (NaN, the infinities) become None; numpy's become Python's.

    Raises:
        TypeError: something in it is no JSON.

    Example:
        >>> as_json({"pair": (1, float("nan")), 3: 0.1})
        {'pair': [1, None], '3': 0.1}
    """
    return json.loads(json.dumps(_finite(value), allow_nan=False))


def _finite(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, str):  # file names may hold bytes that are no text
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


def _failed(reason: str, stands: str) -> UnitOutcome:
    return UnitOutcome(as_json(VideoScore.failed(reason).to_dict()), stands)


def _stands(metric: Metric[Any], score: VideoScore) -> str:
    """A model that is asked over a network may answer another time; all others say the same again."""
    if score.status is not Status.FAILED or all(model.device is not None for model in metric.models):
        return FINAL
    return SOON
