"""How long each metric of a run took, beside its estimate: kept in the journal's folder, in no result."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from threading import Lock
from time import perf_counter
from types import TracebackType
from typing import Any

from opens2v_hf._util.atomic import atomic_file
from opens2v_hf._util.console import remark
from opens2v_hf._util.json_file import read_json
from opens2v_hf.errors import ArgumentError, ResultError
from opens2v_hf.results.table import aligned

FILE = "timings.json"
DECODING = "decoding"


class Timings:
    """Seconds and videos by part of one process; several threads may add to it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._sums: dict[str, tuple[float, int]] = {}

    def measure(self, part: str) -> _Measured:
        """A block whose seconds count for a part, as one video; one that raises does not count."""
        return _Measured(self, part)

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
        """Write it to a journal's folder, together with what earlier runs measured there.

        Where it cannot be written, that is said and costs nothing: the scores are safe by then.
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
            remark(f"the seconds of this run are not kept: cannot write {folder / FILE} ({error.strerror or error})")

    def format(self, estimated: Mapping[str, float] | None = None) -> str:
        """A table; empty where nothing was measured.

        Args:
            estimated: part to seconds a video, for a column beside the measured one.
        """
        if not self._sums:
            return ""
        beside = estimated or {}
        lines = [["part", "videos", "measured, s a video", *(["estimated"] if beside else [])]]
        for part, seconds in self.seconds_a_video.items():
            line = [part, str(self.num_videos[part]), f"{seconds:.3f}"]
            lines.append([*line, *([f"{beside[part]:.3f}" if part in beside else ""] if beside else [])])
        return aligned(lines)


class _Measured:
    def __init__(self, timings: Timings, part: str) -> None:
        self._timings, self._part = timings, part

    def __enter__(self) -> None:
        self._begun = perf_counter()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._timings.add(self._part, perf_counter() - self._begun)


def measured_seconds(run: str | Path, split: str) -> dict[str, float]:
    """Part to seconds a video, as a run measured them.

    Args:
        run: the folder given as `out=`.
        split: of the run.

    Raises:
        ArgumentError: there are no timings.
    """
    file = Path(run) / f"{split}.journal" / FILE
    if not file.is_file():
        raise ArgumentError(
            f"there are no timings of a run on {split} in {run}; give the folder of one that scored videos"
        )
    return _read(file).seconds_a_video


def _read(file: Path) -> Timings:
    """What a file holds; nothing where it is missing or damaged, which costs an estimate and no score."""
    timings = Timings()
    try:
        for part, sums in read_json(file).items():
            seconds, count = float(sums["seconds"]), int(sums["num_videos"])
            if count > 0 and seconds >= 0:
                timings.add(str(part), seconds, count)
    except (OSError, ValueError, ResultError, AttributeError, KeyError, TypeError):
        return Timings()
    return timings
