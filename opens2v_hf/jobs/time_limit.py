"""Calls that may take some time and no longer."""

from __future__ import annotations

import contextvars
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

_Result = TypeVar("_Result")


class TimeLimitError(Exception):
    """A call did not return in time; its thread was left behind."""


class TimeLimited:
    """Makes calls in a thread of its own, one after another, so that the caller can give one up.

    Python cannot end a thread. One that hangs in native code is left behind as a daemon, which does not keep the
    process alive, and the next call gets a new thread. Only the calling thread may write anything that lasts.
    """

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[Any] | None = None

    def call(self, work: Callable[[], _Result], seconds: float) -> _Result:
        """What `work` returns or raises.

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
            value, error = answer.get(timeout=max(0.0, min(seconds, threading.TIMEOUT_MAX)))
        except queue.Empty:
            self.close()
            raise TimeLimitError from None
        except BaseException:  # the caller was interrupted while it waited
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


def _serve(calls: queue.SimpleQueue[Any]) -> None:
    while (call := calls.get()) is not None:
        work, answer = call
        del call
        try:
            answer.put((work(), None))
        except BaseException as error:  # whatever it is, the caller raises it
            answer.put((None, error))
        del work, answer
