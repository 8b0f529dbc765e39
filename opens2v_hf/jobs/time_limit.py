"""Time limits, and calls with a time limit."""

from __future__ import annotations

import contextvars
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from opens2v_hf.errors import ArgumentError

_Result = TypeVar("_Result")

_POLL_S = 0.2


@dataclass(frozen=True)
class Limits:
    """Time limits in seconds.

    Attributes:
        group_s: for one group (a video); its unfinished units then fail.
        process_s: without progress of another process; then the run ends, with that process named.
        arrival_s: until another process joins the work; it may still be loading its models.
        hint_after_s: until a warning names a process that has not joined.
        poll_s: between two checks of the other processes.
    """

    group_s: float = 2 * 3600.0
    process_s: float = 3 * 3600.0
    arrival_s: float = 2 * 3600.0
    hint_after_s: float = 60.0
    poll_s: float = 0.1

    @classmethod
    def for_videos(cls, group_s: float) -> Limits:
        """Limits for videos that may take `group_s` seconds each.

        Raises:
            ArgumentError: `group_s` is not a positive number.
        """
        if isinstance(group_s, bool) or not isinstance(group_s, int | float) or not group_s > 0:
            raise ArgumentError(f"the time for a video must be a number of seconds above 0 (got {group_s!r})")
        # longer than group_s: a process that gives up a video by itself does not hang
        return cls(group_s=float(group_s), process_s=1.25 * group_s + 600.0)


class TimeLimitError(Exception):
    """A call did not return in time; its thread was abandoned."""


class TimeLimited:
    """Makes calls in a thread of its own, one after another, so that the caller can abandon one.

    Python cannot end a thread. One that hangs in native code is abandoned as a daemon, which does not keep the process
    alive, and the next call gets a new thread. So only the calling thread may write to the journal.
    """

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[Any] | None = None

    def call(self, work: Callable[[], _Result], seconds: float, *, check: Callable[[], None] = lambda: None) -> _Result:
        """Return or raise the outcome of `work`.

        Args:
            work: to do.
            seconds: time limit.
            check: called some times a second while waiting; an exception of it ends the call.

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
        except BaseException:  # the time limit, or an interrupt of the waiting caller
            self.close()
            raise
        if error is not None:
            raise error
        return value

    def close(self) -> None:
        """Let the idle thread end; a later call gets a new one."""
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
        except BaseException as error:  # raised in the calling thread
            answer.put((None, error))
        del work, answer
