"""How far a run is, on standard error."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any, Self

from tqdm import tqdm

_PLAIN_LINES = 10


class Progress:
    """A bar on a terminal, and some ten lines where there is none, so that a log file stays readable.

    Args:
        total: of the things to be done.
        description: of what is going on.
        unit: what is counted, in the singular.
        shown: False to show nothing: of several processes one speaks for all.
    """

    def __init__(self, total: int, *, description: str, unit: str, shown: bool = True) -> None:
        self._total = total
        self._description = description
        self._unit = unit
        self._done = self._told = self._failed = 0
        self._stream = sys.stderr if shown else None
        self._bar: Any = None
        if self._stream is not None and self._stream.isatty():
            self._bar = tqdm(total=total, desc=description, unit=unit, file=self._stream)

    def update(self, done: int, failed: int = 0) -> None:
        """Say how many are done so far, which never goes back, and how many of those failed."""
        self._done, before = max(done, self._done), self._done
        self._failed = failed
        if self._bar is not None:
            if self._failed:
                self._bar.set_postfix_str(f"{self._failed} failed", refresh=False)
            self._bar.update(self._done - before)
        elif self._stream is not None and self._done > before:
            step = max(1, self._total // _PLAIN_LINES)
            if self._done // step > self._told // step or self._done >= self._total:
                self._told = self._done
                failed_note = f", {self._failed} failed" if self._failed else ""
                line = f"{self._description}: {self._done} of {self._total} {self._unit}s{failed_note}"
                print(line, file=self._stream, flush=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()
