"""One run at a time in an output folder, also where several machines share it."""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from opens2v_hf._util.console import remark
from opens2v_hf.errors import ResultError
from opens2v_hf.jobs.endings import boot_id

_LOCK = "lock"
_HOLDER = "holder.json"

LOCK_FILES = (_LOCK, _HOLDER)
"""Of a folder in use; they have no meaning in a copy of it."""

BEAT_S = 10.0
"""Seconds between two changes of the time of `holder.json`, which show that the run is alive."""

SILENCE_S = 3 * BEAT_S
"""Seconds without a change after which a run of another machine counts as ended."""

CHILDREN_END_S = 10.0
"""Seconds in which the children of a killed process end, also on a busy machine."""

_POLL_S = 0.05


@contextmanager
def only_run(folder: str | os.PathLike[str]) -> Iterator[None]:
    """Hold the lock of a journal's folder during the block.

    The operating system frees the lock when the process ends, in any way. The processes of one launch share the lock of
    their main process. Some network file systems keep locks on one machine (NFS with `nolock` or `local_lock`, most
    object stores that are mounted). So a run whose lock is free, but that finds the notice of another machine's run,
    waits to see whether that still changes; the notice is deleted when a run ends and remains when it is killed.
    Two runs that begin in the same moment are not found in this way.

    Raises:
        ResultError: another run holds it (the message names it), or the folder cannot be written.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / _LOCK)
        _acquire(lock, folder)
    except (OSError, NotImplementedError) as error:
        raise ResultError(f"cannot lock {folder}: {error}; choose an output folder that can be written") from error
    try:
        _refuse_other_machine(folder)
        _write_holder(folder)
        with _beating(folder / _HOLDER):
            yield
    finally:
        lock.release()


def _acquire(lock: FileLock, folder: Path) -> None:
    """Take the lock; that of a killed run is waited for, which a forked child of it may hold for a moment longer."""
    end = time.monotonic() + CHILDREN_END_S
    while True:
        try:
            lock.acquire(timeout=0)
            return
        except Timeout:
            if time.monotonic() > end or not _was_killed(folder):
                raise _another_run(folder) from None
        time.sleep(_POLL_S)


def _was_killed(folder: Path) -> bool:
    """Whether the process in the notice has ended without deleting it."""
    notice = _read_notice(folder)
    if notice is None or notice[0].get("machine") != _machine() or sys.platform == "win32":
        return False
    process: Any = notice[0].get("process")
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError, TypeError):
        return False
    return False


def _another_run(folder: Path) -> ResultError:
    return ResultError(
        f"another run{_holder(folder)} is writing to {folder}; wait until it has finished or stop it, or choose "
        "another output folder"
    )


def _refuse_other_machine(folder: Path) -> None:
    notice = _read_notice(folder)
    if notice is None or notice[0].get("machine") == _machine():
        return
    end = time.monotonic() + SILENCE_S
    remark(f"a run{_holder(folder)} has not ended properly; waiting {SILENCE_S:.0f} s to see whether it still writes")
    while time.monotonic() < end:
        time.sleep(min(1.0, SILENCE_S / 10))
        latest = _read_notice(folder)
        if latest is None:
            return
        if latest != notice:
            raise _another_run(folder)


def _read_notice(folder: Path) -> tuple[dict[str, Any], int] | None:
    """The notice of a run and its time of change; None if there is none."""
    try:
        with (folder / _HOLDER).open("rb") as file:  # NFS asks its server when a file is opened, `stat` may not
            holder = json.loads(file.read())
            return (holder, os.fstat(file.fileno()).st_mtime_ns) if isinstance(holder, dict) else None
    except (OSError, ValueError):
        return None


@contextmanager
def _beating(notice: Path) -> Iterator[None]:
    """Change the time of the notice again and again until the block ends, and delete it then."""
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(BEAT_S):
            with suppress(OSError):  # the folder's disk may be gone for a while; the run itself says so
                os.utime(notice)

    thread = threading.Thread(target=beat, daemon=True, name="opens2v-notice")
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        with suppress(OSError):
            notice.unlink()


def _machine() -> str:
    """Identity of this machine until it is started again, also in containers, whose host names say nothing of it."""
    return boot_id() or socket.gethostname()


def _write_holder(folder: Path) -> None:
    holder = {
        "process": os.getpid(),
        "host": socket.gethostname(),
        "machine": _machine(),
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    try:
        (folder / _HOLDER).write_text(json.dumps(holder), encoding="utf-8")
    except OSError as error:
        raise ResultError(f"cannot write to {folder}: {error.strerror}; free space or choose another folder") from error


def _holder(folder: Path) -> str:
    """Words that name the holder of the lock; empty if it has just begun, or has ended."""
    notice = _read_notice(folder)
    if notice is None or not {"process", "host", "since"} <= notice[0].keys():
        return ""
    return f" (process {notice[0]['process']} on {notice[0]['host']}, since {notice[0]['since']})"
