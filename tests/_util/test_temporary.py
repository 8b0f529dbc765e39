import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from opens2v_hf._util.temporary import TemporaryFolder

KILLED = """
import os, signal
from opens2v_hf._util.temporary import TemporaryFolder
folder = TemporaryFolder("test")
(folder.path / "video.mp4").write_bytes(b"x")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_folder_of_a_killed_process_is_removed_and_that_of_a_running_one_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    subprocess.run([sys.executable, "-c", KILLED], env={**os.environ, "TMPDIR": str(tmp_path)}, check=False)
    (left,) = tmp_path.glob("*/video.mp4")
    running = TemporaryFolder("test")
    assert not left.parent.exists()
    other = TemporaryFolder("test")
    assert running.path.is_dir()
    assert other.path != running.path
    del running, other
    assert list(tmp_path.iterdir()) == []
