"""Several groups at a time in one process, so that a device does not wait for a decoder."""

from __future__ import annotations

import os
import threading
from collections import defaultdict
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import TypeVar

from opens2v_hf._util import processes as launcher
from opens2v_hf._util.threads import usable_cores

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

_LEAST_BYTES = 2 << 30
_MOST_WORKERS = 16
_POLL_S = 0.1


class StoppedError(BaseException):
    """The run ends; the work of this thread is not needed any more."""


class Shared:
    """Resources that groups share: locks, and a bound on memory.

    Args:
        max_bytes: of memory for the inputs of all groups; a larger input is processed alone. By default the share of
            this process in a quarter of the machine's memory.
    """

    def __init__(self, max_bytes: int | None = None) -> None:
        self._max_bytes = _default_bytes() if max_bytes is None else max_bytes
        self._used_bytes = 0
        self._memory = threading.Condition()
        self._locks: dict[str, threading.Lock] = defaultdict(threading.Lock)
        self._is_stopped = threading.Event()

    def stop(self) -> None:
        """Make all threads end as soon as they can."""
        self._is_stopped.set()

    def check(self) -> None:
        """Raise StoppedError if the run has ended."""
        if self._is_stopped.is_set():
            raise StoppedError

    @contextmanager
    def alone_with(self, resource: str) -> Iterator[None]:
        """Hold the lock of a resource during the block; "" is no resource."""
        if not resource:
            yield
            return
        lock = self._locks[resource]
        while not lock.acquire(timeout=_POLL_S):
            self.check()
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def memory(self, num_bytes: int) -> Iterator[None]:
        """Reserve memory during the block; waits until it is free."""
        with self._memory:
            while self._used_bytes and self._used_bytes + num_bytes > self._max_bytes:
                self.check()
                self._memory.wait(_POLL_S)
            self._used_bytes += num_bytes
        try:
            yield
        finally:
            with self._memory:
                self._used_bytes -= num_bytes
                self._memory.notify_all()


def default_workers() -> int:
    """Number of groups at a time: the number of cores of this process, at most 16."""
    return max(1, min(_MOST_WORKERS, usable_cores() // launcher.num_local_processes()))


def _default_bytes() -> int:
    try:
        all_bytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):  # not on this system
        all_bytes = 0
    return max(_LEAST_BYTES, all_bytes // 4) // launcher.num_local_processes()


def overlapped(
    work: Callable[[_Item], _Result],
    items: Iterable[_Item],
    *,
    workers: int,
    shared: Shared,
    begin: Callable[[_Item], None],
) -> Generator[tuple[_Item, _Result]]:
    """Do the work for several items at a time; an item is taken when a thread is free.

    Args:
        work: for one item.
        items: in the order in which to begin them.
        workers: number of threads; 1 does the work in the calling thread.
        shared: is stopped when the caller ends early.
        begin: called in the calling thread before an item is begun.

    Yields:
        Each item with its result, in the order in which they finish.
    """
    if workers <= 1:
        for item in items:
            begin(item)
            yield item, work(item)
        return
    with ThreadPoolExecutor(workers, thread_name_prefix="opens2v-group") as pool:
        running: dict[Future[_Result], _Item] = {}
        try:
            for item in items:
                begin(item)
                running[pool.submit(work, item)] = item
                if len(running) >= workers:
                    yield from _finished(running)
            while running:
                yield from _finished(running)
        except BaseException:
            shared.stop()
            raise


def _finished(running: dict[Future[_Result], _Item]) -> Iterator[tuple[_Item, _Result]]:
    done, _ = wait(running, return_when=FIRST_COMPLETED)
    for future in done:
        yield running.pop(future), future.result()
