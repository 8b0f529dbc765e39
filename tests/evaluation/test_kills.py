"""Runs that are killed at any moment resume to the same bytes as an undisturbed run."""

from __future__ import annotations

import random
import signal
from pathlib import Path
from typing import Any

import pytest
from helpers.fault_run import BROKEN, SCORABLE, Runs, clear_log, logged, result_bytes, score, write_videos

PAUSE_S = 0.002
SOME_MOMENT_S = 0.2  # a whole run takes about as long
VIDEOS = ("singleobj_1", BROKEN, "humanobj_1")
UNITS = {unit for unit in SCORABLE if unit[0] in VIDEOS}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kills")


@pytest.fixture(scope="module")
def videos(place: Path) -> Path:
    return write_videos(place / "videos", ids=VIDEOS)


@pytest.fixture(scope="module")
def undisturbed(place: Path, videos: Path) -> bytes:
    score(videos, place / "undisturbed")
    return result_bytes(place / "undisturbed")


def _some_kill(generator: random.Random) -> dict[str, Any]:
    """A moment by the clock, or a call that writes the journal, a thumbnail or the result."""
    at = generator.choices(["clock", "write", "sync", "replace"], [3, 4, 2, 1])[0]
    if at == "clock":
        return {"after_s": generator.uniform(0, SOME_MOMENT_S)}
    most = {"write": 15, "sync": 15, "replace": 4}[at]
    num_bytes = generator.choice([0, 1, 16, 17, generator.randrange(500)]) if at == "write" else generator.randrange(2)
    return {"at": at, "count": generator.randint(1, generator.choice([5, most])), "bytes": num_bytes}


@pytest.mark.timeout(3600)
def test_a_run_killed_at_any_moment_resumes_to_the_same_bytes(
    place: Path, videos: Path, undisturbed: bytes, runs: Runs, request: pytest.FixtureRequest
) -> None:
    wanted = request.config.getoption("--kills")
    generator = random.Random(11)
    killed = rounds = in_the_middle = 0
    while killed < wanted:
        out = place / f"out {rounds}"
        clear_log(videos)
        killed_here = 0
        while True:
            kill = _some_kill(generator)
            memory = generator.choice(["keep", "low"])
            job = {"videos": str(videos), "out": str(out), "memory": memory, "pause_s": PAUSE_S, "kill": kill}
            code = runs.run(job)
            if code == 0:
                break
            assert code == -signal.SIGKILL, runs.stderr.read_text()[-2000:]
            killed_here += 1
            in_the_middle += bool(list(out.glob("**/*.jsonl"))) and not (out / "open-domain.json").exists()
        assert result_bytes(out) == undisturbed
        scored = logged(videos)
        assert set(scored) == UNITS
        # each kill costs at most the one score that was under way
        assert scored.total() - len(UNITS) <= killed_here
        assert not list(out.rglob(".*"))
        killed += killed_here
        rounds += 1

        clear_log(videos)
        assert runs.run({**job, "kill": {}}) == 0
        assert result_bytes(out) == undisturbed
        assert not logged(videos)  # nothing was left to do
    assert in_the_middle > killed / 3  # most kills hit a run that had something to lose


def test_the_result_is_the_same_with_low_memory_and_without_output(
    place: Path, videos: Path, undisturbed: bytes
) -> None:
    score(videos, place / "low", memory="low")
    assert result_bytes(place / "low") == undisturbed
    score(videos, None).save(place / "unwritten" / "open-domain.json")
    assert result_bytes(place / "unwritten") == undisturbed
