from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from opens2v_hf.errors import ResultError
from opens2v_hf.jobs import lock
from opens2v_hf.jobs.lock import only_run

HOLD = """
import sys
from opens2v_hf.jobs.lock import only_run
with only_run(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def process_of(code: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that runs the code with the folder, from when it holds the lock; killed at the end."""
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def test_the_second_run_is_refused_with_the_first_ones_name(tmp_path: Path) -> None:
    refused = pytest.raises(ResultError, match=rf"another run \(process {os.getpid()} on .*choose another")
    with only_run(tmp_path), refused, only_run(tmp_path):
        raise AssertionError("two at once")
    with only_run(tmp_path):
        assert (tmp_path / "lock").exists()


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    with process_of(HOLD, tmp_path) as process:
        with pytest.raises(ResultError, match=f"process {process.pid} "), only_run(tmp_path):
            raise AssertionError("two at once")
        process.send_signal(signal.SIGKILL)
        process.wait()
        with only_run(tmp_path):
            assert str(os.getpid()) in (tmp_path / "holder.json").read_text()


def test_a_lock_folder_that_cannot_be_created_raises(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ResultError, match="cannot lock"), only_run(tmp_path / "file" / "inside"):
        raise AssertionError("no folder can be made in a file")


BROKEN_LOCKS = """
import sys
from opens2v_hf.jobs import lock
lock.BEAT_S = 0.05
lock.socket.gethostname = lambda: "other-host"
lock._machine = lambda: "another"
with lock.only_run(sys.argv[1]):
    print("held", flush=True)
    (lock.Path(sys.argv[1]) / "lock").unlink()  # as on a file system whose locks are of one machine
    sys.stdin.read()
"""


def test_a_run_of_another_machine_whose_lock_is_not_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "SILENCE_S", 5.0)
    with process_of(BROKEN_LOCKS, tmp_path) as process:
        with pytest.raises(ResultError, match=f"process {process.pid} on other-host"), only_run(tmp_path):
            raise AssertionError("two at once")
        process.send_signal(signal.SIGKILL)
        process.wait()
        monkeypatch.setattr(lock, "SILENCE_S", 0.2)
        with only_run(tmp_path):
            assert str(os.getpid()) in (tmp_path / "holder.json").read_text()


def test_a_killed_run_of_this_machine_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one in a container, which has another host name."""
    code = HOLD.replace("with ", "import socket; socket.gethostname = lambda: 'container'\nwith ", 1)
    with process_of(code, tmp_path):
        pass
    assert "container" in (tmp_path / "holder.json").read_text()

    def refuse(seconds: float) -> None:
        raise AssertionError(f"waited for {seconds} s")

    monkeypatch.setattr(lock.time, "sleep", refuse)
    with only_run(tmp_path):
        assert "container" not in (tmp_path / "holder.json").read_text()


def test_a_run_that_ended_leaves_no_notice(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), only_run(tmp_path):
        raise KeyboardInterrupt
    assert not (tmp_path / "holder.json").exists()


@pytest.mark.parametrize("content", ["", "[]", "{", '{"host": "other"'])
def test_a_torn_notice_is_no_run(tmp_path: Path, content: str) -> None:
    (tmp_path / "holder.json").write_text(content)
    with only_run(tmp_path):
        assert str(os.getpid()) in (tmp_path / "holder.json").read_text()
