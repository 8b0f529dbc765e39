"""Temporary folders that do not stay behind when their process is killed."""

from __future__ import annotations

import secrets
import shutil
import tempfile
import weakref
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout


class TemporaryFolder:
    """A folder for the life of this object; a killed process leaves it to the next one with the same purpose.

    Args:
        purpose: part of the folder's name, e.g. "rate".
    """

    def __init__(self, purpose: str) -> None:
        prefix = f"opens2v-{purpose}-"
        parent = Path(tempfile.gettempdir())
        _remove_abandoned(parent, prefix)
        token = secrets.token_hex(4)
        # The operating system releases the lock of a killed process. It is taken before the folder exists, so that
        # no other process can take the folder for an abandoned one.
        lock = FileLock(parent / f"{prefix}{token}.lock", thread_local=False)
        lock.acquire()
        folder = tempfile.mkdtemp(prefix=f"{prefix}{token}-")
        self.path = Path(folder).resolve()
        self._close = weakref.finalize(self, _remove, folder, lock)


def _remove_abandoned(parent: Path, prefix: str) -> None:
    for path in parent.glob(f"{prefix}*.lock"):
        lock = FileLock(path, thread_local=False)
        try:
            lock.acquire(blocking=False)
        except (Timeout, OSError):  # in use, or another user's
            continue
        for folder in parent.glob(f"{path.stem}-*"):
            shutil.rmtree(folder, ignore_errors=True)
        _delete(lock)


def _remove(folder: str, lock: FileLock) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    _delete(lock)


def _delete(lock: FileLock) -> None:
    # deleted while it is held: a process that waits for it then makes a new file, and does not hold a deleted one
    with suppress(OSError):  # Windows deletes no open file; there the release does it
        Path(lock.lock_file).unlink()
    lock.release()
