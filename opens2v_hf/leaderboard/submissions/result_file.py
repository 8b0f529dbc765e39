"""Telling a result of a scoring run from other files, without reading it whole."""

from __future__ import annotations

import re
from pathlib import Path

from opens2v_hf.errors import ArgumentError, ResultError
from opens2v_hf.results.result import FORMAT

_HEAD_BYTES = 4096
_IS_RESULT = re.compile(rb'\A(?:\xef\xbb\xbf)?\s*\{\s*"format"\s*:\s*"' + re.escape(FORMAT).encode() + rb'"')


def is_result(path: Path) -> bool:
    """Whether a file begins as `opens2v score` writes results."""
    try:
        with path.open("rb") as file:
            return _IS_RESULT.match(file.read(_HEAD_BYTES)) is not None
    except OSError:
        return False


def find_result(path: str | Path) -> Path:
    """The result at a path: a file as it is, or the one result in a folder.

    Args:
        path: of a file, which is not looked at, or of a folder, e.g. the `--out` of `opens2v score`.

    Raises:
        ArgumentError: `path` is empty, or the folder holds several results; the message lists them.
        ResultError: the folder holds none.
    """
    if not str(path):
        raise ArgumentError("the result must be a file or a folder (got an empty text)")
    place = Path(path)
    if not place.is_dir():
        return place
    found = sorted(file for file in place.glob("*.json") if is_result(file))
    if not found:
        raise ResultError(f"{place} holds no result: give a file that `opens2v score` wrote, or its folder")
    if len(found) > 1:
        names = ", ".join(str(file) for file in found)
        raise ArgumentError(f"{place} holds {len(found)} results; give one of them: {names}")
    return found[0]
