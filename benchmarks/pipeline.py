"""How much of a stage's own speed is left in a build: engines against bare calls, and memory.

    python benchmarks/pipeline.py            # ratios
    python benchmarks/pipeline.py --long     # an hour-long video and thousands of tiny ones: memory

The stage spends a known amount of processor time on a clip (hashing), so that ratios say what the engines cost, and not
what a model does. Ratios of processes need that many idle cores; the load of the machine is printed with them.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from opens2v_hf.pipeline.api import build_dataset
from opens2v_hf.pipeline.clip_ids import whole_file
from opens2v_hf.pipeline.engines.local import LocalEngine
from opens2v_hf.pipeline.engines.ray import RayEngine
from opens2v_hf.pipeline.options import BuildOptions
from opens2v_hf.pipeline.records import ClipRecord, SourceFile
from opens2v_hf.pipeline.stage import Resources, StageOutput
from opens2v_hf.pipeline.stages.probe import Probe
from opens2v_hf.pipeline.stages.scenes import Scenes
from opens2v_hf.video.writer import write_video

FPS = 24


@dataclass
class Work:
    """Spends processor time on every clip."""

    rounds: int
    name: str = "work"
    resources: Resources = field(default_factory=Resources)

    def load(self) -> None:
        """Nothing to load."""

    def facts(self) -> Mapping[str, Any]:
        """How much."""
        return {"rounds": self.rounds}

    def __call__(self, clips: Sequence[ClipRecord]) -> StageOutput:
        """Hash."""
        for clip in clips:
            digest = clip.id.encode()
            for _ in range(self.rounds):
                digest = hashlib.sha256(digest).digest()
        return StageOutput(clips)


def stages(rounds: int) -> list[Any]:
    """Files as one clip each, and the work."""
    return [Probe(), Scenes("none", min_seconds=0), Work(rounds)]


def write_videos(folder: Path, count: int, frames: int = 24, size: tuple[int, int] = (64, 96)) -> Path:
    """Videos that all differ."""
    folder.mkdir()
    for number in range(count):
        shade = np.full((*size, 3), number % 256, np.uint8)
        shade[: size[0] // 2, :, 0] = number // 256
        write_video(folder / f"{number:06d}.mp4", (shade for _ in range(frames)), FPS)
    return folder


def timed(call: Callable[[], Any]) -> float:
    """Seconds that a call takes."""
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def bare(videos: Path, rounds: int) -> None:
    """The stages, called one after another."""
    records = [whole_file(SourceFile(str(path), path.name)) for path in sorted(videos.iterdir())]
    for stage in stages(rounds):
        stage.load()
        records = list(stage(records).kept)


def ratios(count: int, rounds: int, with_ray: bool) -> None:
    """Print how the engines compare."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        videos = write_videos(place / "videos", count)

        def built(name: str, engine: Any) -> float:
            options = BuildOptions(unit_files=2)
            return timed(
                lambda: build_dataset(videos, place / name, stages=stages(rounds), options=options, engine=engine)
            )

        print(f"{count} videos, load {os.getloadavg()[0]:.1f} of {os.cpu_count()} cores")
        alone = timed(lambda: bare(videos, rounds))
        one, two = built("one", LocalEngine()), built("two", LocalEngine(2))
        print(f"bare stages {alone:.1f} s; local engine {one:.1f} s: {alone / one:.2f} of their speed")
        print(f"two processes {two:.1f} s: {one / two:.2f} times one, the start of the processes included")
        if with_ray:
            import ray

            ray.init(num_cpus=3, include_dashboard=False, log_to_driver=False, object_store_memory=128 << 20)
            cluster = built("ray", RayEngine(workers=2))
            ray.shutdown()
            print(f"Ray with two workers {cluster:.1f} s: {two / cluster:.2f} of the local engine with two")


def memory(minutes: int, tiny: int) -> None:
    """Print the peak memory of builds of a long video and of many tiny ones."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        for label, minutes_of_it in (("1 min", 1), (f"{minutes} min", minutes)):
            folder = write_videos(place / f"v{minutes_of_it}", 1, frames=minutes_of_it * 60 * FPS)
            print(f"a video of {label}: {_peak(folder, place / f'long{minutes_of_it}')} MB")
        for count in (tiny // 10, tiny):
            folder = write_videos(place / f"tiny{count}", count, frames=2, size=(16, 16))
            print(f"{count} tiny videos: {_peak(folder, place / f'out{count}')} MB")


def _peak(videos: Path, out: Path) -> int:
    """Peak memory in MB of a process of its own that builds."""
    child = os.fork()
    if child == 0:
        build_dataset(
            videos, out, stages=[Probe(), Scenes("none", min_seconds=0, max_seconds=10.0)], options=BuildOptions()
        )
        os._exit(0)
    _, status, usage = os.wait4(child, 0)
    if status:
        sys.exit(f"the build of {videos} failed")
    return usage.ru_maxrss // 1024


def main() -> None:
    """Read the arguments, and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--videos", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=600_000, help="of hashing a clip, about half a second")
    parser.add_argument("--no-ray", action="store_true")
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--tiny", type=int, default=2_000)
    arguments = parser.parse_args()
    if arguments.long:
        memory(arguments.minutes, arguments.tiny)
    else:
        ratios(arguments.videos, arguments.rounds, not arguments.no_ray)
    print(f"this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB")


if __name__ == "__main__":
    main()
