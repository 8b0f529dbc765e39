"""Writing files that are whole or not there."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from opens2v_hf._util.atomic import atomic_file
from opens2v_hf.errors import ArgumentError, ResultError, short_repr


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A temporary path in the folder of `path` that is renamed to it when the block ends, and deleted when it fails.

    What was written reaches the disk before it gets its name, so that a file that is there after a crash is whole.

    Raises:
        ResultError: it cannot be written.
    """
    with write_errors(path), atomic_file(path) as temporary:
        yield temporary


def check_no_url(path: str | os.PathLike[str]) -> None:
    """Refuse the URL of a folder that is to be written, which would become a local folder named "hf:".

    Raises:
        ArgumentError: it is one.
    """
    if match := re.match("(hf|https?|s3|gs|file):/", os.fspath(path)):  # `Path` makes one slash of two
        raise ArgumentError(f"what is written must be a local path, not {match[1]}:// (got {short_repr(path)})")


def append_lines(path: Path, lines: Iterable[bytes]) -> None:
    """Add lines to a file, which is made where it is missing; when this returns, they are on the disk.

    A line that a killed process left unfinished is ended first.

    Args:
        path: of the file; its folder must exist.
        lines: without their ends.

    Raises:
        ResultError: they cannot be written.
    """
    with write_errors(path), path.open("ab+") as file:
        unfinished = False
        if file.tell():
            file.seek(-1, os.SEEK_END)
            unfinished = file.read(1) != b"\n"
        file.write(b"\n" * unfinished + b"".join(line + b"\n" for line in lines))
        file.flush()
        os.fsync(file.fileno())


def visible_files(folder: Path, pattern: str) -> list[Path]:
    """What `folder.glob` finds, sorted, without hidden files and folders, such as the "._name" that macOS leaves.

    Unlike a shell's, the patterns of `pathlib` match hidden names.
    """
    return sorted(
        path
        for path in folder.glob(pattern)
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def remove_files(paths: Iterable[Path], what: str = "") -> None:
    """Remove files; `what` they are is said where one cannot be removed.

    Raises:
        ResultError: a file cannot be removed.
    """
    for path in paths:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise ResultError(f"cannot remove {path}{what}: {error.strerror}") from error


@contextmanager
def write_errors(path: Path) -> Iterator[None]:
    """Turn the errors of a disk that is full, read-only or otherwise not to be written into a ResultError.

    Args:
        path: of the file or folder that is written within the block, for the message.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        what = {
            errno.ENOSPC: "free some space",
            errno.EDQUOT: "free some space",
            errno.EROFS: "choose another folder",
            errno.EACCES: "choose another folder",
            errno.ENOTDIR: "choose a folder that is not below a file",
            errno.EEXIST: "choose a folder that is not below a file",
        }.get(error.errno or 0, "check the path")
        raise ResultError(f"cannot write {path}: {reason}; {what} and run it again") from error
