"""One run at a time in an output folder."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from opens2v_hf.errors import ResultError

_LOCK = "lock"
_HOLDER = "holder.json"


@contextmanager
def only_run(folder: str | os.PathLike[str]) -> Iterator[None]:
    """Hold the lock of a journal's folder during the block.

    The operating system frees the lock when the process ends, in any way. The processes of one launch share the lock of
    their main process.

    Raises:
        ResultError: another run holds it (the message names it), or the folder cannot be written.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / _LOCK)
        lock.acquire(timeout=0)
    except Timeout:
        raise ResultError(
            f"another run{_holder(folder)} is writing to {folder}; wait until it has finished or stop it, or choose "
            "another output folder"
        ) from None
    except (OSError, NotImplementedError) as error:
        raise ResultError(f"cannot lock {folder}: {error}; choose an output folder that can be written") from error
    try:
        _write_holder(folder)
        yield
    finally:
        lock.release()


def _write_holder(folder: Path) -> None:
    holder = {
        "process": os.getpid(),
        "host": socket.gethostname(),
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    try:
        (folder / _HOLDER).write_text(json.dumps(holder), encoding="utf-8")
    except OSError as error:
        raise ResultError(f"cannot write to {folder}: {error.strerror}; free space or choose another folder") from error


def _holder(folder: Path) -> str:
    """Words that name the holder of the lock; empty if unknown."""
    try:
        holder = json.loads((folder / _HOLDER).read_text(encoding="utf-8"))
        return f" (process {holder['process']} on {holder['host']}, since {holder['since']})"
    except (OSError, ValueError, KeyError, TypeError):  # the holder has just begun, or has ended
        return ""
