from __future__ import annotations

import threading
import time

import pytest

from opens2v_hf.jobs.overlap import Shared, StoppedError, default_workers, overlapped


def test_memory_is_bounded_and_a_larger_item_runs_alone():
    shared = Shared(max_bytes=10)
    used = most = 0
    lock = threading.Lock()

    def use(num_bytes: int) -> int:
        nonlocal used, most
        with shared.memory(num_bytes):
            with lock:
                used += num_bytes
                most = max(most, used)
            time.sleep(0.02)
            with lock:
                used -= num_bytes
        return num_bytes

    wanted = [4, 4, 4, 25, 4, 4]
    found = list(overlapped(use, wanted, workers=6, shared=shared, begin=lambda item: None))
    assert sorted(result for _, result in found) == sorted(wanted)
    assert most == 25  # by itself; and else 8 of 10


def test_a_resource_is_used_by_one_item_at_a_time():
    shared = Shared()
    inside: list[str] = []
    seen: list[int] = []

    def use(name: str) -> None:
        with shared.alone_with(name):
            inside.append(name)
            seen.append(inside.count("device"))
            time.sleep(0.02)
            inside.remove(name)

    list(overlapped(use, ["device", "", "device", "", "device"], workers=5, shared=shared, begin=lambda item: None))
    assert max(seen) == 1


def test_an_error_stops_the_others():
    shared = Shared()
    stopped: list[int] = []
    all_began = threading.Barrier(3, timeout=600)

    def work(item: int) -> None:
        all_began.wait()
        if item == 0:
            raise KeyError(item)
        try:
            while True:
                shared.check()
                time.sleep(0.01)
        except StoppedError:
            stopped.append(item)
            raise

    with pytest.raises(KeyError):
        list(overlapped(work, range(9), workers=3, shared=shared, begin=lambda item: None))
    assert sorted(stopped) == [1, 2]


def test_launched_processes_divide_the_cores(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(6)), raising=False)
    assert default_workers() == 6
    for name, value in {"WORLD_SIZE": "4", "LOCAL_WORLD_SIZE": "4", "RANK": "1", "LOCAL_RANK": "1"}.items():
        monkeypatch.setenv(name, value)
    assert default_workers() == 1
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(480)), raising=False)
    assert default_workers() == 16
