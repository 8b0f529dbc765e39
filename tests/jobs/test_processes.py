from __future__ import annotations

import errno
import itertools
import json
import os
import tempfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opens2v_hf.errors import ProcessError, ResultError
from opens2v_hf.jobs import launched
from opens2v_hf.jobs.processes import costliest_first, joined
from opens2v_hf.jobs.time_limit import Limits


@given(st.lists(st.integers(0, 50), max_size=6), st.integers(1, 3))
def test_costliest_first_stays_within_the_bound_of_graham(costs, num_processes):
    busy_until = [0] * num_processes
    for position in costliest_first(costs):
        busy_until[busy_until.index(min(busy_until))] += costs[position]

    # Graham 1969: longest processing time first stays within 4/3 - 1/(3m) of the best
    def longest(places: tuple[int, ...]) -> int:
        return max(
            sum(cost for cost, place in zip(costs, places, strict=True) if place == process)
            for process in range(num_processes)
        )

    best = min(longest(places) for places in itertools.product(range(num_processes), repeat=len(costs)))
    assert max(busy_until) <= (4 / 3 - 1 / (3 * num_processes)) * best + 1e-9


def test_a_single_process_does_all_in_order():
    shown = []

    def unasked() -> list[int]:
        raise AssertionError("a single process must not compare its work")

    with joined(unasked, lambda done, failed: shown.append((done, failed))) as processes:
        assert (processes.rank, processes.count, processes.folder) == (0, 1, None)
        assert list(processes.claim("0", [2, 0, 1])) == [2, 0, 1]
        processes.report(3, 1, "a video")
        processes.finish()
    assert shown == [(3, 1)]


def test_a_folder_that_others_can_write_is_not_used(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path))
    for name, value in {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "RANK": "1", "LOCAL_RANK": "1"}.items():
        monkeypatch.setenv(name, value)
    (tmp_path / f"opens2v-{os.getuid()}").mkdir()
    (tmp_path / f"opens2v-{os.getuid()}").chmod(0o777)
    with pytest.raises(ProcessError, match="only this user"), joined(list, lambda done, failed: None):
        pytest.fail("it went on")


def test_several_machines_need_a_folder_that_all_see(monkeypatch, tmp_path):
    for name, value in {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "1", "RANK": "1", "LOCAL_RANK": "0"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ProcessError, match="OPENS2V_SHARED_FOLDER"), joined(list, lambda done, failed: None):
        pytest.fail("it went on")
    limits = Limits(arrival_s=0.2)
    with (
        pytest.raises(ProcessError, match="process 0 of 2 has not joined") as caught,
        joined(list, lambda done, failed: None, folder=tmp_path, limits=limits),
    ):
        pytest.fail("it went on")
    assert f"they must share {tmp_path}" in str(caught.value)


def test_a_damaged_or_unreadable_file_of_a_launch_is_ignored(monkeypatch, tmp_path):
    for name, value in {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "1", "RANK": "1", "LOCAL_RANK": "0"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(launched, "_SESSIONS", itertools.repeat(0))  # so that both calls give one folder
    folder = launched.launch_folder(tmp_path)
    folder.mkdir()
    for content in ("{", "[]", "{}", None):
        if content is None:  # a file that cannot be read
            (folder / "launch.json").unlink()
            (folder / "launch.json").mkdir()
        else:
            (folder / "launch.json").write_text(content)
        with (
            pytest.raises(ProcessError, match="process 0 of 2 has not joined"),
            joined(list, lambda done, failed: None, folder=tmp_path, limits=Limits(arrival_s=0.1)),
        ):
            pytest.fail("it went on")


def test_a_state_that_cannot_be_read_counts_as_unchanged(monkeypatch, tmp_path):
    for name, value in {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "RANK": "0", "LOCAL_RANK": "0"}.items():
        monkeypatch.setenv(name, value)
    shown: list[tuple[int, int]] = []
    process = launched.LaunchedProcess(tmp_path / "launch", [], lambda *counts: shown.append(counts), Limits(), "")
    process.join()
    other = {"settings": process._own.settings, "done": 3, "finished": True}
    (process.folder / "1.json").write_text(json.dumps(other))
    process.report(1, 0, "a video")
    (process.folder / "1.json").write_text('{"done"')
    process.report(2, 0, "a video")
    process.leave(None)
    assert shown == [(4, 0), (5, 0)]


def test_a_process_that_dies_right_after_it_began_an_item_is_named_with_it(monkeypatch, tmp_path):
    for name, value in {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "1", "RANK": "0", "LOCAL_RANK": "0"}.items():
        monkeypatch.setenv(name, value)
    process = launched.LaunchedProcess(tmp_path / "launch", [], lambda done, failed: None, Limits(), "")
    process.join()
    other = {"settings": process._own.settings}
    (process.folder / "1.json").write_text(json.dumps(other))

    def begins_an_item_and_dies(lock):
        (process.folder / "1.json").write_text(json.dumps({**other, "at": "b.mp4"}))
        return False

    monkeypatch.setattr(launched, "_is_held", begins_an_item_and_dies)
    with pytest.raises(ProcessError, match=r"process 1 of 2 died at b\.mp4"):
        process.report(1, 0, "a.mp4")


@pytest.mark.parametrize(("published", "where"), [({"settings": {}, "at": "b.mp4"}, " at b.mp4"), (None, "")])
def test_a_main_process_that_died_before_others_joined_is_named_with_its_item(monkeypatch, tmp_path, published, where):
    for name, value in {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "RANK": "1", "LOCAL_RANK": "1"}.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "run" / "launch").mkdir(parents=True)
    (tmp_path / "run" / "launch.json").write_text(json.dumps({"launch": "launch"}))
    if published is not None:
        (tmp_path / "run" / "launch" / "0.json").write_text(json.dumps(published))
    process = launched.LaunchedProcess(tmp_path / "run", [], lambda done, failed: None, Limits(), "it goes on")
    with pytest.raises(ProcessError) as died:
        process.join()
    assert str(died.value) == f"process 0 of 2 died{where}; it goes on"


def test_a_full_disk_ends_the_run_with_an_error_of_the_user(monkeypatch, tmp_path):
    for name, value in {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "1", "RANK": "0", "LOCAL_RANK": "0"}.items():
        monkeypatch.setenv(name, value)

    def full(source, target):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "replace", full)
    with (
        pytest.raises(ResultError, match=r"launch\.json: No space left on device; free some space"),
        joined(list, lambda done, failed: None, folder=tmp_path),
    ):
        pytest.fail("it went on")
