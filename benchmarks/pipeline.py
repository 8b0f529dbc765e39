"""How much of the stages' own speed is left in a build: engines against bare calls of the same stages.

    OMP_NUM_THREADS=1 python benchmarks/pipeline.py
    OMP_NUM_THREADS=1 python benchmarks/pipeline.py --no-ray --videos 16

One stage spends a fixed amount of processor time on each clip (hashing, in one thread), so that ratios show the cost of
the engines and not of a model. Each engine first builds two videos, unmeasured, to fill the caches of the system. What
is measured begins when the first worker has loaded its stages and ends when the last unit's note is on the disk: the
start of processes, imports and models do not count, for any engine. Ray itself is started before, and is not running
while the others are measured. Everything is measured `--repeats` times, and the medians are compared. Ratios of
processor time are printed as well; they do not depend on what else the machine does.

Wall-clock ratios of two workers need two idle cores; the load of the machine is printed with them. The defaults take
some ten minutes.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import secrets
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from ratios import note

from opens2v_hf.pipeline.api import build_dataset
from opens2v_hf.pipeline.clip_ids import whole_file
from opens2v_hf.pipeline.engines.local import LocalEngine
from opens2v_hf.pipeline.engines.ray import RayEngine, connected
from opens2v_hf.pipeline.options import BuildOptions
from opens2v_hf.pipeline.records import ClipRecord, SourceFile
from opens2v_hf.pipeline.stage import Resources, StageOutput
from opens2v_hf.pipeline.stages.probe import Probe
from opens2v_hf.pipeline.stages.scenes import Scenes
from opens2v_hf.video.writer import write_video

FPS = 24
GOALS = {"one": 0.9, "two": 1.8, "ray": 0.8}


@dataclass
class Work:
    """Spends processor time on every clip; each worker notes when it is ready, and its processor time since then.

    Attributes:
        rounds: of hashing a clip.
        stamps: folder of the workers' notes.
    """

    rounds: int
    stamps: str
    name: str = "work"
    resources: Resources = field(default_factory=Resources)
    _stamp: Path | None = None
    _cpu: float = 0.0

    def load(self) -> None:
        """Note that this worker is ready."""
        self._stamp = Path(self.stamps) / f"{os.getpid()}-{secrets.token_hex(4)}"
        self._stamp.write_text(f"{time.time()} 0")
        self._cpu = time.process_time()

    def facts(self) -> Mapping[str, Any]:
        """How much work it is."""
        return {"rounds": self.rounds}

    def __call__(self, clips: Sequence[ClipRecord]) -> StageOutput:
        """Hash, then note the processor time so far."""
        for clip in clips:
            digest = clip.id.encode()
            for _ in range(self.rounds):
                digest = hashlib.sha256(digest).digest()
        if self._stamp is not None:
            ready = self._stamp.read_text().split()[0]
            self._stamp.write_text(f"{ready} {time.process_time() - self._cpu}")
        return StageOutput(clips)


@dataclass(frozen=True)
class Measured:
    """Seconds of a build, from the first worker that is ready to the last note.

    Attributes:
        wall: by the clock.
        cpu: of all workers together.
    """

    wall: float
    cpu: float


def stages(rounds: int, stamps: Path) -> list[Any]:
    """Files as one clip each, and the work."""
    return [Probe(), Scenes("none", min_seconds=0), Work(rounds, str(stamps))]


def write_videos(folder: Path, count: int) -> Path:
    """Videos of a second that all differ."""
    folder.mkdir()
    for number in range(count):
        shade = np.full((64, 96, 3), number % 256, np.uint8)
        shade[:32, :, 0] = number // 256
        write_video(folder / f"{number:06d}.mp4", [shade] * FPS, FPS)
    return folder


def bare(videos: Path, rounds: int, root: Path) -> Measured:
    """The stages, called one after another for each video."""
    root.mkdir()
    applied = stages(rounds, root)
    for stage in applied:
        stage.load()
    begin, cpu = time.perf_counter(), time.process_time()
    for path in sorted(videos.iterdir()):
        records = [whole_file(SourceFile(str(path), path.name))]
        for stage in applied:
            records = list(stage(records).kept)
        assert len(records) == 1
    return Measured(time.perf_counter() - begin, time.process_time() - cpu)


def built(videos: Path, rounds: int, root: Path, engine: Any, *, limit: int | None = None) -> Measured:
    """The same by an engine.

    Args:
        videos: folder of them.
        rounds: of hashing a clip.
        root: where it writes.
        engine: that does it.
        limit: only so many of the videos.
    """
    stamps, out = root / "stamps", root / "out"
    stamps.mkdir(parents=True)
    options = BuildOptions(unit_files=1)
    made = build_dataset(videos, out, stages=stages(rounds, stamps), options=options, engine=engine, limit=limit)
    assert made.is_complete
    assert made.rows["regular"] == (limit or len(list(videos.iterdir())))
    notes = (path.stat().st_mtime for path in (out / ".build").glob("clips-*.json"))
    workers = [[float(word) for word in path.read_text().split()] for path in stamps.iterdir()]
    return Measured(max(notes) - min(ready for ready, _ in workers), sum(cpu for _, cpu in workers))


def repeated(name: str, repeats: int, once: Callable[[Path], Measured], root: Path) -> Measured:
    """The medians of several measurements, which are printed."""
    all_ = [once(root / f"{name}-{number}") for number in range(repeats)]
    walls = ", ".join(f"{one.wall:.2f}" for one in all_)
    medians = Measured(statistics.median(one.wall for one in all_), statistics.median(one.cpu for one in all_))
    print(
        f"{name}: {medians.wall:.2f} s ({walls}), {medians.cpu:.2f} s of processor time; load {os.getloadavg()[0]:.1f}",
        flush=True,
    )
    return medians


def say(name: str, against: str, own: Measured, other: Measured, goal: float, workers: int = 1) -> None:
    """Print a ratio by the clock and by processor time, and leave the first for the page."""
    by_clock, by_cpu = other.wall / own.wall, workers * other.cpu / own.cpu
    print(f"build, {name}: {by_clock:.2f} of {against} (goal {goal}); by processor time {by_cpu:.2f}", flush=True)
    note(f"build, {name}", against, by_clock, goal=goal)


def main() -> None:
    """Read the arguments, and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=int, default=80)
    parser.add_argument("--rounds", type=int, default=600_000, help="of hashing a clip, about half a second")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--no-ray", action="store_true")
    arguments = parser.parse_args()
    rounds, repeats = arguments.rounds, arguments.repeats
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        videos = write_videos(root / "videos", arguments.videos)
        print(f"{arguments.videos} videos, load {os.getloadavg()[0]:.1f} of {os.cpu_count()} cores", flush=True)

        def measured(name: str, engine: Any) -> Measured:
            built(videos, 1, root / f"{name}, warm", engine, limit=2)
            return repeated(name, repeats, lambda folder: built(videos, rounds, folder, engine), root)

        alone = repeated("bare stages", repeats, lambda folder: bare(videos, rounds, folder), root)
        one = measured("one process", LocalEngine())
        say("one process", "the bare stages", one, alone, GOALS["one"])
        two = measured("two processes", LocalEngine(2))
        say("two processes", "one process", two, one, GOALS["two"], workers=2)
        if not arguments.no_ray:
            with connected(None, num_cpus=3):  # two workers, and one for Ray's own tasks
                ray = measured("Ray with two workers", RayEngine(workers=2))
            say("Ray with two workers", "two processes", ray, two, GOALS["ray"])


if __name__ == "__main__":
    main()
