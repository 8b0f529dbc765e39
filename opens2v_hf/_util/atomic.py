"""Writing files that are whole or not there."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_NAME_CHARS = 50
"""Of a file's name in that of its temporary file: a name has 255 bytes at most, and a character up to four."""


@contextmanager
def atomic_file(path: Path, *, suffix: str = ".tmp", sync: bool = True) -> Iterator[Path]:
    """A temporary path in the folder of `path` that is renamed to it when the block ends, and deleted when it fails.

    What was written reaches the disk before it gets its name, so that a file that is there after a crash is whole. Its
    mode follows the umask, as that of any new file does.

    Args:
        path: of the file; its folder is made where it is missing.
        suffix: of the temporary file's name, by which leftovers of a killed process are found; before it are the
            last characters of the name, with its ending.
        sync: False to skip the wait for the disk, for files that need not survive a crash of the machine.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name[-_NAME_CHARS:]}.{secrets.token_hex(4)}{suffix}")
    # The tempfile module would make it readable for its owner alone, and `os.replace` keeps that.
    os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
    try:
        yield temporary
        if sync:
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def temporary_folder(parent: Path, prefix: str) -> Path:
    """Make a new folder that is to be renamed when it is complete; its mode follows the umask."""
    folder = parent / f"{prefix[:_NAME_CHARS]}{secrets.token_hex(8)}"
    folder.mkdir(parents=True)
    return folder
