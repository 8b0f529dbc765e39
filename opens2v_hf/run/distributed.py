"""Work shared by the processes of one `accelerate launch`, so that nothing is lost in silence and nobody waits forever.

While they work, processes see each other on a board in the key-value store through which `torch.distributed` itself
brought them together: how far each is, that it is alive, and whether it failed. Work is claimed and results are handed
over in the same store, as JSON. No collective operation takes part: it would wait for a process that has died until its
timeout, half an hour or more, and a timeout that is short enough would end runs whose processes finish at different
times.
"""

from __future__ import annotations

import itertools
import json
import logging
import signal
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from types import FrameType, TracebackType
from typing import Any, Self

import torch
import torch.distributed as dist
from accelerate import PartialState
from accelerate.utils import parse_flag_from_env

from opens2v_hf.errors import OpenS2VError, ProcessError
from opens2v_hf.run.progress import Progress
from opens2v_hf.run.team import Patience

_LOGGER = logging.getLogger(__name__)

_PART_BYTES = 4 << 20  # the store takes values of up to 8 MiB
_HANDED_OVER: list[tuple[Any, str]] = []  # what this process has left in the store in rounds before
_ROUNDS = itertools.count()  # how often work was shared; the same on all processes as long as they do the same


@dataclass(frozen=True)
class _State:
    """What a process tells of itself: its work's digest, units done and failed, whether that is all, and its failure.

    `left` says that it has taken all it needs from the store; `beat` counts its signs of life.
    """

    work: str
    done: int = 0
    failed: int = 0
    finished: bool = False
    left: bool = False
    error: str = ""
    beat: int = 0


class Together:
    """A `Team` of several processes: where each tells of itself and looks at the others.

    Entering it joins the work; a thread gives signs of life until it is left. Whoever leaves it by an error tells all
    others, so that none of them waits for this process, and all raise the same.

    Args:
        work: digest of what must be the same on all processes.
        progress: shows how far all of them are; only the main process's shows anything.
        patience: how long others are waited for.
        keeps: whether finished work is kept when the run fails.
    """

    def __init__(self, work: str, progress: Progress, patience: Patience, *, keeps: bool = False) -> None:
        self.rank, self.count = _connect()
        self._patience = patience
        self._progress = progress
        self.consequence = (
            "what was finished is kept, and the same command goes on from there"
            if keeps
            else "its videos have no score, so there is no result"
        )
        self._states: list[_State | None] = [None] * self.count
        store = dist.distributed_c10d._get_default_store()
        self._store = dist.PrefixStore(f"opens2v_hf/{next(_ROUNDS)}", store)
        self._own = _State(work)
        self._keys: list[tuple[Any, str]] = []
        # Entered again by a signal handler that interrupts its holder.
        self._lock = threading.RLock()
        self._left = threading.Event()
        self._beating = threading.Thread(target=self._beat, name="opens2v-beat", daemon=True)
        self._since = time.monotonic()
        self._last_beat = [self._since] * self.count
        self._last_video = [self._since] * self.count
        self._hinted = False
        self._handlers = ExitStack()

    def __enter__(self) -> Self:
        self._tell()
        self._handlers.enter_context(_answering_sigterm(self))
        self._beating.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._part()
        self._left.set()
        self._beating.join()
        _HANDED_OVER.extend(self._keys)
        if error is not None:
            self._tell_failure(self._failure_of(error))
        self._handlers.close()

    def tell_all(self, name: str, value: Any) -> list[Any]:
        """See `Team.tell_all`."""
        self.hand_over(f"{name} of {self.rank}", value)
        waiting = set(range(self.count))
        while waiting:
            self._look()
            waiting = {rank for rank in waiting if not self._is_there(f"{name} of {rank}")}
            if waiting:
                time.sleep(self._patience.poll_s)
        return [self.take(f"{name} of {rank}") for rank in range(self.count)]

    def must_agree(self, name: str, value: Any) -> None:
        """See `Team.must_agree`."""
        text = json.dumps(value, sort_keys=True, default=str)
        if self._first(f"agreed/{name}", text) != text:
            raise self._disagreement("another process", f"this one ({self.rank} of {self.count})")

    def claim(self, name: str, order: Callable[[], Sequence[int]], *, all_begin: bool = False) -> Iterator[int]:
        """See `Team.claim`."""
        agreed = json.loads(self._first(f"order/{name}", json.dumps(list(order()))))
        reserved = self.count if all_begin else 0
        if self.rank < min(reserved, len(agreed)):
            self._look()
            yield agreed[self.rank]
        while True:
            self._look()
            with self._lock, _store_errors():
                position = reserved + self._store.add(f"claimed/{name}", 1) - 1
            if position >= len(agreed):
                return
            yield agreed[position]

    @contextmanager
    def at(self, name: str) -> Iterator[None]:
        """See `Team.at`."""
        try:
            yield
        except ProcessError:  # told to stop in the middle of it
            raise
        except Exception as error:
            raise self._failure(self.rank, f"failed at {name}: {type(error).__name__}: {error}") from error

    def hand_over(self, name: str, value: Any) -> None:
        """See `Team.hand_over`."""
        data = zlib.compress(json.dumps(value).encode())
        parts = [data[start : start + _PART_BYTES] for start in range(0, len(data), _PART_BYTES)]
        for number, part in enumerate(parts):
            self._set(f"value/{name}/{number}", part)
        self._set(f"value/{name}", str(len(parts)))

    def take(self, name: str) -> Any:
        """See `Team.take`."""
        if not self._is_there(name):
            raise ProcessError(f"no process has handed over {name!r}; there is no result")
        with self._lock, _store_errors():
            count = int(self._store.get(f"value/{name}"))
            data = b"".join(self._store.get(f"value/{name}/{number}") for number in range(count))
        return json.loads(zlib.decompress(data))

    def report(self, done: int, failed: int = 0) -> None:
        """See `Team.report`."""
        self._tell(done=done, failed=failed)
        self._look()

    def finish(self) -> None:
        """See `Team.finish`."""
        self._tell(finished=True)
        while not all(state is not None and state.finished for state in self._look()):
            time.sleep(self._patience.poll_s)
        # What is left of rounds before can go: all are in this one and have read it.
        with self._lock, _store_errors():
            while _HANDED_OVER:
                store, key = _HANDED_OVER.pop()
                store.delete_key(key)

    def _part(self) -> None:
        """Leave when nobody needs this process any more: the main one may keep the store that the others read from."""
        try:
            self._tell(left=True)
            until = time.monotonic() + self._patience.dead_after_s
            while self.rank == 0 and time.monotonic() < until:
                states = [self._read(rank) for rank in range(self.count)]
                if all(state is not None and state.left for state in states):
                    return
                time.sleep(self._patience.poll_s)
        except ProcessError:
            return  # the store has gone, and this process has what it came for

    def published_failure(self) -> ProcessError | None:
        """The failure that some process told of, if any."""
        for rank in range(self.count):
            state = self._read(rank)
            if state is not None and state.error:
                return ProcessError(state.error)
        return None

    def _first(self, key: str, value: str) -> str:
        """What the first process to say something under this key has said."""
        with self._lock, _store_errors():
            found = self._store.compare_set(key, "", value).decode()
        self._keys.append((self._store, key))
        return found

    def _is_there(self, name: str) -> bool:
        with self._lock, _store_errors():
            return self._store.check([f"value/{name}"])

    def _set(self, key: str, value: Any) -> None:
        with self._lock, _store_errors():
            self._store.set(key, value)
        self._keys.append((self._store, key))

    def _tell(self, **changes: Any) -> None:
        """Change what this process tells of itself; raises ProcessError where the store is gone, and so its keeper."""
        with self._lock, _store_errors():
            self._own = replace(self._own, **changes)
            self._store.set(f"state/{self.rank}", json.dumps(self._own.__dict__))

    def _tell_failure(self, failure: BaseException) -> None:
        try:
            self._tell(error=str(failure))
        except ProcessError as error:
            _LOGGER.warning("the other processes cannot be told: %s", error)

    def _failure_of(self, error: BaseException) -> ProcessError:
        """What the others are told of an error that ends the work here."""
        if isinstance(error, ProcessError):
            return error
        if isinstance(error, OpenS2VError):
            return self._failure(self.rank, f"stopped: {error}")
        return self._failure(self.rank, f"was interrupted ({error!r})")

    def _failure(self, rank: int, what: str) -> ProcessError:
        """The error for all to raise when one process is at fault."""
        return ProcessError(f"process {rank} of {self.count} {what}; {self.consequence}")

    def _disagreement(self, one: str, other: str) -> ProcessError:
        return ProcessError(
            f"{one} was given other videos, references or settings than {other}; give all of them the same, they share "
            "the work by themselves, or pass distributed=False to compute everything in each"
        )

    def _look(self) -> list[_State | None]:
        """See how far each process is.

        Raises:
            ProcessError: one of them failed, died, hangs, never came, or has other work.
        """
        now = time.monotonic()
        for rank in range(self.count):
            before, state = self._states[rank], self._read(rank)
            self._states[rank] = state
            if state is None:
                self._await_arrival(rank, now)
                continue
            if state.error:
                raise ProcessError(state.error)
            if state.work != self._own.work:
                raise self._disagreement(f"process {rank} of {self.count}", f"process {self.rank}")
            if before is None or state.beat != before.beat:
                self._last_beat[rank] = now
            if before is None or state.done != before.done:
                self._last_video[rank] = now
            if rank != self.rank and not state.finished:  # one who has finished has handed everything over
                self._check_alive(rank, now)
        there = [state for state in self._states if state is not None]
        self._progress.update(sum(state.done for state in there), sum(state.failed for state in there))
        return self._states

    def _read(self, rank: int) -> _State | None:
        with self._lock, _store_errors():
            if rank == self.rank:
                return self._own
            if not self._store.check([f"state/{rank}"]):
                return None
            return _State(**json.loads(self._store.get(f"state/{rank}")))

    def _await_arrival(self, rank: int, now: float) -> None:
        waited = now - self._since
        remedy = "every process must make the same call; to compute on one of them alone, pass distributed=False"
        if waited > self._patience.arrival_s:
            raise ProcessError(
                f"process {rank} of {self.count} has not joined the work within {waited:.0f} s: {remedy}"
            )
        if waited > self._patience.hint_after_s and not self._hinted:
            self._hinted = True
            _LOGGER.warning("process %d of %d has not joined the work yet: %s", rank, self.count, remedy)

    def _check_alive(self, rank: int, now: float) -> None:
        silent, stuck = now - self._last_beat[rank], now - self._last_video[rank]
        if silent > self._patience.dead_after_s:
            raise self._failure(rank, f"has given no sign of life for {silent:.0f} s")
        if stuck > self._patience.video_s:
            raise self._failure(rank, f"has been at one video for {stuck:.0f} s")

    def _beat(self) -> None:
        while not self._left.wait(self._patience.beat_s):
            try:
                self._tell(beat=self._own.beat + 1)
            except ProcessError:
                return  # whoever does the work meets the same error and raises it


def _connect() -> tuple[int, int]:
    """This process's index and how many there are, once `accelerate` has brought them together."""
    if not dist.is_initialized():
        cpu = parse_flag_from_env("ACCELERATE_USE_CPU") or not torch.cuda.is_available()
        try:
            PartialState(cpu=cpu)
        except (RuntimeError, ValueError, OSError) as error:
            raise ProcessError(
                f"the processes that were launched cannot be brought together: {' '.join(str(error).split())}; check "
                "that there is a device for each (--num_processes) and that they reach each other, or launch one"
            ) from error
    if not dist.is_initialized():
        raise ProcessError(
            "several processes were launched and accelerate was set up for a lone one; create its state with "
            "Accelerator(cpu=True) where there is no GPU, or pass distributed=False to compute everything in each"
        )
    return dist.get_rank(), dist.get_world_size()


@contextmanager
def _store_errors() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        raise ProcessError(
            "the launcher or the main process, which kept the processes together, is gone; there is no result "
            f"({' '.join(str(error).split())[:200]})"
        ) from error


@contextmanager
def _answering_sigterm(team: Together) -> Iterator[None]:
    """Let a process say why it ends: a launcher stops those that remain with SIGTERM when one of them has gone."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        raise team.published_failure() or ProcessError(
            f"process {team.rank} of {team.count} was told to stop (SIGTERM) before all videos were scored: another "
            f"process has died, or the run was cancelled; {team.consequence}. The launcher's report names the process "
            "that ended first; its memory is the first thing to check"
        )

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before if before is not None else signal.SIG_DFL)
