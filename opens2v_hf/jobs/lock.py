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
    """Keep every other run out of a journal's folder while the block lasts.

    The operating system holds the lock, so that it is free as soon as the process has gone, in whichever way. The
    processes of one launch share the lock of their main process.

    Raises:
        ResultError: another run holds it (the message says which), or the folder cannot be written.
    """
    place = Path(folder)
    try:
        place.mkdir(parents=True, exist_ok=True)
        lock = FileLock(place / _LOCK)
        lock.acquire(timeout=0)
    except Timeout:
        raise ResultError(
            f"another run{_holder(place)} is writing to {place}; wait until it has finished or stop it, or choose "
            "another output folder"
        ) from None
    except (OSError, NotImplementedError) as error:
        raise ResultError(f"cannot lock {place}: {error}; choose an output folder that can be written") from error
    try:
        _write_holder(place)
        yield
    finally:
        lock.release()


def _write_holder(place: Path) -> None:
    holder = {
        "process": os.getpid(),
        "host": socket.gethostname(),
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    try:
        (place / _HOLDER).write_text(json.dumps(holder), encoding="utf-8")
    except OSError as error:
        raise ResultError(f"cannot write to {place}: {error.strerror}; free space or choose another folder") from error


def _holder(place: Path) -> str:
    """Who holds the lock, as far as that can be read."""
    try:
        holder = json.loads((place / _HOLDER).read_text(encoding="utf-8"))
        return f" (process {holder['process']} on {holder['host']}, since {holder['since']})"
    except (OSError, ValueError, KeyError, TypeError):  # it has just begun, or has ended meanwhile
        return ""
