"""Writing files that are whole or not there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from opens2v_hf._util.atomic import atomic_file


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its place when the block ends, and vanishes when it fails.

    What was written reaches the disk before it gets its name, so that a file that is there after a crash is whole.
    """
    with atomic_file(path) as temporary:
        yield temporary
