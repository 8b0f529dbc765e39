"""Work shared by the processes of one `accelerate launch`, so that nothing is lost in silence and nobody waits forever.

While they work, processes see each other on a board in the key-value store through which `torch.distributed` itself
brought them together: how far each is, that it is alive, and whether it failed. Results are handed over in the same
store. No collective operation takes part: it would wait for a process that has died until its timeout, half an hour
or more, and a timeout that is short enough would end runs whose processes finish at different times.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import logging
import pickle
import signal
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import FrameType, TracebackType
from typing import Any, Self, TypeVar

import torch
import torch.distributed as dist
from accelerate import PartialState
from accelerate.utils import parse_flag_from_env

from opens2v_hf.errors import ProcessError
from opens2v_hf.run.assignment import assign
from opens2v_hf.run.progress import progress

_LOGGER = logging.getLogger(__name__)

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

_PART_BYTES = 4 << 20  # the store takes values of up to 8 MiB
_HANDED_OVER: list[tuple[Any, str]] = []  # what this process has left in the store in rounds before
_ROUNDS = itertools.count()  # how often work was shared; the same on all processes as long as they do the same


@dataclass(frozen=True)
class Patience:
    """How long is waited for another process, in seconds.

    Attributes:
        beat_s: between two signs of life.
        dead_after_s: without a sign of life.
        arrival_s: until it joins the work; it may still be loading its models.
        video_s: for one video, while it is alive.
        hint_after_s: until one who waits is told what for.
        poll_s: between two looks at the board.
    """

    beat_s: float = 5.0
    dead_after_s: float = 120.0
    arrival_s: float = 2 * 3600.0
    video_s: float = 6 * 3600.0
    hint_after_s: float = 60.0
    poll_s: float = 0.1


@dataclass(frozen=True)
class _State:
    """What a process tells of itself: its work's digest, videos done, whether that is all, its failure, and its age."""

    work: str
    done: int = 0
    finished: bool = False
    error: str = ""
    beat: int = 0


def share(
    work: Callable[[_Item], _Result],
    items: Sequence[_Item],
    *,
    names: Sequence[str],
    costs: Sequence[float],
    setting: Any,
    description: str,
    patience: Patience | None = None,
) -> list[_Result]:
    """Do a part of the work here and get the results of all processes; each of them must call this.

    Args:
        work: for one item; its results, a few MB at most, can be pickled.
        items: the same on each process.
        names: of the items, for messages; compared across processes.
        costs: of the items; they decide who does what, and are compared likewise.
        setting: what else must be the same, JSON-compatible.
        description: for the progress bar of the main process.
        patience: how long others are waited for.

    Returns:
        One result for each item, in their order, on every process.

    Raises:
        ProcessError: on every process that is still there, when one of them failed (the message names it and the
            video), died, hangs, never came, or was given other work. There is no result then.
    """
    rank, count = _connect()
    mine = assign(costs, count)[rank]
    digest = hashlib.sha256(json.dumps([names, costs, setting], sort_keys=True, default=str).encode()).hexdigest()
    results: dict[int, _Result] = {}
    with _Board(rank, count, digest, patience or Patience()) as board, _answering_sigterm(board):
        shown = _Shown(rank, len(items), description)
        for index in mine:
            shown.update(board.look())
            results[index] = _do(work, items[index], names[index], board)
            board.hand_over(index, results[index])
            board.tell(done=len(results))
        board.tell(finished=True)
        while not all(state is not None and state.finished for state in board.look()):
            shown.update(board.states)
            time.sleep(board.patience.poll_s)
        shown.update(board.states)
        found = [results[index] if index in results else board.take(index) for index in range(len(items))]
        board.clear()
        return found


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


def _do(work: Callable[[_Item], _Result], item: _Item, name: str, board: _Board) -> _Result:
    try:
        return work(item)
    except ProcessError:  # told to stop in the middle of it
        raise
    except Exception as error:
        raise board.failure(board.rank, f"failed at {name}: {type(error).__name__}: {error}") from error


class _Shown:
    """The progress of all processes together, shown by the main one."""

    def __init__(self, rank: int, total: int, description: str) -> None:
        items = range(total) if rank == 0 else ()
        self._ticks = iter(progress(items, description=description, unit="video"))
        self._done = 0
        next(self._ticks, None)  # the first item is under way; each further step says that one is done

    def update(self, states: Sequence[_State | None]) -> None:
        done = sum(state.done for state in states if state is not None)
        for _ in range(done - self._done):
            next(self._ticks, None)
        self._done = max(done, self._done)


class _Board:
    """Where each process of one round of work tells of itself and looks at the others.

    Entering it joins the work; a thread gives signs of life until it is left. Whoever leaves it by an error tells all
    others, so that none of them waits for this process, and all raise the same.
    """

    def __init__(self, rank: int, count: int, work: str, patience: Patience) -> None:
        self.rank = rank
        self.count = count
        self.patience = patience
        self.states: list[_State | None] = [None] * count
        store = dist.distributed_c10d._get_default_store()
        self._store = dist.PrefixStore(f"opens2v_hf/{next(_ROUNDS)}", store)
        self._own = _State(work)
        self._keys: list[tuple[Any, str]] = []
        # Entered again by a signal handler that interrupts its holder.
        self._lock = threading.RLock()
        self._left = threading.Event()
        self._beating = threading.Thread(target=self._beat, name="opens2v-beat", daemon=True)
        self._since = time.monotonic()
        self._last_beat = [self._since] * count
        self._last_video = [self._since] * count
        self._hinted = False

    def __enter__(self) -> Self:
        self.tell()
        self._beating.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._left.set()
        self._beating.join()
        _HANDED_OVER.extend(self._keys)
        if error is not None:
            known = isinstance(error, ProcessError)
            self._tell_failure(error if known else self.failure(self.rank, f"was interrupted ({error!r})"))

    def tell(self, **changes: Any) -> None:
        """Change what this process tells of itself.

        Raises:
            ProcessError: the store is gone, and with it the process that kept it.
        """
        with self._lock, _store_errors():
            self._own = replace(self._own, **changes)
            self._store.set(f"state/{self.rank}", json.dumps(self._own.__dict__))

    def hand_over(self, index: int, result: Any) -> None:
        """Leave the result of an item for the other processes.

        Raises:
            ProcessError: the store is gone.
        """
        data = zlib.compress(pickle.dumps(result))
        parts = [data[start : start + _PART_BYTES] for start in range(0, len(data), _PART_BYTES)]
        for number, part in enumerate(parts):
            self._set(f"result/{index}/{number}", part)
        self._set(f"result/{index}", str(len(parts)))

    def take(self, index: int) -> Any:
        """The result of an item that another process has handed over.

        Raises:
            ProcessError: there is none, or the store is gone.
        """
        with self._lock, _store_errors():
            if not self._store.check([f"result/{index}"]):
                raise ProcessError(f"no process has handed over the result of video {index}; there is no result")
            count = int(self._store.get(f"result/{index}"))
            data = b"".join(self._store.get(f"result/{index}/{number}") for number in range(count))
        return pickle.loads(zlib.decompress(data))  # noqa: S301  the processes are of one launch

    def clear(self) -> None:
        """Free what this process left in the store in rounds before: all are in this one and have read it."""
        with self._lock, _store_errors():
            while _HANDED_OVER:
                store, key = _HANDED_OVER.pop()
                store.delete_key(key)

    def _set(self, key: str, value: Any) -> None:
        with self._lock, _store_errors():
            self._store.set(key, value)
        self._keys.append((self._store, key))

    def _tell_failure(self, failure: BaseException) -> None:
        try:
            self.tell(error=str(failure))
        except ProcessError as error:
            _LOGGER.warning("the other processes cannot be told: %s", error)

    def failure(self, rank: int, what: str) -> ProcessError:
        """The error for all to raise when one process is at fault."""
        return ProcessError(f"process {rank} of {self.count} {what}; its videos have no score, so there is no result")

    def look(self) -> list[_State | None]:
        """See how far each process is.

        Raises:
            ProcessError: one of them failed, died, hangs, never came, or has other work.
        """
        now = time.monotonic()
        for rank in range(self.count):
            before, state = self.states[rank], self._read(rank)
            self.states[rank] = state
            if state is None:
                self._await_arrival(rank, now)
                continue
            if state.error:
                raise ProcessError(state.error)
            if state.work != self._own.work:
                raise ProcessError(
                    f"process {rank} of {self.count} was given other videos, references or settings than process "
                    f"{self.rank}; give all of them the same, they share the work by themselves, or pass "
                    "distributed=False to compute everything in each"
                )
            if before is None or state.beat != before.beat:
                self._last_beat[rank] = now
            if before is None or state.done != before.done:
                self._last_video[rank] = now
            if rank != self.rank and not state.finished:  # one who has finished has handed everything over
                self._check_alive(rank, now)
        return self.states

    def published_failure(self) -> ProcessError | None:
        """The failure that some process told of, if any."""
        for rank in range(self.count):
            state = self._read(rank)
            if state is not None and state.error:
                return ProcessError(state.error)
        return None

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
        if waited > self.patience.arrival_s:
            raise ProcessError(
                f"process {rank} of {self.count} has not joined the work within {waited:.0f} s: {remedy}"
            )
        if waited > self.patience.hint_after_s and not self._hinted:
            self._hinted = True
            _LOGGER.warning("process %d of %d has not joined the work yet: %s", rank, self.count, remedy)

    def _check_alive(self, rank: int, now: float) -> None:
        silent, stuck = now - self._last_beat[rank], now - self._last_video[rank]
        if silent > self.patience.dead_after_s:
            raise self.failure(rank, f"has given no sign of life for {silent:.0f} s")
        if stuck > self.patience.video_s:
            raise self.failure(rank, f"has been at one video for {stuck:.0f} s")

    def _beat(self) -> None:
        while not self._left.wait(self.patience.beat_s):
            try:
                self.tell(beat=self._own.beat + 1)
            except ProcessError:
                return  # whoever does the work meets the same error and raises it


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
def _answering_sigterm(board: _Board) -> Iterator[None]:
    """Let a process say why it ends: a launcher stops those that remain with SIGTERM when one of them has gone."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        raise board.published_failure() or ProcessError(
            f"process {board.rank} of {board.count} was told to stop (SIGTERM) before all videos were scored: another "
            "process has died, or the run was cancelled; there is no result. The launcher's report names the process "
            "that ended first; its memory is the first thing to check"
        )

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before if before is not None else signal.SIG_DFL)
