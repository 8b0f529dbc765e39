"""Runs that are killed before a file operation, one after another through all of them."""

import os
import sys

import pytest
from helpers.eval_folder import write_eval_folder
from helpers.stripes import Stripes, make

IDS = ["singleobj_1", "faceobj_2"]
EVERY = 3
"""Every so many file operations one is tried; with 1, all are, which takes three times as long."""
_EVENTS = {"open", "os.rename", "os.remove", "os.mkdir", "os.truncate", "os.link"}


class Noted(Stripes):
    """Writes down which videos it was asked for; what is written is there after a kill."""

    def __init__(self, log):
        super().__init__()
        self._log = log

    def generate(self, request, progress=None):
        file = os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(file, f"{request.id}\n".encode())
        os.close(file)
        return super().generate(request, progress)


def run_in_child(benchmark, root, noted, die_at):
    """Exit code and number of file operations below `root` of a run that ends before one of them."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        count = 0

        def before(event, arguments):
            nonlocal count
            if event in _EVENTS and arguments and str(arguments[0]).startswith(str(root)):
                if count == die_at:
                    os._exit(9)
                count += 1

        code = 3
        try:
            root.mkdir(exist_ok=True)
            sys.addaudithook(before)
            make(Noted(noted), benchmark, root, ids=IDS)
            code = 0
        finally:
            os.write(writer, str(count).encode())
            os._exit(code)
    os.close(writer)
    said = os.read(reader, 64)
    os.close(reader)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), int(said or 0)


def files_of(root):
    folder = root / "out/videos"
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix == ".mp4"}, sorted(
        path.name for path in folder.iterdir()
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a child that dies at once needs fork")
def test_a_run_that_is_killed_at_any_file_operation_resumes_to_the_same_files(tmp_path):
    benchmark = write_eval_folder(tmp_path / "benchmark")
    code, count = run_in_child(benchmark, tmp_path / "whole", tmp_path / "whole.txt", die_at=-1)
    assert code == 0
    assert count > 20
    whole, names = files_of(tmp_path / "whole")
    for point in range(0, count, EVERY):
        root, noted = tmp_path / f"killed{point}", tmp_path / f"killed{point}.txt"
        code, _ = run_in_child(benchmark, root, noted, die_at=point)
        assert code == 9
        asked = noted.read_text().split() if noted.is_file() else []
        there = [each for each in IDS if (root / f"out/videos/{each}.mp4").is_file()]
        run = make(Noted(noted), benchmark, root, ids=IDS)
        assert (sorted(run.made), run.failed) == (sorted(IDS), {})
        assert files_of(root) == (whole, names)  # no leftovers of the one that was killed
        again = noted.read_text().split()[len(asked) :]
        assert not set(again) & set(there)  # nothing is made twice
