"""Calls that may take some time and no longer."""

from __future__ import annotations

import contextvars
import queue
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

_Result = TypeVar("_Result")

_POLL_S = 0.2


class TimeLimitError(Exception):
    """A call did not return in time; its thread was left behind."""


class TimeLimited:
    """Makes calls in a thread of its own, one after another, so that the caller can give one up.

    Python cannot end a thread. One that hangs in native code is left behind as a daemon, which does not keep the
    process alive, and the next call gets a new thread. Only the calling thread may write anything that lasts.
    """

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[Any] | None = None

    def call(self, work: Callable[[], _Result], seconds: float, *, check: Callable[[], None] = lambda: None) -> _Result:
        """What `work` returns or raises.

        Args:
            work: to do.
            seconds: that it may take.
            check: is called now and then meanwhile; what it raises ends the call.

        Raises:
            TimeLimitError: it did not return in time.
        """
        if self._calls is None:
            self._calls = queue.SimpleQueue()
            threading.Thread(target=_serve, args=(self._calls,), name="opens2v-unit", daemon=True).start()
        answer: queue.SimpleQueue[tuple[Any, BaseException | None]] = queue.SimpleQueue()
        context = contextvars.copy_context()
        self._calls.put((lambda: context.run(work), answer))
        try:
            value, error = _wait(answer, seconds, check)
        except BaseException:  # it takes too long, or the caller was interrupted while it waited
            self.close()
            raise
        if error is not None:
            raise error
        return value

    def close(self) -> None:
        """Let the thread end when it has nothing to do; a later call gets a new one."""
        calls, self._calls = self._calls, None
        if calls is not None:
            calls.put(None)


def _wait(answer: queue.SimpleQueue[Any], seconds: float, check: Callable[[], None]) -> Any:
    until = time.monotonic() + seconds
    while True:
        left = until - time.monotonic()
        try:
            return answer.get(timeout=max(0.0, min(left, _POLL_S)))
        except queue.Empty:
            if left <= _POLL_S:
                raise TimeLimitError from None
        check()


def _serve(calls: queue.SimpleQueue[Any]) -> None:
    while (call := calls.get()) is not None:
        work, answer = call
        del call
        try:
            answer.put((work(), None))
        except BaseException as error:  # whatever it is, the caller raises it
            answer.put((None, error))
        del work, answer
