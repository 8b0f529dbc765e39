"""Progress of a run, on standard error."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from tqdm import tqdm

from opens2v_hf._util.console import is_quiet, say

LINE_EVERY_S = 15.0
"""Between two lines where there is no terminal."""

_BYTES = "B"
_RECENT = 32
"""Updates that the rate is computed from: what comes out of a journal at once says nothing about the rest."""


class Progress:
    """A bar on a terminal; elsewhere a line now and then with rate and remaining time.

    Args:
        total: of the things to be done.
        description: of the work.
        unit: what is counted, in the singular; "B" for bytes, which are written with a prefix.
        initial: done by an earlier run; it does not count for the rate.
        shown: False to show nothing, as in all but one of several processes.
        clock: seconds; for tests.
    """

    def __init__(
        self,
        total: int,
        *,
        description: str,
        unit: str,
        initial: int = 0,
        shown: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._total = total
        self._initial = initial
        self._description = description
        self._unit = unit
        self._done, self._failed = initial, 0
        self._clock = clock
        self._begin = self._last_line = clock()
        self._recent: deque[tuple[float, int]] = deque([(self._begin, initial)], maxlen=_RECENT)
        self._shown = shown and not is_quiet()
        self._has_lines = False
        self._bar: Any = None
        if self._shown and sys.stderr is not None and sys.stderr.isatty():
            self._bar = tqdm(
                total=total, initial=initial, desc=description, unit=unit, unit_scale=unit == _BYTES, file=sys.stderr,
                dynamic_ncols=True,
            )  # fmt: skip

    def advance(self, count: int) -> None:
        """Say how many more are done."""
        self.update(self._done + count)

    def update(self, done: int, failed: int = 0) -> None:
        """Say how many are done so far, which never goes back, and how many of those failed."""
        self._done, before = max(done, self._done), self._done
        self._failed = failed
        if self._bar is not None:
            if self._failed:
                self._bar.set_postfix_str(f"{self._failed} failed", refresh=False)
            self._bar.update(self._done - before)
        elif self._shown and self._done > before:
            now = self._clock()
            self._recent.append((now, self._done))
            if self._is_due(now):
                self._last_line = now
                self._has_lines = True
                say(self._line(now), error=True)

    def _is_due(self, now: float) -> bool:
        """Whether a line is printed: every now and then, at the end, and at first where the run will be long."""
        if self._has_lines and self._done >= self._total:
            return True
        expected = (now - self._begin) * (self._total - self._done) / (self._done - self._initial)
        return now - self._last_line >= LINE_EVERY_S or (not self._has_lines and expected >= 2 * LINE_EVERY_S)

    def _line(self, now: float) -> str:
        if self._unit == _BYTES:
            line = f"{self._description}: {_size(self._done)} of {_size(self._total)}"
        else:
            line = f"{self._description}: {self._done} of {self._total} {self._unit}s"
        if self._failed:
            line += f", {self._failed} failed"
        line += f", {duration(now - self._begin)}"
        since, done_then = self._recent[0]
        if self._done >= self._total or now <= since:
            return line
        rate = (self._done - done_then) / (now - since)
        return f"{line}, {_per_time(rate, self._unit)}, about {duration((self._total - self._done) / rate)} left"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()


def duration(seconds: float) -> str:
    """A time for people.

    Example:
        >>> duration(8.4), duration(75), duration(3 * 3600 + 140)
        ('8 s', '1 min 15 s', '3 h 2 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _size(count: float) -> str:
    """A number of bytes with a prefix of 1000s, e.g. "1.50MB"."""
    return f"{tqdm.format_sizeof(count)}B"


def _per_time(rate: float, unit: str) -> str:
    if unit == _BYTES:
        return f"{_size(rate)}/s"
    return f"{rate:.1f} {unit}s/s" if rate >= 1 else f"{1 / rate:.1f} s/{unit}"
