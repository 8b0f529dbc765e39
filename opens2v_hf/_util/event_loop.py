"""One event loop, in a thread of its own, for requests that have a time limit as a whole."""

from __future__ import annotations

import asyncio
import functools
import os
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

_Result = TypeVar("_Result")


_lock = threading.Lock()


def event_loop() -> asyncio.AbstractEventLoop:
    """The loop of this process. `asyncio.run` has none to offer where one runs already, as in a notebook."""
    with _lock:  # several threads may send their first requests at once
        return _running_loop()


@functools.cache
def _running_loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="opens2v-requests", daemon=True).start()
    return loop


def run_coroutine(coroutine: Coroutine[Any, Any, _Result]) -> _Result:
    """Wait for a coroutine, which is cancelled where the wait is interrupted."""
    under_way = asyncio.run_coroutine_threadsafe(coroutine, event_loop())
    try:
        return under_way.result()
    finally:
        under_way.cancel()


def run_within(limit_s: float, coroutine: Coroutine[Any, Any, _Result]) -> _Result:
    """Wait for a coroutine, such as one exchange with a server from the connection to the last byte.

    A blocking client bounds each read, and a server that sends a byte now and then is waited for without end.

    Raises:
        TimeoutError: it took longer.
    """

    async def bounded() -> _Result:
        async with asyncio.timeout(limit_s):
            return await coroutine

    return run_coroutine(bounded())


def _begin_again() -> None:
    """A forked process has no such thread, and none that would release the lock."""
    global _lock
    _lock = threading.Lock()
    _running_loop.cache_clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_again)
