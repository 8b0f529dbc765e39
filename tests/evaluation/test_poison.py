"""A video that crashes or hangs the process does not affect the others."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest
from helpers.fault_run import BROKEN, RULES, SPLIT, Runs, clear_log, logged, result_bytes, score, write_videos

POISON = "singleobj_3"
VIDEOS = (BROKEN, POISON, "humanobj_1")
OTHERS = {("humanobj_1", name) for name in RULES}


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_videos(tmp_path_factory.mktemp("poison") / "videos", ids=VIDEOS)


def job_of(videos: Path, out: Path, how: str, **more: Any) -> dict[str, Any]:
    job = {"videos": str(videos), "out": str(out), "memory": "keep", "pause_s": 0.0}
    return job | {"poison": {"how": how, "id": POISON, **more}}


def reasons(out: Path) -> set[str]:
    """Reasons of the units of the video that disturbs the process."""
    metrics = json.loads((out / f"{SPLIT}.json").read_text())["metrics"]
    assert {metric["scores"][POISON]["status"] for metric in metrics.values()} == {"failed"}
    return {metric["scores"][POISON]["reason"] for metric in metrics.values()}


@pytest.mark.parametrize(
    ("how", "code", "words"),
    [
        ("abort", -signal.SIGABRT, "the process crashed (Aborted)"),
        ("kill", -signal.SIGKILL, "reading it ends a process by signal 9"),  # as the system does where memory is out
        ("exit", 7, "reading it ends a process with exit code 7"),
    ],
)
def test_a_video_that_ended_the_process_twice_is_skipped(
    videos: Path, tmp_path: Path, runs: Runs, how: str, code: int, words: str
) -> None:
    out = tmp_path / "out"
    job = job_of(videos, out, how)
    clear_log(videos)
    assert runs.run(job) == code
    assert runs.run(job) == code
    assert runs.run(job) == 0
    (reason,) = reasons(out)
    assert f"{POISON}.mp4 is skipped: work on it has ended more than once" in reason
    assert words in reason
    times = logged(videos)
    assert {unit for unit in times if unit[0] != POISON} == OTHERS
    assert max(times[unit] for unit in OTHERS) == 1
    assert sum(count for (id_, _), count in times.items() if id_ == POISON) == 2

    before = result_bytes(out)
    assert runs.run(job) == 0
    assert result_bytes(out) == before

    # retried on demand, and scored when the decoder has been mended
    assert runs.run({**job, "retry_failed": True}) == code
    score(videos, out, retry_failed=True)
    score(videos, tmp_path / "undisturbed")
    assert result_bytes(out) == result_bytes(tmp_path / "undisturbed")


def test_a_video_that_hangs_fails_and_the_run_continues(videos: Path, tmp_path: Path, runs: Runs) -> None:
    out = tmp_path / "out"
    job = job_of(videos, out, "hang", limit_s=1.0)
    for _ in range(2):
        assert runs.run(job) == 0
        assert reasons(out) == {
            f"{POISON}.mp4 was not finished within 1 s; check the file, or allow more time",
        }
    assert runs.run(job) == 0
    (reason,) = reasons(out)
    assert "has ended more than once without a result (it took more than 1 s)" in reason
    score(videos, out, retry_failed=True)
    score(videos, tmp_path / "undisturbed")
    assert result_bytes(out) == result_bytes(tmp_path / "undisturbed")


def test_a_video_that_exhausts_memory_fails_and_the_run_continues(videos: Path, tmp_path: Path, runs: Runs) -> None:
    out = tmp_path / "out"
    assert runs.run(job_of(videos, out, "memory")) == 0
    for reason in reasons(out):
        assert "there is not enough memory" in reason
    score(videos, out)  # is tried again by the next run
    score(videos, tmp_path / "undisturbed")
    assert result_bytes(out) == result_bytes(tmp_path / "undisturbed")


def test_kills_from_outside_skip_no_video(videos: Path, tmp_path: Path, runs: Runs) -> None:
    out = tmp_path / "out"
    job = {"videos": str(videos), "out": str(out), "memory": "keep", "pause_s": 0.0}
    for _ in range(4):
        assert runs.run({**job, "kill": {"at": "write", "count": 3, "bytes": 0}}) == -signal.SIGKILL
    assert runs.run(job) == 0
    score(videos, tmp_path / "undisturbed")
    assert result_bytes(out) == result_bytes(tmp_path / "undisturbed")


def test_interrupts_suspect_no_video(videos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"

    def interrupt(name: str, clip: Any) -> None:
        raise KeyboardInterrupt

    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            score(videos, out, hook=interrupt)
    text = "".join(path.read_text() for path in out.glob("*.journal/*.jsonl"))
    # in each run the broken video and the one that is interrupted
    assert text.count('"kind":"begun"') == text.count('"kind":"ended"') == 6
    assert not list(out.glob("*.journal/*.crash"))
