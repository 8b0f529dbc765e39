"""Kills a build at every point at which it makes something durable: `killed_builds.py VIDEOS FOLDER`.

With `--crash` first, two builds of three videos in the same folder crash at b.mp4 instead.

For each point a build is killed there (-9) in a fresh folder, and the same build is run again. Prints the digests of
what came out, one line a point, then one of a build that was not killed.
"""

from __future__ import annotations

import hashlib
import os
import signal
import sys
from pathlib import Path

from helpers.build_stages import Trip, files_of, usual

from opens2v_hf._util.console import set_quiet
from opens2v_hf.pipeline.api import build_dataset
from opens2v_hf.pipeline.options import BuildOptions

MOST = 200


def run(videos: Path, folder: Path, kill_at: int | None) -> int:
    """The status of a forked process that builds, and kills itself before its n-th rename or wait for the disk."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1]
    left = kill_at

    def counted(original):
        def call(*arguments):
            nonlocal left
            if left is not None:
                left -= 1
                if left < 0:
                    os.kill(os.getpid(), signal.SIGKILL)
            return original(*arguments)

        return call

    os.replace, os.fsync = counted(os.replace), counted(os.fsync)
    build_dataset(videos, folder, stages=usual(), options=BuildOptions(unit_files=1))
    # without a model a build needs no torch, whose import takes longer than all else that a small build does
    os._exit(int("torch" in sys.modules))


def digest(folder: Path) -> str:
    found = hashlib.sha256()
    for name, content in files_of(folder).items():
        found.update(name.encode() + b"\0" + content)
    leftovers = [path.name for path in folder.rglob("*.tmp")]
    return found.hexdigest() + "".join(leftovers)


def main(videos: Path, root: Path) -> None:
    set_quiet(True)
    for point in range(MOST):
        folder = root / str(point)
        status = run(videos, folder, point)
        if status == 0:
            print(digest(folder))
            return
        assert os.WTERMSIG(status) == signal.SIGKILL, status
        assert run(videos, folder, None) == 0
        print(digest(folder))
    raise AssertionError(f"more than {MOST} points")


def crash_twice(videos: Path, folder: Path) -> None:
    """Two builds in one folder that end at b.mp4, as by a decoder's fault."""
    for _ in range(2):
        child = os.fork()
        if not child:
            build_dataset(videos, folder, stages=usual(Trip("b.mp4", kill=True)), limit=3)
            os._exit(0)
        assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL


if __name__ == "__main__":
    if sys.argv[1] == "--crash":
        crash_twice(Path(sys.argv[2]), Path(sys.argv[3]))
        sys.exit()
    main(Path(sys.argv[1]), Path(sys.argv[2]))
