"""How long it takes to read the 32 frames that the metrics use, and all frames, against other ways to get them.

    python benchmarks/read_frames.py [VIDEO ...]

Compared in one run, each way opening the file itself, all checked to give the same frames:

- ours: `open_video(...).read(linspace(32))`, through decord and through PyAV, the index and the checks included;
- one by one: decord's `reader[i]` for each frame; and with PyAV a seek to the keyframe before each frame;
- the whole video: all frames decoded with PyAV and converted, then 32 of them picked;
- all frames, one after another, as flow and smoothness read them: `iter_frames()`, and a loop over the frames of PyAV,
  by the clock and by processor time: ours converts in threads, while the next frames are decoded.

Times are the median of the repeats; the last column is each way's time over that of our reader (PyAV).
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import decord
import numpy as np
from ratios import note

from opens2v_hf.video.container import IGNORED_TAGS
from opens2v_hf.video.reader import Backend, open_video
from opens2v_hf.video.sampling import linspace
from opens2v_hf.video.writer import write_video

Indices = tuple[int, ...]


def ours(backend: Backend) -> Callable[[str, Indices], np.ndarray]:
    return lambda path, indices: open_video(path, backend=backend).read(indices)


def decord_one_by_one(path: str, indices: Indices) -> np.ndarray:
    reader = decord.VideoReader(path)
    return np.stack([reader[index].asnumpy() for index in indices])


def pyav_one_by_one(path: str, indices: Indices) -> np.ndarray:
    frames = []
    with av.open(path, **IGNORED_TAGS) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        times = sorted(packet.pts for packet in container.demux(stream) if packet.pts is not None)
        for index in indices:
            container.seek(times[index], stream=stream, backward=True)
            frame = next(frame for frame in container.decode(stream) if frame.pts == times[index])
            frames.append(frame.to_ndarray(format="rgb24"))
    return np.stack(frames)


def pyav_whole_video(path: str, indices: Indices) -> np.ndarray:
    with av.open(path, **IGNORED_TAGS) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
    return np.stack([frames[index] for index in indices])


WAYS: dict[str, Callable[[str, Indices], np.ndarray]] = {
    "ours, PyAV": ours("pyav"),
    "ours, decord": ours("decord"),
    "one by one, decord": decord_one_by_one,
    "one by one, PyAV": pyav_one_by_one,
    "whole video, PyAV": pyav_whole_video,
}


def all_by_ours(path: str) -> int:
    return sum(1 for _ in open_video(path).iter_frames())


def all_by_pyav(path: str) -> int:
    with av.open(path, **IGNORED_TAGS) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        return sum(1 for frame in container.decode(stream) if frame.to_ndarray(format="rgb24").size)


def synthetic_frames(count: int, height: int = 480, width: int = 832) -> Iterator[np.ndarray]:
    """A textured picture that drifts, so that the encoder has motion to code."""
    texture = np.random.default_rng(0).integers(0, 256, (height // 8, width // 8, 3), np.uint8)
    texture = np.kron(texture, np.ones((8, 8, 1), np.uint8))
    for number in range(count):
        yield np.roll(texture, (number, 2 * number), axis=(0, 1))


def compare(path: str, repeats: int) -> None:
    video = open_video(path)
    indices = linspace(32).indices(video.num_frames)
    print(f"\n{path}: {video.num_frames} frames of {video.width}x{video.height}, {repeats} repeats")
    expected = pyav_whole_video(path, indices)
    times: dict[str, list[float]] = {name: [] for name in WAYS}
    for _ in range(repeats):
        for name, read in WAYS.items():
            start = time.perf_counter()
            frames = read(path, indices)
            times[name].append(time.perf_counter() - start)
            if not np.array_equal(frames, expected):
                raise SystemExit(f"{path}: {name} gives other frames")
    base = statistics.median(times["ours, PyAV"])
    for name in ("one by one, decord", "whole video, PyAV"):
        note(f"32 of {video.num_frames} frames", name, statistics.median(times[name]) / base, goal=1.0)
    print(f"{'':20} {'ms':>8} {'ratio':>7}")
    for name, taken in times.items():
        median = statistics.median(taken)
        print(f"{name:20} {1000 * median:8.1f} {median / base:7.2f}")


def compare_all_frames(path: str, repeats: int) -> None:
    ways = {"ours": all_by_ours, "bare PyAV": all_by_pyav}
    elapsed: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    count = 0
    for _ in range(repeats):
        for name, read in ways.items():
            clock, processor = time.perf_counter(), time.process_time()
            count = read(path)
            elapsed[name].append((time.perf_counter() - clock, time.process_time() - processor))
    medians = {
        name: [statistics.median(column) for column in zip(*taken, strict=True)] for name, taken in elapsed.items()
    }
    for column, clock_name in enumerate(("", ", by processor time")):
        ours_s, bare_s = medians["ours"][column], medians["bare PyAV"][column]
        goal = None if clock_name else 1 / 1.05
        note(f"all {count} frames{clock_name}", "bare PyAV", bare_s / ours_s, goal=goal)
        print(f"all {count} frames{clock_name}: ours {1000 * ours_s:.1f} ms, bare PyAV {1000 * bare_s:.1f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("videos", nargs="*", metavar="VIDEO", help="by default synthetic clips of 81 and 600 frames")
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        videos = list(arguments.videos)
        if not videos:
            for count in (81, 600):
                path = Path(folder) / f"{count}.mp4"
                videos.append(str(write_video(path, synthetic_frames(count), 24, keyframe_interval=250)))
        for path in videos:
            compare(path, arguments.repeats)
            compare_all_frames(path, arguments.repeats)


if __name__ == "__main__":
    main()
