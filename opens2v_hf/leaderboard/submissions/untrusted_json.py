"""Read an untrusted JSON file, strictly, with limits on size and depth."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

from opens2v_hf.results.problem import Problem, SubmissionError, shown

MAX_BYTES = 1 << 20
"""Ten times what a record of the largest split needs."""

MAX_DEPTH = 8
MAX_DIGITS = 40
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"?|[\[{\]}]', re.DOTALL)
"""A string, which may be cut off, or a bracket."""


def read_file(path: Path) -> bytes:
    """A file's content; a file that is too large is not read.

    Raises:
        SubmissionError: the file is missing or cannot be read.
    """
    try:
        if not path.is_file():
            raise _refused("not_a_file", f"{shown(path)} is not a file", "give a submission's JSON file")
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise SubmissionError(str(path), [too_large(path.stat().st_size)])
    except OSError as error:
        raise _refused("unreadable", f"{shown(path)}: {error.strerror}", "check the file and its rights") from error
    return content


def too_large(num_bytes: int) -> Problem:
    """The problem of a file beyond `MAX_BYTES`."""
    what = f"the file has {num_bytes:,} bytes, more than {MAX_BYTES:,}"
    return Problem("too_large", "", what, "submit the file that `opens2v push` writes, without anything added")


def parse(content: bytes, *, bom: bool = False) -> Any:
    """The JSON value in a file's content.

    Args:
        content: of the file.
        bom: whether a byte order mark before it is skipped. Plain `datasets` cannot read a file that has one.

    Raises:
        SubmissionError: more than `MAX_BYTES`, nesting beyond `MAX_DEPTH`, another encoding than UTF-8, a key that is
            there twice in an object, NaN and Infinity, numbers too large or too long to be held, or no JSON at all.
    """
    if len(content) > MAX_BYTES:
        raise SubmissionError("the file", [too_large(len(content))])
    try:
        text = content.decode("utf-8-sig" if bom else "utf-8")
        if text.startswith("\ufeff"):
            what = "the file begins with a byte order mark, which JSON does not allow"
            raise _refused("not_json", what, "save it as UTF-8 without one")
        _refuse_depth(text)
        value = json.loads(
            text,
            object_pairs_hook=_without_doubles,
            parse_constant=_refuse_constant,
            parse_float=_finite,
            parse_int=_short_integer,
        )
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeDecodeError as error:
        raise _refused("not_utf8", f"the file is not UTF-8 (byte {error.start})", "save it as UTF-8") from error
    except UnicodeEncodeError as error:
        what = "a text holds half of a surrogate pair"
        raise _refused("not_utf8", what, "write characters as UTF-8") from error
    except json.JSONDecodeError as error:
        what = f"the file is not JSON: {error.msg} in line {error.lineno}, column {error.colno}"
        raise _refused("not_json", what, "submit the file that `opens2v push` writes") from error
    return value


def _refused(code: str, what: str, remedy: str) -> SubmissionError:
    return SubmissionError("the file", [Problem(code, "", what, remedy)])


def _refuse_depth(text: str) -> None:
    """Before parsing, because a parser's own depth limit is the process's stack."""
    depth = 0
    for token in _TOKEN.finditer(text):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(token[0], 0)
        if depth > MAX_DEPTH:
            what = f"the JSON is nested more than {MAX_DEPTH} deep"
            raise _refused("too_deep", what, "a record needs no more than four levels")


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise _refused("duplicate_key", f"the key {shown(key)} occurs twice in an object", "keep one of them")
        found[key] = value
    return found


def _refuse_constant(word: str) -> float:
    raise _refused("not_finite", f"{word} is not a JSON number", "write null for a missing value")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value) or len(text) > MAX_DIGITS:
        raise _refused("not_finite", f"the number {shown(text)} is too large or too long", "give a finite number")
    return value


def _short_integer(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise _refused("not_finite", f"the number {shown(text)} is too long", "give a number that can be")
    return int(text)
