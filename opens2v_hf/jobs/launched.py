"""One of several launched processes that share work, and the folder through which they communicate."""

from __future__ import annotations

import itertools
import json
import logging
import os
import secrets
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from filelock import FileLock, Timeout

from opens2v_hf._util import processes as launcher
from opens2v_hf._util.atomic import atomic_file
from opens2v_hf._util.files import write_errors
from opens2v_hf.errors import OpenS2VError, ProcessError, ResultError
from opens2v_hf.jobs.endings import boot_id
from opens2v_hf.jobs.time_limit import Limits
from opens2v_hf.jobs.unit import digest

_LOGGER = logging.getLogger(__name__)

_SHARED_FOLDER = "OPENS2V_SHARED_FOLDER"
_LEFTOVER_AGE_S = 7 * 24 * 3600.0
_SESSIONS = itertools.count()  # numbers the calls of a launch; equal on all processes if they make the same calls


@dataclass
class _State:
    """Published state of a process.

    Attributes:
        settings: name to digest of what must be the same on all processes.
        done: number of units.
        failed: number of units.
        at: name of the current item.
        finished: whether it has done all items that it claimed.
        left: whether it needs nothing more from the others.
        error: why it failed; empty if it did not.
    """

    settings: dict[str, str] = field(default_factory=dict)
    done: int = 0
    failed: int = 0
    at: str = ""
    finished: bool = False
    left: bool = False
    error: str = ""

    @classmethod
    def read(cls, path: Path) -> Self:
        return cls(**json.loads(path.read_text()))

    @property
    def item(self) -> str:
        return f" at {self.at}" if self.at else ""


class LaunchedProcess:
    """One of several processes that share work.

    Args:
        folder: that all processes of the launch share, and no other process uses.
        work: must be the same on all processes.
        show: shows the progress of all processes together.
        limits: how long to wait for other processes.
        consequence: what happens to finished work when the run fails, for messages.
    """

    def __init__(
        self, folder: Path, work: Any, show: Callable[[int, int], None], limits: Limits, consequence: str
    ) -> None:
        self.rank, self.count = launcher.process_index(), launcher.num_processes()
        self.launch = ""
        self._folder = folder
        self._show = show
        self._limits = limits
        self._consequence = consequence
        self._own = _State({"work": digest(work)})
        self._states: list[_State | None] = [None] * self.count
        self._since = time.monotonic()
        self._changed_at = [self._since] * self.count
        self._hinted = False
        self._lock: FileLock | None = None

    @property
    def folder(self) -> Path:
        """The folder through which the processes of this launch communicate."""
        return self._folder / self.launch

    def join(self) -> None:
        """Join the launch of the main process, which creates the folder.

        Raises:
            ProcessError: the main process failed, or did not join in time.
        """
        if self.rank == 0:
            self.launch = secrets.token_hex(8)
            with write_errors(self.folder):
                self.folder.mkdir(parents=True)
            _remove_leftovers(self._folder.parent)
            self._hold_lock()
            _write_json(self._folder / "launch.json", {"launch": self.launch})
        else:
            while not self.launch:
                self._find_launch()
                if not self.launch:
                    self._await_arrival(0, time.monotonic())
                    time.sleep(self._limits.poll_s)
            self._hold_lock()
        self._publish()

    def leave(self, error: BaseException | None) -> None:
        """Publish that this process needs nothing more from the others, or that it failed."""
        try:
            if error is not None:
                self._own.error = str(self._failure_of(error))
                if self.rank == 0:  # others may not have joined yet
                    _write_json(self._folder / "failed.json", self._own.error)
                if not self.launch:
                    return
            self._own.left = True
            self._publish()
            if error is None and self.rank == 0:
                self._remove_folder()
        except (OSError, ResultError) as failure:
            _LOGGER.warning("cannot report the end of this process to the other processes: %s", failure)
        finally:
            if self._lock is not None:
                self._lock.release()

    def must_agree(self, name: str, value: Any) -> None:
        """See `Processes.must_agree`."""
        self._own.settings[name] = digest(value)
        self._publish()
        self._check_others()

    def claim(self, scope: str, order: Sequence[int]) -> Iterator[int]:
        """See `Processes.claim`."""
        for index in order:
            if _create(self.folder / f"claim {scope} {index}"):
                yield index

    def report(self, done: int, failed: int, at: str) -> None:
        """See `Processes.report`."""
        self._own.done, self._own.failed, self._own.at = done, failed, at
        self._publish()
        self._check_others()

    def error_at(self, name: str, error: BaseException) -> BaseException:
        """See `Processes.error_at`."""
        if isinstance(error, ProcessError):  # it already names the process at fault
            return error
        return self.failure(self.rank, f"failed at {name}: {type(error).__name__}: {error}")

    def finish(self) -> None:
        """See `Processes.finish`."""
        self._own.finished, self._own.at = True, ""
        self._publish()
        while not all(state is not None and state.finished for state in self._check_others()):
            time.sleep(self._limits.poll_s)

    def failure_elsewhere(self) -> ProcessError | None:
        """The failure that another process published; None if there is none."""
        states = [self._read(rank) for rank in range(self.count) if self.launch and rank != self.rank]
        return next((ProcessError(state.error) for state in states if state is not None and state.error), None)

    def failure(self, rank: int, what: str) -> ProcessError:
        """The error to raise on all processes when one of them is at fault."""
        return ProcessError(f"process {rank} of {self.count} {what}; {self._consequence}")

    def _failure_of(self, error: BaseException) -> ProcessError:
        if isinstance(error, ProcessError):
            return error
        if isinstance(error, OpenS2VError):
            return self.failure(self.rank, f"stopped: {error}")
        return self.failure(self.rank, f"was interrupted ({error!r})")

    def _hold_lock(self) -> None:
        self._lock = FileLock(self.folder / f"{self.rank}.lock", thread_local=False)
        self._lock.acquire(timeout=0)

    def _find_launch(self) -> None:
        """Find the launch id of the main process, if it is alive; the file may be left over from an earlier launch."""
        # the file may be missing, damaged or of another version; a shared file system may fail for a moment
        with suppress(OSError, ValueError, KeyError, TypeError):
            launch = json.loads((self._folder / "launch.json").read_text())["launch"]
            if _is_held(self._folder / launch / "0.lock"):
                self.launch = launch
                return
            if _on_one_machine():  # on several, an earlier launch may have had the same folder name
                self._raise_failure()
                raise self.failure(0, f"died{self._item_of_main(launch)}")
        if _on_one_machine():
            self._raise_failure()

    def _item_of_main(self, launch: str) -> str:
        """Where the main process of a launch was, as far as it has published that."""
        with suppress(OSError, ValueError, TypeError):
            return _State.read(self._folder / launch / "0.json").item
        return ""

    def _raise_failure(self) -> None:
        """Raise the failure of the main process, if it has published one."""
        with suppress(OSError, ValueError):
            raise ProcessError(json.loads((self._folder / "failed.json").read_text()))

    def _publish(self) -> None:
        _write_json(self.folder / f"{self.rank}.json", vars(self._own))

    def _read(self, rank: int) -> _State | None:
        if rank == self.rank:
            return self._own
        try:
            return _State.read(self.folder / f"{rank}.json")
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError):  # a shared file system may fail for a moment
            return self._states[rank]

    def _check_others(self) -> list[_State | None]:
        """Read the states of all processes.

        Raises:
            ProcessError: a process failed, died, hangs, did not join, or has other work.
        """
        now = time.monotonic()
        for rank in range(self.count):
            before, state = self._states[rank], self._read(rank)
            self._states[rank] = state
            if rank == self.rank:
                continue
            if state is None:
                self._await_arrival(rank, now)
                continue
            if state.error:
                raise ProcessError(state.error)
            if any(state.settings.get(name, mine) != mine for name, mine in self._own.settings.items()):
                raise self._disagreement(rank)
            if before != state:
                self._changed_at[rank] = now
            if not state.finished:  # a finished process has written all its records, and may end
                self._check_alive(rank, state, now)
        joined = [state for state in self._states if state is not None]
        self._show(sum(state.done for state in joined), sum(state.failed for state in joined))
        return self._states

    def _check_alive(self, rank: int, state: _State, now: float) -> None:
        if not _is_held(self.folder / f"{rank}.lock"):
            latest = self._read(rank) or state  # since it was read, the process may have begun an item, or finished
            if not (latest.finished or latest.error):
                raise self.failure(rank, f"died{latest.item}")
        if now - self._changed_at[rank] > self._limits.process_s:
            raise self.failure(rank, f"hangs{state.item}: no progress for {now - self._changed_at[rank]:.0f} s")

    def _await_arrival(self, rank: int, now: float) -> None:
        waited = now - self._since
        remedy = "every process must make the same call; to compute on one of them alone, pass distributed=False"
        if not _on_one_machine():
            remedy += f"; they must share {self._folder.parent}"
        if waited > self._limits.arrival_s:
            raise ProcessError(
                f"process {rank} of {self.count} has not joined the work within {waited:.0f} s: {remedy}"
            )
        if waited > self._limits.hint_after_s and not self._hinted:
            self._hinted = True
            _LOGGER.warning("process %d of %d has not joined the work yet: %s", rank, self.count, remedy)

    def _disagreement(self, rank: int) -> ProcessError:
        return ProcessError(
            f"process {rank} of {self.count} was given other videos, references or settings than process {self.rank}; "
            "pass the same to all processes, which share the work, or distributed=False to compute everything in each"
        )

    def _remove_folder(self) -> None:
        """Remove it when no process reads it any more."""
        until = time.monotonic() + self._limits.hint_after_s
        for rank in range(1, self.count):
            while time.monotonic() < until and _is_held(self.folder / f"{rank}.lock"):
                state = self._read(rank)
                if state is not None and state.left:
                    break
                time.sleep(self._limits.poll_s)
        shutil.rmtree(self._folder, ignore_errors=True)


def launch_folder(journal: Path | None) -> Path:
    """A folder that all processes of this launch see under the same name.

    Raises:
        ProcessError: there is no such folder.
    """
    environment = os.environ
    parts = [environment.get(name, "") for name in ("MASTER_ADDR", "MASTER_PORT", "TORCHELASTIC_RUN_ID", "WORLD_SIZE")]
    parts += [environment.get("TORCHELASTIC_RESTART_COUNT", ""), str(next(_SESSIONS))]
    if _on_one_machine():
        parts += [str(os.getppid()), _start_time(os.getppid())]  # the launcher; process numbers are used again
        return _private_folder() / f"launch-{digest(parts)[:16]}"
    shared = environment.get(_SHARED_FOLDER) or journal
    if shared is None:
        raise ProcessError(
            "processes on several machines share their work through a folder that all of them see; name one in the "
            f"environment variable {_SHARED_FOLDER}, or pass distributed=False to compute everything in each"
        )
    return Path(shared) / f"launch-{digest(parts)[:16]}"


def _start_time(process: int) -> str:
    """Start time of a process; empty if the system has no such file."""
    try:
        return boot_id() + Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


def _on_one_machine(environment: Mapping[str, str] = os.environ) -> bool:
    local = environment.get("LOCAL_WORLD_SIZE")
    return local is not None and local == environment.get("WORLD_SIZE")


def _private_folder() -> Path:
    """A temporary folder that no other user of the machine can read or write."""
    user = os.getuid() if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")
    folder = Path(tempfile.gettempdir(), f"opens2v-{user}")
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    is_private = stat.S_ISDIR(status.st_mode) and not status.st_mode & 0o077 and status.st_uid == user
    if os.name == "posix" and not is_private:
        raise ProcessError(
            f"{folder} must be a folder that only this user can use (chmod 700); remove it, or set TMPDIR to another "
            "folder"
        )
    return folder


def _remove_leftovers(folder: Path) -> None:
    """Remove the folders of launches that failed long ago."""
    for leftover in folder.glob("launch-*"):
        with suppress(OSError):  # another launch may be removing it
            if time.time() - leftover.stat().st_mtime > _LEFTOVER_AGE_S:
                shutil.rmtree(leftover, ignore_errors=True)


def _is_held(lock: Path) -> bool:
    """Whether a running process holds a lock."""
    if not lock.exists():
        return False
    attempt = FileLock(lock, thread_local=False)
    try:
        attempt.acquire(timeout=0)
    except Timeout:
        return True
    except FileNotFoundError:  # the main process has removed the folder
        return False
    attempt.release()
    return False


def _create(path: Path) -> bool:
    """Whether this process, and no other, has created the file."""
    with write_errors(path):
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except FileExistsError:
            return False
    return True


def _write_json(path: Path, content: Any) -> None:
    # no wait for the disk: the file is of no use once the machine has crashed
    with write_errors(path), atomic_file(path, sync=False) as temporary:
        temporary.write_text(json.dumps(content))
