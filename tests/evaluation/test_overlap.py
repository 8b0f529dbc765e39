"""Scoring several videos at a time gives the same bytes as one after another."""

from __future__ import annotations

import random
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from helpers.fault_run import SCORABLE, Runs, clear_log, logged, result_bytes, score, write_videos

from opens2v_hf.video.clip import Clip

NO_MODEL: dict[str, Any] = {"motion_amplitude": {"models": ()}}


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_videos(tmp_path_factory.mktemp("overlap") / "videos")


@pytest.fixture(scope="module")
def undisturbed(videos: Path) -> bytes:
    score(videos, videos.parent / "undisturbed", metrics=NO_MODEL)
    return result_bytes(videos.parent / "undisturbed")


@pytest.mark.parametrize("memory", ["keep", "low"])
@pytest.mark.parametrize("workers", [2, 8])
def test_the_result_is_the_same_and_models_are_used_by_one_video_at_a_time(
    videos: Path, undisturbed: bytes, tmp_path: Path, workers: int, memory: str
) -> None:
    inside: dict[str, int] = {"device": 0, "flow": 0}
    most = dict(inside)
    changed = threading.Condition()

    def hook(name: str, clip: Clip) -> None:
        place = "flow" if name == "motion_amplitude" else "device"
        with changed:
            inside[place] += 1
            most[place] = max(most[place], inside[place])
            changed.notify_all()
            if place == "flow":  # the first waits for a second one, however busy the machine is
                changed.wait_for(lambda: most["flow"] >= 2, timeout=600)
        time.sleep(0.03)
        with changed:
            inside[place] -= 1

    clear_log(videos)
    score(videos, tmp_path / "out", metrics=NO_MODEL, workers=workers, hook=hook, memory=memory)
    assert result_bytes(tmp_path / "out") == undisturbed
    assert dict(logged(videos)) == dict.fromkeys(SCORABLE, 1)
    assert most["device"] == 1
    assert most["flow"] >= 2


def test_ctrl_c_ends_all_threads_and_suspects_no_video(videos: Path, undisturbed: bytes, tmp_path: Path) -> None:
    out = tmp_path / "out"
    main = threading.get_ident()

    def hook(name: str, clip: Clip) -> None:
        signal.pthread_kill(main, signal.SIGINT)
        time.sleep(1)

    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        score(videos, out, metrics=NO_MODEL, workers=3, hook=hook)
    assert time.monotonic() - start < 10
    text = "".join(path.read_text() for path in out.glob("*.journal/*.jsonl"))
    assert text.count('"kind":"begun"') == text.count('"kind":"ended"') > 0
    score(videos, out, metrics=NO_MODEL, workers=3)
    assert result_bytes(out) == undisturbed


def test_killed_runs_of_several_threads_resume_to_the_same_bytes(videos: Path, tmp_path: Path, runs: Runs) -> None:
    score(videos, tmp_path / "undisturbed")
    generator = random.Random(5)
    killed = 0
    while killed < 4:
        out = tmp_path / f"out after {killed}"
        clear_log(videos)
        killed_here = 0
        while True:
            job = {"videos": str(videos), "out": str(out), "memory": "keep", "pause_s": 0.002, "workers": 3}
            kill = {"at": "write", "count": generator.randint(1, 20), "bytes": generator.choice([0, 17, 400])}
            code = runs.run({**job, "kill": kill})
            if code == 0:
                break
            assert code == -signal.SIGKILL, runs.stderr.read_text()[-2000:]
            killed_here += 1
        assert result_bytes(out) == result_bytes(tmp_path / "undisturbed")
        # each kill costs at most the units of three threads
        assert logged(videos).total() - len(SCORABLE) <= 3 * killed_here
        killed += killed_here


def test_only_the_video_that_crashed_the_process_is_skipped(videos: Path, tmp_path: Path, runs: Runs) -> None:
    out = tmp_path / "out"
    job = {"videos": str(videos), "out": str(out), "memory": "keep", "pause_s": 0.05, "workers": 3}
    job["poison"] = {"how": "abort", "id": "singleobj_3"}
    codes = []
    while not codes or codes[-1] != 0:
        codes.append(runs.run(job))
        assert len(codes) < 5
    assert codes == [-signal.SIGABRT, -signal.SIGABRT, 0]
    text = (out / "open-domain.json").read_text()
    assert text.count("is skipped") == 3  # the three metrics of that video
