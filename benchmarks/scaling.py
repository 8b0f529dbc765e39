"""How much faster several processes, each with a GPU, score open-domain than one: a simulation.

    python benchmarks/scaling.py
    python benchmarks/scaling.py --gpu a100 --spread 0.5

The 180 videos are dealt as the runner deals them: costliest first by what their headers say
(`opens2v_hf.metrics.cost`), and the next free process takes the next video. How long a video takes is another estimate,
that of `opens2v doctor --estimate` for the metrics that apply to it, of its GPU or its share of the cores, whichever
takes longer; times a factor that dealing does not know, log-normal with `--spread`. Lengths are drawn from 49, 81, 121
and 241 frames. Added are the claim of each video, and a serial end in which one process writes the result. Everything
is drawn from a fixed seed, so that the figures are the same on every machine; the worst of `--draws` draws counts.

What it leaves out: loading models, which each process does at the same time, and what processes on one machine take
from each other (memory bandwidth, disk, power).
"""

from __future__ import annotations

import argparse
import heapq
from collections.abc import Sequence

import numpy as np
from ratios import note

from opens2v_hf.data.benchmark.ids import applicable_ids, split_ids
from opens2v_hf.evaluation.cost_formulas import VideoShape
from opens2v_hf.evaluation.cost_model import estimate
from opens2v_hf.jobs.processes import costliest_first
from opens2v_hf.metrics.cost import cost_of_frames
from opens2v_hf.metrics.registry import METRICS
from opens2v_hf.scores.scorecard import COLUMNS
from opens2v_hf.video.sampling import every, linspace

SPLIT = "open-domain"
LENGTHS = (49, 81, 121, 241)
CLAIM_S, END_S = 0.01, 3.0
"""Creating a file in a shared folder, and gathering 180 records and writing result and thumbnails: both generous."""
OF_ALL_FRAMES = ("motion_amplitude", "motion_smoothness")


def seconds_of(num_frames: int, gpu: str, cores: int) -> dict[str, float]:
    """Sample to the estimated seconds of its video."""
    made = estimate(SPLIT, gpu, shape=VideoShape(num_frames), judge="local", metrics=list(COLUMNS), cores=cores)
    found = {}
    for sample in split_ids(SPLIT):
        applying = [
            part for part in made.parts if part.name == "decoding" or sample in applicable_ids(part.name, SPLIT)
        ]
        on_gpu = sum(part.seconds or 0.0 for part in applying if part.resource == "gpu")
        on_cores = sum(part.seconds or 0.0 for part in applying if part.resource == "core")
        found[sample] = max(on_gpu, on_cores / cores)
    return found


def header_cost(sample: str, num_frames: int) -> float:
    """What the runner knows of a video when it deals."""
    names = [name for name in METRICS if name in COLUMNS and sample in applicable_ids(name, SPLIT)]
    rules = [every() if name in OF_ALL_FRAMES else linspace(16 if name == "naturalscore" else 32) for name in names]
    return cost_of_frames(num_frames, 1280 * 720, rules)


def makespan(order: Sequence[int], seconds: np.ndarray, count: int) -> float:
    """Seconds until the result is written, when the next free process takes the next video."""
    free_at = [0.0] * count
    for index in order:
        heapq.heappush(free_at, heapq.heappop(free_at) + CLAIM_S + float(seconds[index]))
    return max(free_at) + END_S


def speed_ups(gpu: str, cores: int, spread: float, draws: int, *, by_cost: bool) -> dict[int, float]:
    """Number of processes to the lowest speed-up over one of all draws."""
    samples = list(split_ids(SPLIT))
    estimated = {length: seconds_of(length, gpu, cores) for length in LENGTHS}
    worst = dict.fromkeys(range(1, 9), float("inf"))
    for draw in range(draws):
        generator = np.random.default_rng(draw)
        lengths = generator.choice(LENGTHS, len(samples))
        paper = np.array([estimated[int(length)][sample] for sample, length in zip(samples, lengths, strict=True)])
        seconds = paper * generator.lognormal(0.0, spread, len(samples))
        costs = [header_cost(sample, int(length)) for sample, length in zip(samples, lengths, strict=True)]
        order = costliest_first(costs) if by_cost else list(range(len(samples)))
        one = makespan(order, seconds, 1)
        for count in worst:
            worst[count] = min(worst[count], one / makespan(order, seconds, count))
    return worst


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gpu", default="h100")
    parser.add_argument("--cores", type=int, default=8, help="of the processor, for each process")
    parser.add_argument("--spread", type=float, default=0.3)
    parser.add_argument("--draws", type=int, default=20)
    arguments = parser.parse_args()
    given = (arguments.gpu, arguments.cores, arguments.spread, arguments.draws)
    dealt, unordered = speed_ups(*given, by_cost=True), speed_ups(*given, by_cost=False)
    print(f"180 videos on {arguments.gpu}, {arguments.cores} cores a process, the worst of {arguments.draws} draws")
    print("processes   as dealt   without the order by cost")
    for count, faster in dealt.items():
        print(f"{count:9d}   {faster:8.2f}   {unordered[count]:8.2f}")
    for count in (2, 4, 8):
        note(f"{count} processes, simulated", "one process", dealt[count], goal=0.9 * count)


if __name__ == "__main__":
    main()
