"""Runs with cheap metrics that can be killed, starved and disturbed: `fault_run.py` forks one for each job on stdin.

A line of JSON is a list of jobs (see `run_job`) that run together; the answer is the exit status of each process, as
`waitpid` gives it. The forks share what is imported, so that starting a run costs next to nothing. No torch takes part.
"""

from __future__ import annotations

import gc
import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from opens2v_hf._util.retries import Retries
from opens2v_hf.data.benchmark.prompts import parse_eval_prompts
from opens2v_hf.data.benchmark.sample import EvalSample
from opens2v_hf.errors import OpenS2VError, VideoError
from opens2v_hf.evaluation.output import Output
from opens2v_hf.evaluation.run import MetricPass, Run, package_versions
from opens2v_hf.evaluation.scoring import score_passes
from opens2v_hf.evaluation.videos import find_videos
from opens2v_hf.jobs.time_limit import Limits
from opens2v_hf.metrics.apply import MetricTask
from opens2v_hf.models.info import ModelInfo
from opens2v_hf.results.result import RunResult
from opens2v_hf.scores.outcome import VideoScore
from opens2v_hf.video.clip import Clip
from opens2v_hf.video.sampling import SamplingRule, every, linspace, stride
from opens2v_hf.video.writer import write_video

SPLIT = "open-domain"
IDS = ("singleobj_1", "singleobj_2", "singleobj_3", "singleface_1", "multiobject_1", "humanobj_1")
BROKEN = "singleobj_2"
RULES: dict[str, SamplingRule] = {"gmescore": linspace(4), "naturalscore": stride(2), "motion_amplitude": every()}
UNITS = {(id_, name) for id_ in IDS for name in RULES}
SCORABLE = {(id_, name) for id_, name in UNITS if id_ != BROKEN}

Hook = Callable[[str, Clip], None]


def unhooked(name: str, clip: Clip) -> None:
    """Does nothing while a metric scores a clip."""


@dataclass
class Cheap:
    """A metric of the brightness of frames, with details that are hard for JSON."""

    name: str
    sampling: SamplingRule
    log: Path
    pause_s: float = 0.0
    options: Mapping[str, Any] = field(default_factory=lambda: {"scale": 7})
    models: tuple[ModelInfo, ...] = (ModelInfo("embedder", "cheap", "c0ffee", "float32", "cpu"),)
    caveats: tuple[str, ...] = ("a test",)
    hook: Hook = unhooked
    num_weights: int = 0

    def __post_init__(self) -> None:
        self.weights = np.ones(self.num_weights, np.uint8)

    def score(self, clip: Clip, reference: Any) -> VideoScore:
        """The name and the clip are logged before anything is done."""
        with self.log.open("a") as log:
            log.write(f"{Path(clip.name).stem} {self.name}\n")
        self.hook(self.name, clip)
        try:
            frames = np.stack(list(clip.stream())) if self.sampling.is_every else clip.frames(self.sampling)
        except VideoError as error:
            return VideoScore.failed(str(error))
        time.sleep(self.pause_s)
        means = frames.mean(axis=(1, 2, 3))
        return VideoScore.scored(
            float(np.sqrt(means.mean() + 1)) / self.options["scale"],
            "größer als ☃",
            means=tuple(float(mean) / 3 for mean in means),
            by_index={10: means[0], 2: float(means[-1])},
            none=float("nan"),
            reference=str(reference),
        )


def write_videos(folder: Path, *, seed: int = 0, ids: Sequence[str] = IDS) -> Path:
    """A video for each id; that of `BROKEN` is no video."""
    generator = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    for id_ in ids:
        frames = generator.integers(0, 256, (4, 4, 6, 3), dtype=np.uint8).repeat(8, 1).repeat(8, 2)
        write_video(folder / f"{id_}.mp4", frames, 8)
    (folder / f"{BROKEN}.mp4").write_bytes(b"this is no video")
    return folder


def samples(**prompts: str) -> list[EvalSample]:
    records = {
        id_: {
            "img_paths": ["Images/a.png"],
            "prompt": prompts.get(id_, f"prompt of {id_}"),
            "synthesis_flag": "wrong",
            "class_label": ["Cup"],
        }
        for id_ in IDS
    }
    return parse_eval_prompts(json.dumps(records), source="test", split=SPLIT)


def score(
    videos: Path,
    out: Path | None,
    *,
    memory: str = "keep",
    pause_s: float = 0.0,
    prompts: Mapping[str, str] | None = None,
    metrics: Mapping[str, Mapping[str, Any]] | None = None,
    hook: Hook = unhooked,
    retries: Retries | None = None,
    rules: Mapping[str, SamplingRule] = RULES,
    model: str = "cheap",
    limits: Limits | None = None,
    workers: int = 1,
    **output: bool,
) -> RunResult:
    """Score a folder; `metrics` holds other values of `Cheap` by metric. Scored units are logged next to the videos."""
    split = samples(**(prompts or {}))

    def load(names: tuple[str, ...]) -> list[MetricTask]:
        log = videos.parent / f"{videos.name}.log"
        return [
            MetricTask(
                Cheap(name, rules[name], log, **{"pause_s": pause_s, "hook": hook, **(metrics or {}).get(name, {})}),
                lambda sample, name=name: sample.prompt if name == "gmescore" else None,
            )
            for name in names
        ]

    names = tuple(rules)
    groups = [names] if memory == "keep" else [names[:1], names[1:]]
    found = find_videos(str(videos), [sample.id for sample in split])
    run = Run(
        found, split, model, SPLIT, {"source": "test"}, "pyav", retries or Retries(sleep=lambda seconds: None),
        limits=limits or Limits(), workers=workers,
    )  # fmt: skip
    return score_passes(
        run,
        [MetricPass(group, lambda group=group: load(group)) for group in groups],
        names,
        output=None if out is None else Output(out, SPLIT, **output),
    )


def logged(videos: Path) -> Counter[tuple[str, str]]:
    """How often each unit was scored."""
    log = videos.parent / f"{videos.name}.log"
    lines = log.read_text().splitlines() if log.exists() else []
    return Counter(tuple(line.split()) for line in lines)  # type: ignore[misc]


def clear_log(videos: Path) -> None:
    (videos.parent / f"{videos.name}.log").unlink(missing_ok=True)


def result_bytes(out: Path) -> bytes:
    """The result without its time."""
    content = (out / f"{SPLIT}.json").read_bytes()
    assert content.count(b'"created_at"') == 1
    return re.sub(rb'"created_at": "[^"]+"', b"", content)


def run_job(job: Mapping[str, Any]) -> int:
    """Do one job: `videos`, `out`, `memory`, `pause_s`, and what is to go wrong.

    `kill`: {"at": "write" | "sync" | "replace", "count": n, "bytes": k} kills the process at its n-th call of that
    function, after the first k bytes of it are written. `max_bytes` limits the size of files. `poison`: {"how":
    "abort" | "kill" | "exit" | "hang" | "memory", "id": the video that does it, "limit_s": the time limit of a video}.
    `peak`: a file that gets the rise of the peak of memory in MB, with `num_weights` bytes for each metric. `ranks`: a
    file for `fault_ranks`, which is run with the variables of `environment` instead of anything else.
    """
    if "ranks" in job:
        os.environ.update(job["environment"])
        from helpers import fault_ranks

        fault_ranks.main(Path(job["ranks"]))
        return 0
    limits = Limits()
    if "poison" in job:
        _poison(**{key: job["poison"][key] for key in ("how", "id")})
        limits = Limits(group_s=job["poison"].get("limit_s", 60.0))
    if "max_bytes" in job:
        resource.setrlimit(resource.RLIMIT_FSIZE, (job["max_bytes"], resource.RLIM_INFINITY))
    if "at" in job.get("kill", {}):
        _arm(job["kill"])
    weights = {"num_weights": job.get("num_weights", 0)}
    before = peak_mb() if "peak" in job else 0
    try:
        score(
            Path(job["videos"]), Path(job["out"]), memory=job["memory"], pause_s=job["pause_s"],
            metrics=dict.fromkeys(RULES, weights), limits=limits, retry_failed=job.get("retry_failed", False),
            workers=job.get("workers", 1),
        )  # fmt: skip
    except OpenS2VError as error:
        print(error, file=sys.stderr, flush=True)
        return 2
    if "peak" in job:
        Path(job["peak"]).write_text(str(peak_mb() - before))
    return 0


def peak_mb() -> float:
    # of this program alone, where getrusage counts what the process was before it became this program
    return int(re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[1]) / 1000  # type: ignore[index]


def _poison(how: str, id: str) -> None:
    """Let the decoder do something bad at one video."""
    from opens2v_hf.video import pyav_frames

    read = pyav_frames.read_frames

    def poisonous(source: Any, index: Any, wanted: Any) -> Iterator[np.ndarray]:
        if id in source.name:
            if how == "abort":
                os.abort()
            elif how == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            elif how == "exit":
                os._exit(7)
            elif how == "hang":
                time.sleep(3600)
            else:
                size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
                resource.setrlimit(resource.RLIMIT_AS, (size + (256 << 20), resource.RLIM_INFINITY))
                held = [np.ones(32 << 20, np.uint8) for _ in range(100)]
                raise AssertionError(f"the limit did not hold {len(held)} arrays back")
        yield from read(source, index, wanted)

    pyav_frames.read_frames = poisonous


def _arm(kill: Mapping[str, Any]) -> None:
    name = {"write": "write", "sync": "fsync", "replace": "replace"}[kill["at"]]
    real = getattr(os, name)
    calls = iter(range(1, 1 << 30))

    def deadly(*arguments: Any) -> Any:
        if next(calls) == kill["count"]:
            if kill["at"] == "write":
                real(arguments[0], arguments[1][: kill["bytes"]])
            elif kill["bytes"]:
                real(*arguments)
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*arguments)

    setattr(os, name, deadly)


class Runs:
    """Does jobs in processes of their own.

    Attributes:
        stderr: the file that gets the standard error of all jobs.
    """

    def __init__(self, process: subprocess.Popen[str], stderr: Path) -> None:
        self._process = process
        self.stderr = stderr

    def run(self, job: Mapping[str, Any]) -> int:
        """The job's exit code, or minus the signal that ended it."""
        return self.run_together([job])[0]

    def run_together(self, jobs: Sequence[Mapping[str, Any]]) -> list[int]:
        """The exit codes of jobs that run at the same time."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(list(jobs)) + "\n")
        self._process.stdin.flush()
        return [os.waitstatus_to_exitcode(int(status)) for status in self._process.stdout.readline().split()]


@contextmanager
def forked_runs(stderr: Path) -> Iterator[Runs]:
    """Start the process that forks; the standard error of the jobs goes to a file."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])}
    with (
        stderr.open("a") as said,
        subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
            env=environment,
        ) as process,
    ):
        try:
            yield Runs(process, stderr)
        finally:
            process.kill()


def serve() -> None:
    package_versions()  # is cached, and so need not be found out by each fork
    Image.preinit()  # likewise the formats of pictures
    gc.freeze()  # so that the collector of a fork does not copy the pages of what is imported
    for line in sys.stdin:
        jobs = json.loads(line)
        children = [_fork(job) for job in jobs]
        if "after_s" in jobs[0].get("kill", {}):
            time.sleep(jobs[0]["kill"]["after_s"])
            os.kill(children[0], signal.SIGKILL)  # not yet waited for, so the id is still its own
        print(*(os.waitpid(child, 0)[1] for child in children), flush=True)


def _fork(job: Mapping[str, Any]) -> int:
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = run_job(job)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    return child


if __name__ == "__main__":
    serve()
