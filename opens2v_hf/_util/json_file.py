"""Reading JSON files that other programs may have written."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from opens2v_hf.errors import ResultError

MAX_BYTES = 1 << 30


def read_json(path: str | os.PathLike[str], *, max_bytes: int = MAX_BYTES) -> Any:
    """The value in a JSON file.

    Args:
        path: of the file.
        max_bytes: a bigger file is refused before it is read.

    Raises:
        ResultError: the file is missing, too big, not UTF-8, not JSON, nested too deep, or has NaN or Infinity in it.
    """
    file = Path(path)
    try:
        if file.stat().st_size > max_bytes:
            raise ResultError(f"{file} has {file.stat().st_size} bytes; more than {max_bytes} are not read")
        text = file.read_text(encoding="utf-8-sig")  # editors on Windows put a byte order mark first
        value = json.loads(text, parse_constant=_no_constant)
        if "\\u" in text:  # half of a surrogate pair, which only an escape can hold, cannot be written anywhere
            json.dumps(value, ensure_ascii=False).encode("utf-8")
        return value
    except OSError as error:
        raise ResultError(f"cannot read the result {file}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ResultError(f"{file} is not JSON ({str(error)[:200]}); give a file that `opens2v score` wrote") from error


def _no_constant(word: str) -> float:
    raise ValueError(f"{word} is not a number of JSON")
