"""How far a long job is: a bar on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self

from tqdm import tqdm

from opens2v_hf._util.console import is_quiet

PLAIN_LINE_EVERY_S = 10.0


class Progress:
    """Counts bytes of a job against its total, with rate and remaining time, on standard error.

    Args:
        what: the job, a few words.
        total: its bytes.
        done: bytes that an earlier run has done; they count, but not for the rate.
    """

    def __init__(self, what: str, total: int, *, done: int = 0) -> None:
        self._what = what
        self._total = total
        self._initial = done
        self._done = done
        self._begin = time.monotonic()
        self._last_line = self._begin
        self._bar: tqdm | None = None
        if sys.stderr.isatty() and not is_quiet():
            self._bar = tqdm(total=total, initial=done, desc=what, unit="B", unit_scale=True, file=sys.stderr)

    def advance(self, count: int) -> None:
        """So many bytes more are done."""
        self.reach(self._done + count)

    def reach(self, done: int) -> None:
        """So many bytes in all are done."""
        if self._bar is not None:
            self._bar.update(done - self._done)
        self._done = done
        if self._bar is None and not is_quiet() and time.monotonic() - self._last_line >= PLAIN_LINE_EVERY_S:
            self._print_line()

    def _print_line(self) -> None:
        self._last_line = time.monotonic()
        line = tqdm.format_meter(
            self._done,
            self._total,
            self._last_line - self._begin,
            initial=self._initial,
            prefix=self._what,
            unit="B",
            unit_scale=True,
            ncols=0,
        )
        print(line, file=sys.stderr, flush=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()
        elif not is_quiet():
            self._print_line()
