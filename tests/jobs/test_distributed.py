"""Work shared by real processes, launched by accelerate and without a launcher."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from helpers.eval_folder import OPEN_IDS, write_eval_folder
from helpers.tiny_qwen2vl import save_tiny_qwen2vl
from helpers.two_processes import LAUNCH, ROOT, environment
from helpers.videos import encode, numbered_frames

from opens2v_hf.cli import main
from opens2v_hf.data.benchmark.given_sample import given_samples
from opens2v_hf.evaluation.composite import score_composite
from opens2v_hf.metrics.base import score_many
from opens2v_hf.metrics.gmescore import GmeScore
from opens2v_hf.metrics.motion_amplitude import MotionAmplitude
from opens2v_hf.models.gme import GmeEmbedder

pytestmark = pytest.mark.timeout(900)  # imports of several processes take long on a busy machine

HELPERS = ROOT / "tests" / "helpers"
LENGTHS = [40, 3, 12, 7, 25, 5]
PROMPTS = [f"a bar that moves, number {number}" for number in range(len(LENGTHS))]


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return save_tiny_qwen2vl(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def videos(tmp_path_factory) -> list[Path]:
    folder = tmp_path_factory.mktemp("videos")
    return [encode(folder / f"{count}.mp4", numbered_frames(count)) for count in LENGTHS]


@pytest.fixture(scope="module")
def single(model, videos) -> dict[str, Any]:
    """The answer of a single process."""
    metric = GmeScore(GmeEmbedder.from_pretrained(model, device="cpu"), num_frames=4)
    return score_many(metric, videos, PROMPTS, details=True)


@dataclass
class Launch:
    """Two processes that first do all jobs, and then score `videos` until one of them is killed."""

    launcher: subprocess.Popen[bytes]
    folder: Path
    held: list[str]

    def wait_for(self, reached: Callable[[], bool]) -> None:
        while not reached():
            assert self.launcher.poll() is None, self.said()[-4000:]
            time.sleep(0.05)

    def said(self) -> str:
        return (self.folder / "said.txt").read_text()


@pytest.fixture(scope="module")
def launch(tmp_path_factory, model, videos) -> Iterator[Launch]:
    folder = tmp_path_factory.mktemp("launch")
    benchmark = write_eval_folder(folder / "benchmark")
    words = {}
    for name, out in (("own", folder / "out"), ("videos", folder / "held")):
        (folder / name).mkdir()
        for id_, video in zip(OPEN_IDS, videos, strict=False):
            (folder / name / f"{id_}.mp4").write_bytes(video.read_bytes())
        words[name] = [
            "score", str(folder / name), "--data-dir", str(benchmark), "--metrics", "gmescore",
            "--embedder", str(model), "--num-frames", "2", "--out", str(out),
        ]  # fmt: skip
    jobs = {
        "module": str(ROOT / "metrics" / "gmescore"),
        "videos": [str(video) for video in videos],
        "prompts": PROMPTS,
        "arguments": {"embedder": str(model), "num_frames": 4, "device": "cpu", "details": True},
        "command": words["own"],
        "held": words["videos"],
    }
    (folder / "jobs.json").write_text(json.dumps(jobs))
    with (folder / "said.txt").open("w") as stderr:
        launcher = subprocess.Popen(
            [*LAUNCH, str(HELPERS / "launched.py"), str(folder)],
            env=environment(HF_HOME=str(folder / "hf")), stderr=stderr, start_new_session=True,
        )  # fmt: skip
    watchdog = threading.Timer(600, os.killpg, (launcher.pid, signal.SIGKILL))
    watchdog.start()
    try:
        yield Launch(launcher, folder, words["videos"])
    finally:
        watchdog.cancel()
        if launcher.poll() is None:  # the test that kills one of its processes was not run, or failed
            os.killpg(launcher.pid, signal.SIGKILL)
            launcher.wait()


@pytest.fixture(scope="module")
def reports(launch) -> list[dict[str, Any]]:
    """The reports of both processes, with the standard error and the result."""
    files = [launch.folder / f"{rank}.json" for rank in range(2)]
    launch.wait_for(lambda: all(file.exists() for file in files))
    found = [json.loads(file.read_text()) for file in files]
    found[0]["stderr"] = launch.said()
    found[0]["result"] = json.loads((launch.folder / "out" / "open-domain.json").read_text())
    return found


def test_both_processes_get_the_answer_of_a_single_one(reports, single):
    for report in reports:
        answer = report["all"]["answer"]
        assert answer["scores"] == pytest.approx(single["scores"], abs=1e-6)
        assert answer["gmescore"] == pytest.approx(single["gmescore"], abs=1e-6)
        assert [details["frame_indices"] for details in answer["details"]] == [
            details["frame_indices"] for details in single["details"]
        ]
        same = set(single) - {"scores", "gmescore", "details", "summary"}
        assert {key: answer[key] for key in same} == {key: single[key] for key in same}
    assert reports[0]["all"]["answer"] == reports[1]["all"]["answer"]


def test_every_video_is_scored_once_and_the_model_loaded_once_a_process(reports):
    parts = [report["all"]["scored"] for report in reports]
    assert sorted(parts[0] + parts[1]) == sorted(f"{count}.mp4" for count in LENGTHS)
    # once for all computations of the module, once for the command
    assert [len(report["loaded"]) for report in reports] == [2, 2]


def test_the_composite_module_shares_the_videos(reports, videos):
    parts = [report["composite"] for report in reports]
    assert sorted(parts[0]["scored"] + parts[1]["scored"]) == sorted(video.name for video in videos)
    samples = given_samples(PROMPTS, split="open-domain")
    single = score_composite([MotionAmplitude()], list(map(str, videos)), samples, distributed=False)
    assert parts[0]["answer"] == parts[1]["answer"] == json.loads(json.dumps(single))


def test_a_process_may_have_nothing_to_do(reports, single):
    assert sorted(report["one"]["scored"] for report in reports) == [[], ["40.mp4"]]
    assert [report["one"]["answer"]["scores"] for report in reports] == [pytest.approx(single["scores"][:1])] * 2


def test_an_error_in_one_process_is_raised_in_all_with_its_video(reports):
    messages = [report["raises"]["error"] for report in reports]
    culprit = next(rank for rank in range(2) if "5.mp4" in reports[rank]["raises"]["scored"])
    assert messages[0] == messages[1]
    assert messages[0].startswith(f"ProcessError: process {culprit} of 2 failed at ")
    assert "/5.mp4: ModelError: the weights are gone" in messages[0]


def test_different_work_in_each_process_is_refused(reports):
    for report in reports:
        assert "was given other videos, references or settings" in report["differs"]["error"]


def test_each_process_can_compute_for_itself(reports, single):
    for report in reports:
        assert report["alone"]["scored"] == ["40.mp4"]
        assert report["alone"]["answer"]["scores"] == pytest.approx(single["scores"][:1])


def test_only_the_main_process_prints_and_writes(reports):
    assert [report["command"]["code"] for report in reports] == [0, 0]
    assert "gmescore" in reports[0]["command"]["printed"].lower()
    assert reports[1]["command"]["printed"] == ""
    assert list(reports[0]["result"]["metrics"]["gmescore"]["scores"]) == OPEN_IDS
    lines = reports[0]["stderr"].splitlines()
    assert lines.count("own, open-domain: 4 of 4 scored, 0 taken from the journal") == 1


def test_a_killed_process_ends_the_run(launch, capsys):
    out = launch.folder / "held"
    launch.wait_for(lambda: num_kept(out) >= 2)  # one of each process
    process_of_rank(launch.launcher.pid, "1").send_signal(signal.SIGKILL)
    killed_at = time.monotonic()
    code = launch.launcher.wait()
    seconds = time.monotonic() - killed_at
    said = launch.said()
    assert code != 0, said
    assert seconds < 120
    # whichever comes first: the launcher's signal, or the check of the other process
    assert re.search(r"opens2v score: process (0 of 2 received SIGTERM|1 of 2 died at \w+\.mp4)", said), said
    assert "Signal 9 (SIGKILL)" in said
    assert not (out / "open-domain.json").exists()
    assert num_kept(out) == 2
    assert main(launch.held) == 0
    assert ", open-domain: 4 of 4 scored, 2 taken from the journal" in capsys.readouterr().err


def num_kept(out: Path) -> int:
    return sum(path.read_text().count('"metric":"gmescore"') for path in out.glob("**/*.jsonl"))


def process_of_rank(launcher: int, rank: str) -> psutil.Process:
    return next(
        child for child in psutil.Process(launcher).children(recursive=True) if child.environ().get("RANK") == rank
    )


def test_without_a_launcher_a_failure_is_reported_by_all_processes(tmp_path):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = str(listener.getsockname()[1])
    group = {"WORLD_SIZE": "3", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "LOCAL_WORLD_SIZE": "3"}
    started = [
        subprocess.Popen(
            [sys.executable, str(HELPERS / "unlaunched.py"), str(tmp_path)],
            env=environment(RANK=str(rank), LOCAL_RANK=str(rank), **group),
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(3)
    ]
    try:
        said = [process.communicate(timeout=600)[1] for process in started]
    finally:
        for process in started:
            process.kill()
    assert [process.returncode for process in started] == [0, -signal.SIGKILL, -signal.SIGKILL], said
    found = json.loads((tmp_path / "found.json").read_text())
    late = [json.loads((tmp_path / f"late {rank}.json").read_text()) for rank in range(3)]
    assert late[1]["message"] == late[2]["message"] == late[0]["message"]
    assert late[0]["message"].startswith("process 0 of 3 failed at a: ArgumentError: a cannot be used")
    assert found["large"]["same"]
    assert found["stuck"]["message"].startswith("process 1 of 3 hangs at ")
    assert found["killed_when_done"]["found"] == ["a", "b", "c"]  # its records are complete
    assert found["killed"]["message"].startswith("process 1 of 3 died at ")
    assert "process 1 of 3 has not joined the work within" in found["absent"]["message"]
    assert "distributed=False" in found["absent"]["message"]
    assert "of 3 has not joined the work yet" in said[0]
