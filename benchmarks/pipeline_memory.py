"""Peak memory of builds of a long video and of many tiny ones.

    OMP_NUM_THREADS=1 python benchmarks/pipeline_memory.py
    OMP_NUM_THREADS=1 python benchmarks/pipeline_memory.py --minutes 60 --tiny 20000 --listed 100000

- A video of 160x90 at 5 frames a second with a cut every few seconds, of a minute and of an hour, through the stages
  probe, scenes (PySceneDetect), crop and quality.
- Tiny videos that all differ, a tenth of them and all, through probe and scenes, to the manifest and the card.
- The listing and the plan alone, of ten times as many files.

Each build runs in a process of its own. Printed are the peak of its resident memory, that of a process that only
imports the package, and the growth for each file.
"""

from __future__ import annotations

import argparse
import os
import struct
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from opens2v_hf.pipeline.api import build
from opens2v_hf.pipeline.inputs import list_input
from opens2v_hf.pipeline.options import BuildOptions
from opens2v_hf.pipeline.stages.crop import Crop
from opens2v_hf.pipeline.stages.probe import Probe
from opens2v_hf.pipeline.stages.quality import Quality
from opens2v_hf.pipeline.stages.scenes import Scenes
from opens2v_hf.pipeline.units import UnitSize, make_plan
from opens2v_hf.video.writer import write_video

FPS = 5
HEIGHT, WIDTH = 90, 160
SHOT_S = 8


def pictures(seconds: int) -> Iterator[np.ndarray]:
    """Shots of moving noise, each of another seed and brightness."""
    for number in range(seconds * FPS):
        shot, step = divmod(number, SHOT_S * FPS)
        rng = np.random.default_rng(shot)
        noise = rng.integers(0, 120, (HEIGHT // 10, WIDTH // 10, 3), np.uint8).repeat(10, axis=0).repeat(10, axis=1)
        yield np.roll(noise, 2 * step, axis=1) + np.uint8(135 * (shot % 2))


def write_long(folder: Path, seconds: int) -> Path:
    """A folder with one video."""
    folder.mkdir()
    write_video(folder / "long.mp4", pictures(seconds), FPS)
    return folder


def write_tiny(folder: Path, count: int) -> Path:
    """A folder of copies of one video that differ in a box of 16 bytes at the end, which no player reads."""
    folder.mkdir()
    content = write_video(folder / "one.mp4", [np.full((16, 16, 3), 90, np.uint8)] * 2, FPS).read_bytes()
    (folder / "one.mp4").unlink()
    for number in range(count):
        part = folder / f"{number // 1000:03d}"
        part.mkdir(exist_ok=True)
        (part / f"{number:06d}.mp4").write_bytes(content + struct.pack(">I4sQ", 16, b"free", number))
    return folder


def peak(work: Callable[[], Any]) -> tuple[float, float]:
    """Peak memory in MB, and the seconds, of a process of its own."""
    begin = time.perf_counter()
    child = os.fork()
    if child == 0:
        work()
        os._exit(0)
    _, status, usage = os.wait4(child, 0)
    if status:
        sys.exit("the build failed")
    return usage.ru_maxrss / 1024, time.perf_counter() - begin


def built(videos: Path, out: Path, stages: list[Any]) -> Callable[[], Any]:
    """A build from the listing to the card; it must be complete."""

    def work() -> None:
        made = build(videos, out, stages=stages, options=BuildOptions())
        assert made.is_complete, made
        assert made.rows["regular"], made

    return work


def planned(videos: Path) -> Callable[[], Any]:
    """The listing and the plan; every file must be in it."""

    def work() -> None:
        listing = list_input(videos)
        plan = make_plan(listing, UnitSize())
        assert plan.num_files == len(listing.files)
        assert not plan.duplicates

    return work


def grows(label: str, small: tuple[int, Callable[[], Any]], large: tuple[int, Callable[[], Any]]) -> None:
    """Print two peaks, and by how much memory grows for each more."""
    peaks = []
    for count, work in (small, large):
        megabytes, seconds = peak(work)
        peaks.append(megabytes)
        print(f"{count:,} {label}: {megabytes:.0f} MB ({seconds:.0f} s)", flush=True)
    print(f"  {1000 * (peaks[1] - peaks[0]) / (large[0] - small[0]):.1f} kB for each", flush=True)


def main() -> None:
    """Read the arguments, and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--tiny", type=int, default=20_000)
    parser.add_argument("--listed", type=int, default=100_000)
    arguments = parser.parse_args()
    on_clips = [Probe(), Scenes("scenedetect"), Crop(), Quality(aesthetic_encoder=None)]
    on_files = [Probe(), Scenes("none", min_seconds=0)]
    print(f"imports alone: {peak(lambda: None)[0]:.0f} MB")
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        short, long = write_long(root / "short", 60), write_long(root / "long", 60 * arguments.minutes)
        grows(
            "minutes of one video",
            (1, built(short, root / "out-short", on_clips)),
            (arguments.minutes, built(long, root / "out-long", on_clips)),
        )
        few, many = write_tiny(root / "few", arguments.tiny // 10), write_tiny(root / "many", arguments.tiny)
        grows(
            "tiny videos",
            (arguments.tiny // 10, built(few, root / "out-few", on_files)),
            (arguments.tiny, built(many, root / "out-many", on_files)),
        )
        listed = write_tiny(root / "listed", arguments.listed)
        grows("files listed", (arguments.tiny, planned(many)), (arguments.listed, planned(listed)))


if __name__ == "__main__":
    main()
