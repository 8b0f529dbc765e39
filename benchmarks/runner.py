"""Overhead of the runner over its metrics, speed-up by a second process, and memory saved by `--memory low`.

    OMP_NUM_THREADS=1 python benchmarks/runner.py
    OMP_NUM_THREADS=1 python benchmarks/runner.py --per-category 6 --rounds 5

- Overhead: a run with its journal, fsyncs, thumbnails and result, against bare calls of the same metrics on the same
  clips. Rounds alternate, and the best of each side counts. The values are compared before the timing.
- Processes: two against one, one thread each, from loaded models to the result. By the wall clock, and by twice the
  processor time of one over that of both, which other programs on the machine do not disturb. Both agree on a quiet
  machine, since the next free process takes the next video.
- Memory: the peak of a process above that of its imports, with an embedder and a judge of random weights, for `keep`
  and for `low`.

The metrics are those of the package's sample with the embedded models.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from ratios import note

from opens2v_hf._util import processes as launch
from opens2v_hf.data.benchmark.split import EvalSplit, open_split
from opens2v_hf.data.synthetic.eval_layout import write_eval, write_generated
from opens2v_hf.evaluation.output import Output
from opens2v_hf.evaluation.passes import plan_passes
from opens2v_hf.evaluation.run import MetricPass, Run
from opens2v_hf.evaluation.scoring import score_passes
from opens2v_hf.evaluation.videos import find_videos
from opens2v_hf.metrics.apply import MetricTask
from opens2v_hf.metrics.registry import load_tasks
from opens2v_hf.models.roles import ModelChoice
from opens2v_hf.results.result import RunResult
from opens2v_hf.video.clip import Clip

SPLIT = "open-domain"
METRICS = ("gmescore", "nexusscore", "naturalscore", "aesthetics", "motion_amplitude")
ROOT = Path(__file__).resolve().parents[1]


def run_of(root: Path, split: EvalSplit) -> Run:
    found = find_videos(str(root / "videos"), [sample.id for sample in split.samples])
    return Run(found, split.samples, "perfect", SPLIT, split.provenance)


def scored(run: Run, tasks: Sequence[MetricTask], out: Path) -> RunResult:
    names = [task.metric.name for task in tasks]
    return score_passes(run, [MetricPass(tuple(names), lambda: tasks)], names, output=Output(out, SPLIT))


def bare(run: Run, tasks: Sequence[MetricTask]) -> dict[tuple[str, str], float | None]:
    """The shortest code that gives the same numbers."""
    values = {}
    for sample in run.samples_with_video:
        applying = [task for task in tasks if task.metric.name in sample.metrics]
        # a metric of all frames comes first, so that one decode serves all metrics, as in the runner
        applying.sort(key=lambda task: not task.metric.sampling.is_every)
        clip = Clip(run.found.fetch[sample.id](), rules=[task.metric.sampling for task in applying])
        for task in applying:
            values[sample.id, task.metric.name] = task.metric.score(clip, task.reference(sample)).value
    return values


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Wall and processor seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def overhead(root: Path, rounds: int) -> None:
    split = open_split(SPLIT, data_dir=str(root / "benchmark"))
    run = run_of(root, split)
    tasks = load_tasks(METRICS, split, embedded=True)
    with tempfile.TemporaryDirectory() as folder:
        result = scored(run, tasks, Path(folder) / "first")
        for (sample_id, name), value in bare(run, tasks).items():
            if result.metric(name).scores[sample_id].value != value:
                raise SystemExit(f"the two sides do not compute the same for {name} of {sample_id}")
        outs = (Path(folder) / str(number) for number in range(rounds))
        times = [
            (timed(lambda: bare(run, tasks)), timed(lambda: scored(run, tasks, next(outs)))) for _ in range(rounds)
        ]
    (plain_wall, plain_cpu), (runner_wall, runner_cpu) = (
        (min(wall for wall, _ in side), min(cpu for _, cpu in side)) for side in zip(*times, strict=True)
    )
    print(f"overhead    {len(run.samples_with_video)} videos, {len(METRICS)} metrics, best of {rounds} rounds")
    print(f"  bare      {plain_wall:.2f} s wall, {plain_cpu:.2f} s of processor")
    print(f"  runner    {runner_wall:.2f} s wall, {runner_cpu:.2f} s of processor")
    note("the resumable runner, by processor time", "bare calls of its metrics", plain_cpu / runner_cpu, goal=1 / 1.1)
    print(f"  ratio     {runner_wall / plain_wall:.3f} by the wall, {runner_cpu / plain_cpu:.3f} by the processor")


def worker(root: Path, out: Path) -> None:
    """One process of the comparison; prints its seconds."""
    split = open_split(SPLIT, data_dir=str(root / "benchmark"))
    run = run_of(root, split)
    tasks = load_tasks(METRICS, split, embedded=True)
    warm = Clip(run.found.fetch[run.samples_with_video[0].id](), rules=[task.metric.sampling for task in tasks])
    for task in tasks:
        if task.metric.name in run.samples_with_video[0].metrics:
            task.metric.score(warm, task.reference(run.samples_with_video[0]))
    # the clock starts when all processes have loaded their models
    (out / f"ready {os.environ.get('RANK', '0')}").touch()
    while len(list(out.glob("ready *"))) < launch.num_processes():
        time.sleep(0.01)
    wall, cpu = timed(lambda: scored(run, tasks, out / "out"))
    print(json.dumps({"wall": wall, "cpu": cpu}))


def launched(root: Path, out: Path, count: int) -> tuple[float, float]:
    """Wall seconds of the main process, and processor seconds of all together."""
    out.mkdir()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = str(listener.getsockname()[1])
    group = {"WORLD_SIZE": str(count), "LOCAL_WORLD_SIZE": str(count), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    started = [
        subprocess.Popen(
            [sys.executable, __file__, "--worker", str(root), str(out)],
            env={**os.environ, "OMP_NUM_THREADS": "1", **group, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )
        for rank in range(count)
    ]  # fmt: skip
    reports = [json.loads(process.communicate()[0].splitlines()[-1]) for process in started]
    return reports[0]["wall"], sum(seconds["cpu"] for seconds in reports)


def processes(root: Path, rounds: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        times = [
            [launched(root, Path(folder) / f"{number} {count}", count) for count in (1, 2)] for number in range(rounds)
        ]
    (one_wall, one_cpu), (two_wall, two_cpu) = (
        (min(wall for wall, _ in side), min(cpu for _, cpu in side)) for side in zip(*times, strict=True)
    )
    print(f"processes   one thread each, best of {rounds} rounds")
    print(f"  one       {one_wall:.2f} s wall, {one_cpu:.2f} s of processor")
    print(f"  two       {two_wall:.2f} s wall, {two_cpu:.2f} s of processor together")
    note("two processes, by the clock", "one process", one_wall / two_wall, goal=1.8)
    note("two processes, by processor time", "one process", 2 * one_cpu / two_cpu, goal=1.8)
    print(f"  ratio     {one_wall / two_wall:.2f} by the wall, {2 * one_cpu / two_cpu:.2f} by the processor")


def hungry(root: Path, how: str) -> None:
    """Score one video with an embedder and a judge; prints the peak of memory above that of the imports."""
    split = open_split(SPLIT, data_dir=str(root / "benchmark"))
    run = run_of(root, split)
    run = replace(run, found=replace(run.found, fetch=dict(list(run.found.fetch.items())[:1])))
    choices = {role: ModelChoice(root / role, {"device": "cpu"}) for role in ("embedder", "judge")}
    names = ("gmescore", "naturalscore")
    memory: Any = how
    before = peak_mb()
    passes = plan_passes(names, split, models=choices, options={"gmescore": {"num_frames": 2}}, memory=memory)
    score_passes(run, passes, names)
    print(peak_mb() - before)


def peak_mb() -> float:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    if found is None:
        raise SystemExit("/proc/self/status must have VmHWM, the peak of memory; run it on Linux")
    return int(found[1]) / 1000


def memory(root: Path) -> None:
    sys.path.insert(0, str(ROOT / "tests"))
    from helpers.tiny_qwen2vl import save_wide_qwen2vl

    for role in ("embedder", "judge"):
        save_wide_qwen2vl(root / role, 512)  # some 330 MB
    weights = [path.stat().st_size / 1e6 for path in root.glob("*/model.safetensors")]
    peaks = {}
    for how in ("keep", "low"):
        printed = subprocess.run(
            [sys.executable, __file__, "--hungry", str(root), how],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True,
        ).stdout  # fmt: skip
        peaks[how] = float(printed.splitlines()[-1])
    print(f"memory      peak above the imports; two models of {weights[0]:.0f} MB")
    print(f"  keep      {peaks['keep']:.0f} MB")
    print(f"  low       {peaks['low']:.0f} MB")
    print(f"  ratio     {peaks['keep'] / peaks['low']:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--per-category", type=int, default=3, help="videos of each of the eight categories")
    parser.add_argument("--rounds", type=int, default=3)
    parts = ("overhead", "processes", "memory")
    parser.add_argument("--only", nargs="+", choices=parts, default=parts)
    parser.add_argument("--worker", nargs=2, metavar=("FOLDER", "OUT"), help=argparse.SUPPRESS)
    parser.add_argument("--hungry", nargs=2, metavar=("FOLDER", "HOW"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        worker(*map(Path, arguments.worker))
        return
    if arguments.hungry:
        hungry(Path(arguments.hungry[0]), arguments.hungry[1])
        return
    print(f"{torch.get_num_threads()} threads, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_eval(root / "benchmark", per_category=arguments.per_category)
        write_generated(root / "videos", "perfect", per_category=arguments.per_category)
        if "overhead" in arguments.only:
            overhead(root, arguments.rounds)
        if "processes" in arguments.only:
            processes(root, arguments.rounds)
        if "memory" in arguments.only:
            memory(root)


if __name__ == "__main__":
    main()
