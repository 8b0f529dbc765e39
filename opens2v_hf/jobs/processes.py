"""The processes that share the work of a run, seen from one of them; most often there is only that one.

Launched processes meet in a folder that all of them see: in the temporary folder of one machine, or, on several
machines, in the output folder. Each holds a lock of the operating system there as long as it lives, and a small file
says how far it is. Work is claimed by creating a file, which only one process can do. Nothing passes over a network,
and no collective operation takes part, which would wait for a process that has died until its timeout.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import logging
import os
import secrets
import shutil
import signal
import stat
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

from filelock import FileLock, Timeout

from opens2v_hf import processes as launcher
from opens2v_hf.errors import OpenS2VError, ProcessError
from opens2v_hf.jobs.journal import SINGLE

_LOGGER = logging.getLogger(__name__)

_SHARED_FOLDER = "OPENS2V_SHARED_FOLDER"
_KEPT_S = 7 * 24 * 3600.0
_SESSIONS = itertools.count()  # how often work was shared; the same on all processes as long as they do the same

Report = Callable[[int, int], None]
"""Shows how many units are done so far, and how many of those failed."""


@dataclass(frozen=True)
class Limits:
    """How long is waited, in seconds.

    Attributes:
        group_s: for one group (a video) in this process; what is not finished then fails.
        process_s: for a sign of progress from another process; then it is named and the run ends.
        arrival_s: until another process joins the work; it may still be loading its models.
        hint_after_s: until a warning says that a process is waited for.
        poll_s: between two looks at the other processes.
    """

    group_s: float = 2 * 3600.0
    process_s: float = 3 * 3600.0
    arrival_s: float = 2 * 3600.0
    hint_after_s: float = 60.0
    poll_s: float = 0.1


class Processes(Protocol):
    """What the processes of a launch do together. Each of them makes the same calls.

    Attributes:
        rank: which of the processes this is, from 0; 0 is the main one.
        count: how many there are.
        launch: identifies the launch; names the journal files of its processes.
        folder: where the processes of this launch meet, until they have finished; None for a single process.
    """

    @property
    def rank(self) -> int: ...  # noqa: D102
    @property
    def count(self) -> int: ...  # noqa: D102
    @property
    def launch(self) -> str: ...  # noqa: D102
    @property
    def folder(self) -> Path | None: ...  # noqa: D102

    def must_agree(self, name: str, value: Any) -> None:
        """Compare with the others, without waiting for them; they raise ProcessError where a value differs."""
        ...

    def claim(self, scope: str, order: Sequence[int]) -> Iterator[int]:
        """Items to do here, one at a time: whoever is ready takes the next one."""
        ...

    def report(self, done: int, failed: int, at: str) -> None:
        """Say how much this process has done and what it begins with; raises ProcessError where another one failed."""
        ...

    def error_at(self, name: str, error: BaseException) -> BaseException:
        """What to raise on all processes for an error at an item."""
        ...

    def finish(self) -> None:
        """Wait until all processes have done what they claimed."""
        ...


class SingleProcess:
    """A process that does everything itself."""

    rank = 0
    count = 1
    launch = SINGLE
    folder = None

    def __init__(self, show: Report) -> None:
        self._show = show

    def must_agree(self, name: str, value: Any) -> None:
        """There is nobody to disagree."""

    def claim(self, scope: str, order: Sequence[int]) -> Iterator[int]:
        """All items."""
        return iter(order)

    def report(self, done: int, failed: int, at: str) -> None:
        """Show the progress."""
        self._show(done, failed)

    def error_at(self, name: str, error: BaseException) -> BaseException:
        """The error itself."""
        return error

    def finish(self) -> None:
        """Nobody is waited for."""


@dataclass
class _State:
    """What a process says of itself.

    `settings` are digests of what must be the same on all; `at` is what it is working on.
    """

    settings: dict[str, str] = field(default_factory=dict)
    done: int = 0
    failed: int = 0
    at: str = ""
    finished: bool = False
    left: bool = False
    error: str = ""


class LaunchedProcess:
    """One of several processes that share work.

    Args:
        folder: that all processes see; its name is theirs alone.
        work: what must be the same on all processes.
        show: shows the progress of all of them.
        limits: how long others are waited for.
        consequence: what becomes of finished work when the run fails, for messages.
    """

    def __init__(self, folder: Path, work: Any, show: Report, limits: Limits, consequence: str) -> None:
        self.rank, self.count = launcher.process_index(), launcher.num_processes()
        self.launch = ""
        self._folder = folder
        self._show = show
        self._limits = limits
        self._consequence = consequence
        self._own = _State({"work": _digest(work)})
        self._states: list[_State | None] = [None] * self.count
        self._since = time.monotonic()
        self._changed_at = [self._since] * self.count
        self._hinted = False
        self._lock: FileLock | None = None

    @property
    def folder(self) -> Path:
        """Where the processes of this launch meet."""
        return self._folder / self.launch

    def join(self) -> None:
        """Meet the main process, which has made the folder ready.

        Raises:
            ProcessError: it failed, or did not come.
        """
        if self.rank == 0:
            self.launch = secrets.token_hex(8)
            self.folder.mkdir(parents=True)
            _remove_old(self._folder.parent)
            self._hold_lock()
            _replace(self._folder / "launch.json", json.dumps({"launch": self.launch}))
        else:
            while not self.launch:
                self._find_launch()
                if not self.launch:
                    self._await_arrival(0, time.monotonic())
                    time.sleep(self._limits.poll_s)
            self._hold_lock()
        self._say()

    def leave(self, error: BaseException | None) -> None:
        """Tell the others that this process needs nothing more of them, or that it failed."""
        try:
            if error is not None:
                self._own.error = str(self._failure_of(error))
                self._folder.mkdir(parents=True, exist_ok=True)
                if not self.launch:  # the others have not met this process yet
                    _replace(self._folder / "failed.json", json.dumps(self._own.error))
                    return
            self._own.left = True
            self._say()
            if error is None and self.rank == 0:
                self._remove_folder()
        except OSError as failure:
            _LOGGER.warning("the other processes cannot be told that this one ends: %s", failure)
        finally:
            if self._lock is not None:
                self._lock.release()

    def must_agree(self, name: str, value: Any) -> None:
        """See `Processes.must_agree`."""
        self._own.settings[name] = _digest(value)
        self._say()
        self._check_others()

    def claim(self, scope: str, order: Sequence[int]) -> Iterator[int]:
        """See `Processes.claim`."""
        for index in order:
            try:
                os.close(os.open(self.folder / f"claim {scope} {index}", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            except FileExistsError:
                continue
            yield index

    def report(self, done: int, failed: int, at: str) -> None:
        """See `Processes.report`."""
        self._own.done, self._own.failed, self._own.at = done, failed, at
        self._say()
        self._check_others()

    def error_at(self, name: str, error: BaseException) -> BaseException:
        """See `Processes.error_at`."""
        return self.failure(self.rank, f"failed at {name}: {type(error).__name__}: {error}")

    def finish(self) -> None:
        """See `Processes.finish`."""
        self._own.finished, self._own.at = True, ""
        self._say()
        while not all(state is not None and state.finished for state in self._check_others()):
            time.sleep(self._limits.poll_s)

    def failure_elsewhere(self) -> ProcessError | None:
        """The failure that some process reported, if any."""
        states = [self._read(rank) for rank in range(self.count) if self.launch and rank != self.rank]
        return next((ProcessError(state.error) for state in states if state is not None and state.error), None)

    def failure(self, rank: int, what: str) -> ProcessError:
        """The error for all to raise when one process is at fault."""
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
        """Take part in the launch of the main process, where that one lives; an earlier one may have left its file."""
        with suppress(FileNotFoundError):
            launch = json.loads((self._folder / "launch.json").read_text())["launch"]
            if _is_held(self._folder / launch / "0.lock"):
                self.launch = launch
                return
        if _on_one_machine():  # elsewhere the folder's name may be that of an earlier launch
            with suppress(FileNotFoundError):
                raise ProcessError(json.loads((self._folder / "failed.json").read_text()))

    def _say(self) -> None:
        _replace(self.folder / f"{self.rank}.json", json.dumps(self._own.__dict__))

    def _read(self, rank: int) -> _State | None:
        if rank == self.rank:
            return self._own
        try:
            return _State(**json.loads((self.folder / f"{rank}.json").read_text()))
        except FileNotFoundError:
            return None

    def _check_others(self) -> list[_State | None]:
        """See how far each process is.

        Raises:
            ProcessError: one of them failed, died, hangs, never came, or has other work.
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
            if not state.finished:  # one that has finished has written everything
                self._check_alive(rank, state, now)
        there = [state for state in self._states if state is not None]
        self._show(sum(state.done for state in there), sum(state.failed for state in there))
        return self._states

    def _check_alive(self, rank: int, state: _State, now: float) -> None:
        at = f" at {state.at}" if state.at else ""
        if not _is_held(self.folder / f"{rank}.lock"):
            latest = self._read(rank)  # it may have finished since
            if latest is None or not (latest.finished or latest.error):
                raise self.failure(rank, f"died{at}")
        if now - self._changed_at[rank] > self._limits.process_s:
            raise self.failure(rank, f"hangs{at}: no progress for {now - self._changed_at[rank]:.0f} s")

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
            "give all of them the same, they share the work by themselves, or pass distributed=False to compute "
            "everything in each"
        )

    def _remove_folder(self) -> None:
        """When nobody reads there any more."""
        until = time.monotonic() + self._limits.hint_after_s
        for rank in range(1, self.count):
            while time.monotonic() < until and _is_held(self.folder / f"{rank}.lock"):
                state = self._read(rank)
                if state is not None and state.left:
                    break
                time.sleep(self._limits.poll_s)
        shutil.rmtree(self._folder, ignore_errors=True)


@contextmanager
def joined(
    work: Callable[[], Any],
    show: Report,
    *,
    folder: Path | None = None,
    prepare: Callable[[], None] = lambda: None,
    distributed: bool = True,
    limits: Limits | None = None,
) -> Iterator[Processes]:
    """Bring the launched processes together for some work.

    Args:
        work: what must be the same on each of them, JSON-compatible; asked only where there are several.
        show: shows the progress.
        folder: of the journal, where finished work is kept when the run fails; None where there is none.
        prepare: what the main process does before the others begin, e.g. taking the output folder's lock.
        distributed: False to do everything in this process, whatever was launched.
        limits: how long other processes are waited for.

    Raises:
        ProcessError: from the block, on every process that is still there, when one of them failed (the message names
            it and what it was at), died, hangs, never came, or was given other work.
    """
    consequence = (
        "its videos have no score, so there is no result"
        if folder is None
        else "what was finished is kept, and the same command goes on from there"
    )
    if not distributed or launcher.num_processes() <= 1:
        with _raising_on_sigterm(lambda: SystemExit(128 + signal.SIGTERM)):
            prepare()
            yield SingleProcess(show)
        return
    process = LaunchedProcess(_meeting_place(folder), work(), show, limits or Limits(), consequence)

    def stopped() -> ProcessError:
        return process.failure_elsewhere() or process.failure(
            process.rank,
            "was told to stop (SIGTERM) before all videos were scored: another process has died, or the run was "
            "cancelled. The launcher's report names the process that ended first; its memory is the first thing to "
            "check",
        )

    with _raising_on_sigterm(stopped):
        try:
            if process.rank == 0:
                prepare()
            process.join()
            yield process
        except BaseException as error:
            process.leave(error)
            raise
        process.leave(None)


def costliest_first(costs: Sequence[float]) -> list[int]:
    """Positions by falling cost; equal ones as they come.

    Whoever is free takes the next one: the last to finish is then at most 4/3 of the best there is (longest processing
    time first, Graham 1969), as far as the costs are right.

    Example:
        >>> costliest_first([2.0, 5.0, 2.0, 7.0])
        [3, 1, 0, 2]
    """
    return sorted(range(len(costs)), key=lambda position: -costs[position])


def _meeting_place(journal: Path | None) -> Path:
    """A folder of this launch that all its processes name alike.

    Raises:
        ProcessError: there is none that all of them see.
    """
    environment = os.environ
    parts = [environment.get(name, "") for name in ("MASTER_ADDR", "MASTER_PORT", "TORCHELASTIC_RUN_ID", "WORLD_SIZE")]
    parts += [environment.get("TORCHELASTIC_RESTART_COUNT", ""), str(next(_SESSIONS))]
    if _on_one_machine():
        parts.append(str(os.getppid()))  # of the launcher
        return _private_folder() / f"launch-{_digest(parts)[:16]}"
    shared = environment.get(_SHARED_FOLDER) or journal
    if shared is None:
        raise ProcessError(
            "processes on several machines share their work through a folder that all of them see; name one in the "
            f"environment variable {_SHARED_FOLDER}, or pass distributed=False to compute everything in each"
        )
    return Path(shared) / f"launch-{_digest(parts)[:16]}"


def _on_one_machine(environment: Mapping[str, str] = os.environ) -> bool:
    local = environment.get("LOCAL_WORLD_SIZE")
    return local is not None and local == environment.get("WORLD_SIZE")


def _private_folder() -> Path:
    """A folder for temporary files that no other user of the machine can read or write."""
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


def _remove_old(folder: Path) -> None:
    """Remove what launches that failed have left."""
    for place in folder.glob("launch-*"):
        with suppress(OSError):  # another launch may be removing it
            if time.time() - place.stat().st_mtime > _KEPT_S:
                shutil.rmtree(place, ignore_errors=True)


def _is_held(lock: Path) -> bool:
    """Whether a living process holds a lock."""
    if not lock.exists():
        return False
    attempt = FileLock(lock, thread_local=False)
    try:
        attempt.acquire(timeout=0)
    except Timeout:
        return True
    except FileNotFoundError:  # the main process has just removed the folder
        return False
    attempt.release()
    return False


def _replace(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text)
    os.replace(temporary, path)


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


@contextmanager
def _raising_on_sigterm(error: Callable[[], BaseException]) -> Iterator[None]:
    """End in order on SIGTERM: what is under way is noted as stopped from outside, and the others hear why."""
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:  # the program has its own way
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        raise error()

    signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
