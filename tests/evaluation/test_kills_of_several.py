"""Runs of several processes that are killed, and resumed by another number of processes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from helpers.fault_run import SCORABLE, SPLIT, Runs, clear_log, logged, result_bytes, score, write_videos

from opens2v_hf.jobs.lock import only_run


def free_port() -> str:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return str(listener.getsockname()[1])


def together(
    runs: Runs, jobs: list[dict[str, Any]], count: int, file: Path, *, port: str = "", machines: int = 1
) -> tuple[list[int], list[list[Any]]]:
    """Exit codes, and what each rank wrote (nothing if it was killed)."""
    file.write_text(json.dumps(jobs))
    group = {
        "WORLD_SIZE": str(count),
        "LOCAL_WORLD_SIZE": str(count // machines),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": port or free_port(),
    }
    ranks = [
        {"ranks": str(file), "environment": {**group, "RANK": str(rank), "LOCAL_RANK": str(rank)}}
        for rank in range(count)
    ]
    codes = runs.run_together(ranks)
    reports = [Path(f"{file}.{rank}") for rank in range(count)]
    return codes, [json.loads(path.read_text()) if path.exists() else [] for path in reports]


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_videos(tmp_path_factory.mktemp("shared") / "videos")


@pytest.fixture(scope="module")
def undisturbed(videos: Path) -> bytes:
    score(videos, videos.parent / "undisturbed")
    return result_bytes(videos.parent / "undisturbed")


def test_a_killed_run_of_two_processes_is_resumed_by_one_and_by_three(
    videos: Path, undisturbed: bytes, tmp_path: Path, runs: Runs
) -> None:
    clear_log(videos)
    job = {"videos": str(videos), "out": str(tmp_path / "two"), "die_at": [4, 3]}
    codes, _ = together(runs, [job], 2, tmp_path / "killed.json")
    assert codes == [-signal.SIGKILL] * 2, runs.stderr.read_text()[-2000:]
    before = logged(videos)
    assert before.total() == 7
    assert len(list((tmp_path / "two").glob("*.journal/*.jsonl"))) == 2
    assert not (tmp_path / "two" / f"{SPLIT}.json").exists()

    # one process resumes
    shutil.copytree(tmp_path / "two", tmp_path / "one")
    clear_log(videos)
    score(videos, tmp_path / "one")
    assert result_bytes(tmp_path / "one") == undisturbed
    assert logged(videos).total() == len(SCORABLE) - (before.total() - 2)  # the open units are done again

    # three processes resume; then the folder is locked
    clear_log(videos)
    jobs: list[dict[str, Any]] = [
        {"videos": str(videos), "out": str(tmp_path / "two")},
        {"videos": str(videos), "out": str(tmp_path / "three"), "memory": "low"},  # in two passes
        {"videos": str(videos), "out": str(tmp_path / "taken")},
    ]
    with only_run(tmp_path / "taken" / f"{SPLIT}.journal"):
        codes, written = together(runs, jobs, 3, tmp_path / "three.json")
    assert codes == [0, 0, 0], runs.stderr.read_text()[-2000:]
    resumed, anew, refused = zip(*written, strict=True)

    assert [outcome["result"].encode() == undisturbed for outcome in resumed] == [True] * 3
    assert result_bytes(tmp_path / "two") == undisturbed
    scored = [unit for outcome in resumed for unit in outcome["scored"]]
    assert len(scored) == len(set(scored)) == len(SCORABLE) - (before.total() - 2)

    assert [outcome["result"].encode() == undisturbed for outcome in anew] == [True] * 3
    scored = [unit for outcome in anew for unit in outcome["scored"]]
    assert sorted(scored) == sorted(f"{id_} {name}" for id_, name in SCORABLE)

    messages = [outcome["error"] for outcome in refused]
    assert messages[0].startswith(f"ResultError: another run (process {os.getpid()} on ")
    for message in messages[1:]:
        assert message.startswith("ProcessError: process 0 of 3 stopped: another run (process ")
    assert not any(outcome["scored"] for outcome in refused)


def test_processes_on_several_machines_share_the_output_folder_and_use_no_port(
    videos: Path, undisturbed: bytes, tmp_path: Path, runs: Runs
) -> None:
    clear_log(videos)
    out = tmp_path / "two"
    job = {"videos": str(videos), "out": str(out)}
    connections: list[Any] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        # a process that connects would wait for an answer
        threading.Thread(target=_accept, args=(listener, connections), daemon=True).start()
        port = str(listener.getsockname()[1])
        codes, _ = together(runs, [{**job, "die_at": [3, 2]}], 2, tmp_path / "killed.json", port=port, machines=2)
        assert codes == [-signal.SIGKILL] * 2, runs.stderr.read_text()[-2000:]
        # the next launch has the same port, and must not take this folder for its own
        assert len(list(out.glob("*.journal/launch-*"))) == 1
        codes, written = together(runs, [job], 2, tmp_path / "again.json", port=port, machines=2)
        assert codes == [0, 0], runs.stderr.read_text()[-2000:]
        socket.create_connection(("127.0.0.1", int(port))).close()  # this one is seen
        deadline = time.monotonic() + 600
        while not connections and time.monotonic() < deadline:
            time.sleep(0.05)
    assert len(connections) == 1
    assert [outcome[0]["result"].encode() == undisturbed for outcome in written] == [True, True]
    assert not list(out.glob("*.journal/launch-*"))


def _accept(listener: socket.socket, connections: list[Any]) -> None:
    while True:
        try:
            connections.append(listener.accept())
        except OSError:  # the listener is closed
            return
