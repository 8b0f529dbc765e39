"""Seconds that each metric of a run took, and their comparison with the estimate."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from time import perf_counter, thread_time
from typing import Any

import numpy as np

from opens2v_hf._util.atomic import atomic_file
from opens2v_hf._util.console import remark
from opens2v_hf._util.json_file import read_json
from opens2v_hf._util.threads import core_seconds
from opens2v_hf.errors import ArgumentError, ResultError
from opens2v_hf.results.table import aligned
from opens2v_hf.video.clip import Clip
from opens2v_hf.video.sampling import SamplingRule

FILE = "timings.json"
DECODING = "decoding"


class TimedClip(Clip):
    """A clip that measures its decoding.

    Attributes:
        wall_s: seconds that callers waited for frames.
        core_s: processor seconds of the calling threads; decoders have further threads of their own.
    """

    wall_s = core_s = 0.0

    def frames(self, rule: SamplingRule) -> np.ndarray:
        """See `Clip.frames`."""
        with self._decoding():
            return super().frames(rule)

    def stream(self) -> Iterator[np.ndarray]:
        """See `Clip.stream`."""
        frames = super().stream()
        while True:
            with self._decoding():
                frame = next(frames, None)
            if frame is None:
                return
            yield frame

    @contextmanager
    def _decoding(self) -> Iterator[None]:
        wall, core = perf_counter(), thread_time()
        try:
            yield
        finally:
            self.wall_s += perf_counter() - wall
            self.core_s += thread_time() - core


class Timings:
    """Seconds and videos by part of one process; several threads may add to it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._sums: dict[str, tuple[float, int]] = {}

    @contextmanager
    def measure(self, metric: str, clip: TimedClip, *, of_core: bool) -> Iterator[None]:
        """Count the seconds of a block for a metric, without those of decoding; nothing if the block raises.

        Args:
            metric: its name.
            clip: that the metric scores.
            of_core: count processor seconds, not wall seconds: the threads of several videos share the cores.
        """
        wall, core = clip.wall_s, clip.core_s
        begin = perf_counter()
        with core_seconds() as spent:
            yield
            seconds = spent() - (clip.core_s - core) if of_core else perf_counter() - begin - (clip.wall_s - wall)
        self.add(metric, max(0.0, seconds))  # the two clocks are read one after another

    def add(self, part: str, seconds: float, num_videos: int = 1) -> None:
        """Count seconds for a part."""
        with self._lock:
            sum_of, count = self._sums.get(part, (0.0, 0))
            self._sums[part] = (sum_of + seconds, count + num_videos)

    @property
    def num_videos(self) -> dict[str, int]:
        """Part to videos."""
        return {part: count for part, (_, count) in self._sums.items()}

    @property
    def seconds_a_video(self) -> dict[str, float]:
        """Part to seconds a video."""
        return {part: total / count for part, (total, count) in self._sums.items()}

    def to_dict(self) -> dict[str, Any]:
        """A JSON-compatible dict."""
        return {part: {"seconds": total, "num_videos": count} for part, (total, count) in self._sums.items()}

    def save(self, folder: Path) -> None:
        """Add it to the file in the folder of a journal.

        A failure to write is reported and does not fail the run: the scores are saved by then.
        """
        if not self._sums:
            return
        whole = Timings()
        for one in (_read(folder / FILE), self):
            for part, (total, count) in one._sums.items():
                whole.add(part, total, count)
        try:
            with atomic_file(folder / FILE) as temporary:
                temporary.write_text(json.dumps(whole.to_dict(), indent=2), encoding="utf-8")
        except OSError as error:
            remark(f"the seconds of this run are not saved: cannot write {folder / FILE} ({error.strerror or error})")

    def format(self, estimated: Mapping[str, float] | None = None) -> str:
        """A table; empty if nothing was measured.

        Args:
            estimated: part to seconds a video, for a further column.
        """
        if not self._sums:
            return ""
        lines = [["part", "videos", "measured, s a video"]]
        lines += [[part, str(self.num_videos[part]), f"{s:.3f}"] for part, s in self.seconds_a_video.items()]
        if estimated:
            lines[0].append("estimated")
            for line in lines[1:]:
                line.append(f"{estimated[line[0]]:.3f}" if line[0] in estimated else "")
        return aligned(lines)


def measured_seconds(run: str | Path, split: str) -> dict[str, float]:
    """Part to seconds a video that a run measured.

    Raises:
        ArgumentError: there are no timings.
    """
    file = Path(run) / f"{split}.journal" / FILE
    if not file.is_file():
        raise ArgumentError(
            f"there are no timings of a run on {split} in {run}; give the `out=` folder of a run that scored videos"
        )
    return _read(file).seconds_a_video


def _read(file: Path) -> Timings:
    """The timings in a file; empty if it is missing or damaged, which affects only the estimate."""
    timings = Timings()
    try:
        for part, sums in read_json(file).items():
            seconds, count = float(sums["seconds"]), int(sums["num_videos"])
            if count > 0 and seconds >= 0:
                timings.add(str(part), seconds, count)
    except (OSError, ValueError, ResultError, AttributeError, KeyError, TypeError):
        return Timings()
    return timings
