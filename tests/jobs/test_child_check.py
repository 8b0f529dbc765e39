from __future__ import annotations

import faulthandler
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from opens2v_hf.jobs.child_check import fault_of_child
from opens2v_hf.jobs.lock import only_run

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux forks the child")


def end_by(number: int) -> Callable[[], None]:
    return lambda: os.kill(os.getpid(), number)


@pytest.mark.parametrize(
    ("check", "words"),
    [
        (lambda: None, ""),
        (lambda: 1 / 0, ""),
        (lambda: sys.exit(3), ""),  # an exception
        (lambda: os._exit(0), "reading it ends a process with exit code 0"),
        (lambda: os._exit(3), "reading it ends a process with exit code 3"),
        (end_by(signal.SIGKILL), "reading it ends a process by signal 9"),
        (end_by(signal.SIGSEGV), "reading it ends a process by signal 11"),
        (end_by(signal.SIGTERM), ""),  # somebody ends all processes of the run
        (end_by(signal.SIGINT), ""),
    ],
)
def test_how_a_check_ends(check: Callable[[], None], words: str) -> None:
    assert fault_of_child(check, 60) == words


def test_a_check_that_takes_too_long_is_killed() -> None:
    assert fault_of_child(lambda: time.sleep(3600), 0.1) == ""


def test_no_process_for_the_check_says_nothing_of_the_input(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> int:
        raise BlockingIOError("no process is left")

    monkeypatch.setattr(os, "fork", refuse)
    assert fault_of_child(lambda: os._exit(3), 60) == ""


def test_a_crash_of_the_check_leaves_no_trace_of_a_crash_of_this_process(tmp_path: Path) -> None:
    was_enabled = faulthandler.is_enabled()
    with (tmp_path / "run.crash").open("wb") as trace:
        faulthandler.enable(trace)
        try:
            assert fault_of_child(os.abort, 60)
        finally:
            faulthandler.enable() if was_enabled else faulthandler.disable()
    assert (tmp_path / "run.crash").read_bytes() == b""


SLOW_FORK = """
import os, sys, time
os.register_at_fork(after_in_child=lambda: time.sleep(0.3))  # before that of the lock: there is no free core
"""
RUN = """
import os, sys, time
from opens2v_hf.jobs.child_check import fault_of_child
from opens2v_hf.jobs.lock import only_run

def check():
    os.write(1, b"checks\\n")
    time.sleep(3600)

with only_run(sys.argv[1]):
    os.register_at_fork(after_in_parent=lambda: os.write(1, b"forked\\n"))
    fault_of_child(check, 3600)
"""


@pytest.mark.parametrize(("code", "until"), [(RUN, "checks\n"), (SLOW_FORK + RUN, "forked\n")])
def test_the_child_of_a_killed_run_ends_with_it_and_the_next_run_begins(tmp_path: Path, code: str, until: str) -> None:
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        try:
            while run.stdout.readline() != until:
                assert run.poll() is None
        finally:
            run.kill()
        run.wait()
        with only_run(tmp_path):
            pass
        run.stdout.read()  # until no process has it open
