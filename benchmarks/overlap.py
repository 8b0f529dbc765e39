"""How busy a fast device is while videos are read and decoded, and their optical flow is computed.

    OMP_NUM_THREADS=1 python benchmarks/overlap.py
    OMP_NUM_THREADS=1 python benchmarks/overlap.py --simulated-flow 18 --workers 12 --videos 36

The device is simulated: a forward pass sleeps, which holds neither a core nor Python's lock, as long as an H100 would
take for the released models (estimates, in `DEVICE_S`). Decoding and hashing are real; so is MotionAmplitude's flow,
unless `--simulated-flow` gives its seconds on one core, for machines that have too few cores. One video after another,
with its flow in one thread as the released scripts work it out and with it spread over the cores, and several videos at
a time run in turns, and their results are compared.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from ratios import note

from opens2v_hf._util import threads
from opens2v_hf.data.benchmark.prompts import parse_eval_prompts
from opens2v_hf.evaluation.output import Output
from opens2v_hf.evaluation.run import MetricPass, Run
from opens2v_hf.evaluation.scoring import score_passes
from opens2v_hf.evaluation.videos import find_videos
from opens2v_hf.metrics.apply import MetricTask
from opens2v_hf.metrics.motion_amplitude import MotionAmplitude
from opens2v_hf.models.info import ModelInfo
from opens2v_hf.scores.outcome import VideoScore
from opens2v_hf.video.clip import Clip
from opens2v_hf.video.sampling import SamplingRule, every, linspace
from opens2v_hf.video.writer import write_video

SPLIT = "open-domain"
DEVICE_S = {"gmescore": 0.35, "nexusscore": 0.5, "motion_smoothness": 0.5, "aesthetics": 0.08, "facesim_cur": 0.15}
RULES: dict[str, SamplingRule] = {name: linspace(32) for name in DEVICE_S} | {"motion_smoothness": every()}


class Device:
    """A simulated device that counts its busy seconds."""

    def __init__(self) -> None:
        self.busy_s = 0.0
        self._lock = threading.Lock()

    def forward(self, seconds: float) -> None:
        with self._lock:
            begin = time.perf_counter()
            time.sleep(seconds)
            self.busy_s += time.perf_counter() - begin


@dataclass
class Simulated:
    """A metric that decodes its frames and keeps the device busy."""

    name: str
    sampling: SamplingRule
    device: Device
    models: tuple[ModelInfo, ...] = (ModelInfo("embedder", "simulated", "1", "float16", "cuda"),)
    options: Mapping[str, Any] = field(default_factory=dict)
    caveats: tuple[str, ...] = ()

    def score(self, clip: Clip, reference: Any) -> VideoScore:
        frames = clip.stream() if self.sampling.is_every else iter(clip.frames(self.sampling))
        total = sum(int(frame[::8, ::8].sum()) for frame in frames)
        self.device.forward(DEVICE_S[self.name])
        return VideoScore.scored(total % 997 / 997)


@dataclass
class SleepingFlow:
    """The flow, simulated for machines with too few cores."""

    seconds: float
    name: str = "motion_amplitude"
    sampling: SamplingRule = field(default_factory=every)
    models: tuple[ModelInfo, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    caveats: tuple[str, ...] = ()

    def score(self, clip: Clip, reference: Any) -> VideoScore:
        time.sleep(self.seconds)
        return VideoScore.scored(sum(1 for _ in clip.stream()) / 1000)


@dataclass(frozen=True)
class Way:
    """Videos at a time, and threads of the flow of each at most."""

    videos: int
    threads: int = threads.MAX_THREADS

    def __str__(self) -> str:
        videos = "one video at a time" if self.videos == 1 else f"{self.videos} videos at a time"
        return videos + (", one thread" if self.threads == 1 else "")


def write_videos(folder: Path, count: int, size: tuple[int, int], num_frames: int) -> list[str]:
    """Write videos of moving, enlarged noise; returns their ids."""
    folder.mkdir()
    generator = np.random.default_rng(0)
    ids = [f"singleobj_{number + 1}" for number in range(count)]
    width, height = size
    content = generator.integers(0, 256, (height // 8, width // 8 + num_frames, 3), dtype=np.uint8)
    for number, id_ in enumerate(ids):
        rolled = np.roll(content, number, 1)
        frames = np.stack([rolled[:, at : at + width // 8] for at in range(num_frames)]).repeat(8, 1).repeat(8, 2)
        write_video(folder / f"{id_}.mp4", frames, 16)
    return ids


def run(videos: Path, ids: list[str], out: Path, workers: int, flow_s: float | None) -> tuple[float, float, bytes]:
    """Wall seconds, the share of them in which the device was busy, and the result without its date."""
    device = Device()
    flow: Any = MotionAmplitude() if flow_s is None else SleepingFlow(flow_s)
    metrics = [*(Simulated(name, RULES[name], device) for name in DEVICE_S), flow]
    tasks = [MetricTask(metric, lambda sample: None) for metric in metrics]
    names = tuple(metric.name for metric in metrics)
    record = {"img_paths": ["Images/a.png"], "prompt": "", "synthesis_flag": "wrong", "class_label": ["Cup"]}
    prompts = json.dumps({id_: {**record, "prompt": id_} for id_ in ids})
    samples = parse_eval_prompts(prompts, source="benchmark", split=SPLIT)
    found = find_videos(str(videos), ids)
    job = Run(found, samples, "simulated", SPLIT, {}, "pyav", workers=workers)
    begin = time.perf_counter()
    score_passes(job, [MetricPass(names, lambda: tasks)], names, output=Output(out, SPLIT))
    wall = time.perf_counter() - begin
    content = re.sub(rb'"created_at": "[^"]+"', b"", (out / f"{SPLIT}.json").read_bytes())
    return wall, device.busy_s / wall, content


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=int, default=12)
    parser.add_argument("--size", type=int, nargs=2, default=(832, 480), metavar=("W", "H"))
    parser.add_argument("--frames", type=int, default=49)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--simulated-flow", type=float, metavar="S")
    arguments = parser.parse_args()
    one, one_thread, several = Way(1), Way(1, threads=1), Way(arguments.workers)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        ids = write_videos(root / "videos", arguments.videos, tuple(arguments.size), arguments.frames)
        found: dict[Way, list[tuple[float, float, bytes]]] = {one_thread: [], one: [], several: []}
        for number in range(arguments.rounds):
            for position, (way, times) in enumerate(found.items()):
                out = root / f"{number} {position}"
                with patch.object(threads, "MAX_THREADS", way.threads):
                    times.append(run(root / "videos", ids, out, way.videos, arguments.simulated_flow))
    if len({content for times in found.values() for _, _, content in times}) != 1:
        raise SystemExit("the results must have the same bytes, and differ")
    best = {way: min(times) for way, times in found.items()}
    print(f"{arguments.videos} videos, best of {arguments.rounds} rounds, load {os.getloadavg()[0]:.1f}")
    for way, (wall, busy, _) in best.items():
        print(f"  {way}   {wall:7.2f} s   device busy {100 * busy:.0f} %")
    for other, goal in ((one_thread, 1.5), (one, None)):
        faster = best[other][0] / best[several][0]
        print(f"  {several} over {other}: {faster:.2f}")
        note(f"a device and {several}", str(other), faster, goal=goal)


if __name__ == "__main__":
    main()
