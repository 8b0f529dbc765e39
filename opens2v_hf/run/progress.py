"""How far a run is, on standard error."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TypeVar

from tqdm import tqdm

_Item = TypeVar("_Item")


def progress(items: Sequence[_Item], *, description: str, unit: str) -> Iterable[_Item]:
    """Iterate with a progress bar on a terminal, and with a line now and then where there is none."""
    stream = sys.stderr
    if stream is not None and stream.isatty():
        return tqdm(items, desc=description, unit=unit, file=stream)
    return _plain_progress(items, description, unit)


def _plain_progress(items: Sequence[_Item], description: str, unit: str) -> Iterable[_Item]:
    """At most some ten lines on standard error, so that a log file stays readable."""
    step = max(1, len(items) // 10)
    for index, item in enumerate(items):
        yield item
        if (index + 1) % step == 0 or index + 1 == len(items):
            print(f"{description}: {index + 1} of {len(items)} {unit}s", file=sys.stderr, flush=True)
