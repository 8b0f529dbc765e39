"""One video as a group of units: opened once, and scored with every metric of a pass."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from opens2v_hf.data.benchmark.sample import EvalSample
from opens2v_hf.errors import ArgumentError, ResultError, VideoError
from opens2v_hf.evaluation.thumbnails import STRIP_FRAMES, write_thumbnail
from opens2v_hf.evaluation.timings import DECODING, TimedClip, Timings
from opens2v_hf.evaluation.unit_keys import files_in, group_key, model_folders, unit_key, video_key
from opens2v_hf.evaluation.videos import FoundVideos
from opens2v_hf.jobs.error_log import ErrorLog
from opens2v_hf.jobs.outcome import Outcome, Retry
from opens2v_hf.jobs.unit import Unit
from opens2v_hf.metrics.apply import MetricTask
from opens2v_hf.metrics.base import Metric, cached_bytes
from opens2v_hf.scores.outcome import Status, VideoScore
from opens2v_hf.video.reader import Backend, open_video
from opens2v_hf.video.sampling import linspace
from opens2v_hf.video.source import Source

_LOGGER = logging.getLogger(__name__)

HEADER = "header"
"""Name of the unit that reads the header of a video; all other units of the video require it."""

_MAX_BYTES_IN_MEMORY = 512 << 20
_STATUS_TICK_S = 0.02  # time stamps of files have a resolution of some 10 ms
_MAX_TICKS = 50
_THUMBNAIL = linspace(STRIP_FRAMES)


class ScoringPass:
    """Shared state of all videos of a pass.

    Args:
        found: the videos.
        tasks: the metrics, loaded.
        versions: of the libraries that compute.
        backend: of the video reader.
        thumbnails: folder for a small picture of each video that is decoded; None for no pictures.
        errors: gets the tracebacks of unexpected errors.
        timings: gets the seconds of each metric.
    """

    def __init__(
        self,
        found: FoundVideos,
        tasks: Sequence[MetricTask],
        versions: Mapping[str, str],
        *,
        backend: Backend = "auto",
        thumbnails: Path | None = None,
        errors: ErrorLog | None = None,
        timings: Timings | None = None,
    ) -> None:
        self.found = found
        # The first metric that reads all frames also decodes the sampled frames of the others. It is one without a
        # model, if there is one, so that the decoding runs while another video uses the device.
        self.tasks = sorted(tasks, key=lambda task: (not task.metric.sampling.is_every, bool(task.metric.models)))
        self.folders = {task.metric.name: model_folders(task.metric) for task in tasks}
        self.versions = versions
        self.backend: Backend = backend
        self.thumbnails = thumbnails
        self.errors = errors or ErrorLog()
        self.timings = timings or Timings()


class VideoGroup:
    """The video of a sample with the metrics of a pass that apply to it."""

    def __init__(self, common: ScoringPass, sample: EvalSample) -> None:
        self._common = common
        self._sample = sample
        self.tasks = [task for task in common.tasks if task.metric.name in sample.metrics]
        self.name = common.found.file_names[sample.id]
        self.unit_names = tuple(task.metric.name for task in self.tasks)

    def cost(self) -> float:
        """Size of the file; nothing is decoded before the journal records that the video is begun."""
        if self._common.found.is_remote:  # a size would need a download of all videos in every process
            return 1.0
        return float(self._path().stat().st_size)

    def open(self) -> OpenVideo:
        """Download, read and hash the video.

        Raises:
            VideoError: it cannot be downloaded or read.
        """
        from huggingface_hub.errors import HTTPError

        try:
            path = self._path()
        except (HTTPError, OSError) as error:
            raise VideoError(f"cannot download {self.name} from {self._common.found.source}: {error}") from error
        in_memory = self._common.backend != "decord"  # which reads files only
        return OpenVideo(self._common, self._sample, self.tasks, VideoContent(path, in_memory=in_memory))

    def _path(self) -> Path:
        return self._common.found.fetch[self._sample.id]()


class VideoContent:
    """The bytes of a video at the time it was hashed.

    A video is read into memory once; the same bytes are hashed and decoded, so that a file that changes meanwhile never
    gives the scores of one video under the digest of another. Larger files are read by the decoder, and any change of
    their status counts as a change.

    Raises:
        VideoError: the file is missing or cannot be read.
    """

    def __init__(self, path: Path, *, in_memory: bool = True) -> None:
        self.path = path
        source = Source.of(path)
        self._status = _settled_status(path)  # before the bytes are read, so that any later change shows
        self.data: bytes | None = None
        if in_memory and source.num_bytes <= _MAX_BYTES_IN_MEMORY:
            try:
                self.data = path.read_bytes()
            except OSError as error:
                raise VideoError(f"{path}: cannot be read ({error}); check the file and its permissions") from error
            source = Source.of(self.data, str(path))
        self.sha256 = source.sha256()

    @property
    def source(self) -> Path | bytes:
        """The input of the decoder."""
        return self.path if self.data is None else self.data

    def is_changed(self) -> bool:
        """Whether the file has changed; if it is not in memory, whether it may have changed meanwhile."""
        try:
            status = _status(self.path)
            if status == self._status:
                return False
            if self.data is None or Source.of(self.path).sha256() != self.sha256:
                return True
        except VideoError:
            return True
        self._status = status
        return False


class OpenVideo:
    """A video that was read and hashed; see `opens2v_hf.jobs.unit.OpenGroup`."""

    def __init__(
        self, common: ScoringPass, sample: EvalSample, tasks: Sequence[MetricTask], content: VideoContent
    ) -> None:
        self._common = common
        self._sample = sample
        self._tasks = {task.metric.name: task for task in tasks}
        self._content = content
        self._references: dict[str, Any] = {}
        self._reference_files: dict[Path, tuple[int, ...]] = {}  # to the status before they were read
        self._clip: TimedClip | None = None
        self._decoding_s = 0.0  # of the clip, as far as it is in the timings
        self._needs_thumbnail = common.thumbnails is not None
        self.key = group_key(content.sha256, common.versions, backend=common.backend, metrics=list(self._tasks))
        self.facts = {"sha256": content.sha256}

    @property
    def units(self) -> list[Unit]:
        """The header, and one unit for each metric."""
        header = Unit(
            HEADER,
            key=lambda: video_key(self._content.sha256, self._common.versions),
            work=self._header,
            about={"video": str(self._content.path)},
            required=True,
        )
        return [header, *map(self._unit, self._tasks.values())]

    def prepare(self, names: Collection[str]) -> None:
        """Open a clip with the sampling rules of these metrics."""
        rules = [task.metric.sampling for name, task in self._tasks.items() if name in names]
        self._clip = TimedClip(
            self._content.source,
            rules=(*rules, _THUMBNAIL),
            name=str(self._content.path),
            backend=self._common.backend,
            max_kept_bytes=cached_bytes(rules),
        )

    @property
    def clip(self) -> TimedClip:
        """The clip that `prepare` opened."""
        if self._clip is None:
            raise RuntimeError("prepare() must be called before the units")
        return self._clip

    def num_bytes(self) -> int:
        """Estimated bytes of the file and its decoded frames; twice, since metrics get copies."""
        clip = self.clip
        frame = 3 * clip.width * clip.height
        sampled = {index for rule in clip.rules if not rule.is_every for index in rule.indices(clip.num_frames)}
        most = cached_bytes(clip.rules)
        all_frames = frame * clip.num_frames
        return len(self._content.data or b"") + 2 * (all_frames if all_frames <= most else frame * len(sampled))

    def is_changed(self) -> bool:
        """See `VideoContent.is_changed`; True also after a change of a reference picture, which metrics read again."""
        try:
            if any(_status(path) != status for path, status in self._reference_files.items()):
                return True
        except VideoError:
            return True
        return self._content.is_changed()

    @property
    def check(self) -> Callable[[], None]:
        """Decodes all frames."""
        return partial(_decode, self._content.source, self._common.backend, str(self._content.path))

    def _unit(self, task: MetricTask) -> Unit:
        name = task.metric.name
        return Unit(
            name,
            key=lambda: self._key(task),
            work=lambda: self._score(task),
            about={"id": self._sample.id, "metric": name},
            service=name,
            load=None if task.metric.sampling.is_every else self._load,
            resource=_resource(task.metric),
        )

    def _load(self) -> None:
        """Decode the frames of all metrics."""
        with suppress(VideoError):  # the metric raises it again
            self.clip.frames(_THUMBNAIL)

    def _key(self, task: MetricTask) -> str:
        name = task.metric.name
        self._references[name] = task.reference(self._sample)
        for path in files_in(self._references[name]):
            if path not in self._reference_files:
                self._reference_files[path] = _settled_status(path)
        return unit_key(
            task.metric,
            self._references[name],
            sample_id=self._sample.id,
            video_sha256=self._content.sha256,
            versions=self._common.versions,
            folders=self._common.folders[name],
        )

    def _header(self) -> Outcome:
        clip = self.clip
        return Outcome({"num_frames": clip.num_frames, "fps": clip.fps, "width": clip.width, "height": clip.height})

    def _score(self, task: MetricTask) -> Outcome:
        name = task.metric.name
        clip = self.clip
        with self._common.timings.measure(name, clip, of_core=not task.metric.models):
            score = task.metric.score(clip, self._references[name])
        if clip.wall_s > self._decoding_s:
            self._common.timings.add(DECODING, clip.wall_s - self._decoding_s, num_videos=int(not self._decoding_s))
            self._decoding_s = clip.wall_s
        if self._needs_thumbnail:
            self._needs_thumbnail = not self._write_thumbnail()
        if score.status is not Status.FAILED:
            return Outcome(score.to_dict())
        # a model behind a network may give another answer next time; all others fail again
        is_remote = any(model.device is None for model in task.metric.models)
        return Outcome(score.to_dict(), score.reason or "failed", Retry.THIS_RUN if is_remote else Retry.NEVER)

    def _write_thumbnail(self) -> bool:
        """Whether it was written, or is given up."""
        try:
            frames = self.clip.frames(_THUMBNAIL)
            folder = self._common.thumbnails  # read once: another thread may give the thumbnails up
            if folder is not None:
                write_thumbnail(folder, self._sample.id, frames)
        except ArgumentError:
            raise
        except VideoError:  # the metrics report it
            return False
        except ResultError as error:
            _LOGGER.warning("%s; the report will lack pictures", error)
            self._common.thumbnails = None
        except Exception as error:  # a picture for the report must not fail a score
            self._common.errors.write(f"thumbnail of {self._content.path.name}", error)
        return True


def score_of(outcome: Outcome) -> VideoScore:
    """The score in the outcome of a unit."""
    if isinstance(outcome.value, Mapping):
        return VideoScore.from_dict(outcome.value)
    return VideoScore.failed(outcome.reason)


def _resource(metric: Metric[Any]) -> str:
    """The resource that only one video at a time can use: the device of local models, or a remote model."""
    if not metric.models:
        return ""
    return "device" if any(model.device is not None for model in metric.models) else metric.name


def _decode(source: Path | bytes, backend: Backend, name: str) -> None:
    for _ in open_video(source, backend=backend, name=name).iter_frames():
        pass


def _settled_status(path: Path) -> tuple[int, ...]:
    """The status of a file, after its last change is so old that a further change would alter its time stamp."""
    for _ in range(_MAX_TICKS):  # bounded, for a file that is written to all the time
        status = _status(path)
        if not 0 <= time.time() - status[-1] / 1e9 < _STATUS_TICK_S:
            break
        time.sleep(_STATUS_TICK_S)
    return status


def _status(path: Path) -> tuple[int, ...]:
    try:
        status = os.stat(path)
    except OSError as error:
        raise VideoError(f"{path}: cannot be read ({error}); check that the file still exists") from error
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
