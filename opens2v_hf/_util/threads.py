"""Work on the items of an iterator by several threads, with the results in its order."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from time import thread_time
from typing import TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

MAX_THREADS = 8
"""Of one iterator; several may be at work, one for each video that is scored at a time."""

_CORE_SECONDS: ContextVar[list[float] | None] = ContextVar("core_seconds", default=None)
"""Gets the processor seconds of each item of `in_order`."""


def usable_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def core_seconds() -> Iterator[Callable[[], float]]:
    """Processor seconds since the block began: of its own thread, and of the threads of `in_order` that it uses."""
    begin = thread_time()
    of_items: list[float] = []
    token = _CORE_SECONDS.set(of_items)
    try:
        yield lambda: thread_time() - begin + sum(of_items)
    finally:
        _CORE_SECONDS.reset(token)


def in_order(
    work: Callable[[_Item], _Result], items: Iterable[_Item], *, threads: int | None = None
) -> Iterator[_Result]:
    """The results of `map`, computed ahead by threads; for work that releases Python's lock.

    Items are taken by the caller's thread, one for each result and `threads` ahead, so that many are in memory. What
    `work` or `items` raises is raised in its place. With one thread nothing is worked out ahead.

    Args:
        work: called by other threads.
        items: taken as they are needed.
        threads: by default as many as there are cores, up to `MAX_THREADS`.

    Example:
        >>> list(in_order(len, ["a", "bb", "ccc"], threads=2))
        [1, 2, 3]
    """
    threads = min(MAX_THREADS, usable_cores()) if threads is None else threads
    if threads == 1:
        yield from map(work, items)
        return
    of_items = _CORE_SECONDS.get()

    def timed(item: _Item) -> _Result:
        begin = thread_time()
        try:
            return work(item)
        finally:
            if of_items is not None:
                of_items.append(thread_time() - begin)

    with ThreadPoolExecutor(threads, thread_name_prefix="ahead") as pool:
        waiting: deque[Future[_Result]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(timed, item))
                if len(waiting) > threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:  # the caller wants no more
                future.cancel()
