"""Reading a file that nobody vouches for: bounded in size and depth, and strictly JSON."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from opens2v_hf.hub.results.schema import mismatches
from opens2v_hf.hub.results.validation.problem import Problem, harmless, shown

MAX_BYTES = 1 << 20
"""Ten times what a record of the largest split needs."""

MAX_DEPTH = 8
MAX_DIGITS = 40
_MAX_FORM_PROBLEMS = 20


class _RefusedError(ValueError):
    def __init__(self, code: str, what: str, remedy: str) -> None:
        super().__init__(what)
        self.problem = Problem(code, "", what, remedy)


def read_file(path: Path) -> tuple[bytes | None, list[Problem]]:
    """A file's content; a file that is too large is not read."""
    try:
        if not path.is_file():
            return None, [Problem("not_a_file", "", f"{shown(path)} is no file", "give a submission's JSON file")]
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        return None, [Problem("unreadable", "", f"{shown(path)}: {error.strerror}", "check the file and its rights")]
    return (content, []) if len(content) <= MAX_BYTES else (None, [too_large(path.stat().st_size)])


def too_large(num_bytes: int) -> Problem:
    """The problem of a file beyond `MAX_BYTES`."""
    what = f"the file has {num_bytes:,} bytes, more than {MAX_BYTES:,}"
    return Problem("too_large", "", what, "submit the file that `opens2v push` writes, without anything added")


def parse(content: bytes) -> tuple[Any, list[Problem]]:
    """The JSON value in a file's content, None with problems where there is none.

    Refused: more than `MAX_BYTES`, nesting beyond `MAX_DEPTH`, other encodings than UTF-8, keys that stand twice in
    an object, NaN and Infinity, numbers too large or too long to be held.
    """
    if len(content) > MAX_BYTES:
        return None, [too_large(len(content))]
    try:
        text = content.decode("utf-8")
        _refuse_depth(text)
        value = json.loads(
            text,
            object_pairs_hook=_without_doubles,
            parse_constant=_refuse_constant,
            parse_float=_finite,
            parse_int=_short_integer,
        )
    except _RefusedError as refused:
        return None, [refused.problem]
    except UnicodeDecodeError as error:
        what = f"the file is not UTF-8 (byte {error.start})"
        return None, [Problem("not_utf8", "", what, "save it as UTF-8")]
    except json.JSONDecodeError as error:
        what = f"the file is no JSON: {error.msg} in line {error.lineno}, column {error.colno}"
        return None, [Problem("not_json", "", what, "submit the file that `opens2v push` writes")]
    return value, _unpaired(value)


def form_problems(record: Any) -> list[Problem]:
    """Fields that are missing, too many, or of another type than a record has."""
    found = []
    for where, what in mismatches(record):
        remedy = "write the record with `opens2v push`, or as the dataset's card says"
        found.append(Problem("form", where, harmless(what), remedy))
        if len(found) == _MAX_FORM_PROBLEMS:
            break
    return found


def _unpaired(value: Any) -> list[Problem]:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return [Problem("not_utf8", "", "a text holds half of a surrogate pair", "write characters as UTF-8")]
    return []


def _refuse_depth(text: str) -> None:
    """Before parsing, because a parser's own depth limit is the process's stack."""
    depth, position, in_string = 0, 0, False
    while position < len(text):
        character = text[position]
        if in_string:
            if character == "\\":
                position += 1
            elif character == '"':
                in_string = False
        elif character == '"':
            in_string = True
        elif character in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                what = f"the JSON is nested more than {MAX_DEPTH} deep"
                raise _RefusedError("too_deep", what, "a record needs no more than four levels")
        elif character in "]}":
            depth -= 1
        position += 1


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise _RefusedError("duplicate_key", f"the key {shown(key)} stands twice in an object", "keep one of them")
        found[key] = value
    return found


def _refuse_constant(word: str) -> float:
    raise _RefusedError("not_finite", f"{word} is no number of JSON", "write null where there is no value")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value) or len(text) > MAX_DIGITS:
        raise _RefusedError("not_finite", f"the number {shown(text)} is too large or too long", "give a finite number")
    return value


def _short_integer(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise _RefusedError("not_finite", f"the number {shown(text)} is too long", "give a number that can be")
    return int(text)
