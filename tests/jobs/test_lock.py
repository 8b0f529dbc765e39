from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from opens2v_hf.errors import ResultError
from opens2v_hf.jobs.lock import only_run

HOLD = """
import sys
from opens2v_hf.jobs.lock import only_run
with only_run(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_the_second_run_is_refused_with_the_first_ones_name(tmp_path: Path) -> None:
    refused = pytest.raises(ResultError, match=rf"another run \(process {os.getpid()} on .*choose another")
    with only_run(tmp_path), refused, only_run(tmp_path):
        raise AssertionError("two at once")
    with only_run(tmp_path):
        assert (tmp_path / "lock").exists()


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(ResultError, match=f"process {process.pid} "), only_run(tmp_path):
            raise AssertionError("two at once")
        process.send_signal(signal.SIGKILL)
        process.wait()
        with only_run(tmp_path):
            assert str(os.getpid()) in (tmp_path / "holder.json").read_text()
    finally:
        process.kill()
        process.communicate()


def test_a_lock_folder_that_cannot_be_created_raises(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ResultError, match="cannot lock"), only_run(tmp_path / "file" / "inside"):
        raise AssertionError("no folder can be made in a file")
