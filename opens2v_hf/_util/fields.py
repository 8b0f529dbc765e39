"""Reading records of JSON that somebody else may have written: every field is of its type, or an error says where."""

from __future__ import annotations

import json
import math
import os
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from opens2v_hf._util.console import UNPRINTABLE
from opens2v_hf.errors import ResultError

MAX_BYTES = 1 << 30
MAX_LINE = 1000
A_LINE = f"a string of at most {MAX_LINE} printable characters"

_MAX_COUNT = 2**53
_MAX_SHOWN = 60


def read_json(path: str | os.PathLike[str], *, max_bytes: int = MAX_BYTES) -> Any:
    """The value in a JSON file.

    Args:
        path: of the file.
        max_bytes: a bigger file is refused before it is read.

    Raises:
        ResultError: the file is missing, too big, no UTF-8, no JSON, nested too deep, or has NaN or Infinity in it.
    """
    place = Path(path)
    try:
        if place.stat().st_size > max_bytes:
            raise ResultError(f"{place} has {place.stat().st_size} bytes; more than {max_bytes} are not read")
        text = place.read_text(encoding="utf-8-sig")  # editors on Windows put a byte order mark first
        value = json.loads(text, parse_constant=_no_constant)
        if "\\u" in text:  # half of a surrogate pair, which only an escape can hold, cannot be written anywhere
            json.dumps(value, ensure_ascii=False).encode("utf-8")
        return value
    except OSError as error:
        raise ResultError(f"cannot read the result {place}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ResultError(f"{place} is no JSON ({str(error)[:200]}); give a file that `opens2v score` wrote") from error


class Fields:
    """An object of JSON whose fields are read by their type.

    Args:
        value: as the json module gives it.
        source: the file, for messages.
        where: the place of `value` in it.

    Raises:
        ResultError: by every method, where a field is missing or is something else.

    Example:
        >>> fields = Fields({"model": "a", "coverage": {"found": -1}}, "r.json")
        >>> fields.text("model")
        'a'
        >>> fields.child("coverage").count("found")
        Traceback (most recent call last):
        ...
        opens2v_hf.errors.ResultError: r.json is a malformed result: coverage.found should be a count from 0 (got -1)
    """

    def __init__(self, value: object, source: str, where: str = "") -> None:
        self._source = source
        self._where = where
        if not isinstance(value, dict):
            raise self.error(f"{where or 'it'} should be an object (got {_shown(value)})")
        self._value = value

    def error(self, what: str) -> ResultError:
        """An error about this file."""
        return ResultError(f"{self._source} is a malformed result: {what}")

    def text(self, name: str, *, default: str | None = None) -> str:
        """A string; `default` where the field is absent."""
        value = self._get(name) if default is None else self._value.get(name, default)
        return value if isinstance(value, str) else self._refuse(name, "a string", value)

    def line(self, name: str) -> str:
        """A string that can be printed: one line, no control characters, not without end."""
        value = self.text(name)
        return value if is_line(value) else self._refuse(name, A_LINE, value)

    def line_or_none(self, name: str) -> str | None:
        """A string that can be printed, or null; an absent field is null."""
        return None if self._value.get(name) is None else self.line(name)

    def count(self, name: str) -> int:
        """A whole number from 0."""
        value = self._get(name)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MAX_COUNT:
            self._refuse(name, "a count from 0", value)
        return value

    def count_or_none(self, name: str) -> int | None:
        """A whole number from 0, or null; an absent field is null."""
        return None if self._value.get(name) is None else self.count(name)

    def number_or_none(self, name: str) -> float | None:
        """A finite number or null; an absent field is null."""
        value = self._value.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not _is_finite(value):
            self._refuse(name, "a finite number or null", value)
        return float(value)

    def flag(self, name: str) -> bool:
        """True or false; an absent field is false."""
        value = self._value.get(name, False)
        return value if isinstance(value, bool) else self._refuse(name, "true or false", value)

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of strings."""
        value = self._get(name)
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self._refuse(name, "a list of strings", value)
        return tuple(value)

    def lines(self, name: str) -> tuple[str, ...]:
        """A list of strings that can be printed."""
        value = self._get(name)
        if not isinstance(value, list) or not all(isinstance(item, str) and is_line(item) for item in value):
            self._refuse(name, f"a list, each {A_LINE}", value)
        return tuple(value)

    def mapping(self, name: str) -> dict[str, Any]:
        """An object as it is; empty where the field is absent."""
        value = self._value.get(name, {})
        return value if isinstance(value, dict) else self._refuse(name, "an object", value)

    def child(self, name: str) -> Self:
        """An object."""
        return type(self)(self._get(name), self._source, self._inside(name))

    def children(self, name: str) -> list[Self]:
        """A list of objects."""
        value = self._get(name)
        if not isinstance(value, list):
            self._refuse(name, "a list", value)
        return [type(self)(item, self._source, f"{self._inside(name)}[{index}]") for index, item in enumerate(value)]

    def items(self) -> Iterator[tuple[str, Self]]:
        """Every field, each an object."""
        for name in self._value:
            yield name, self.child(name)

    def _get(self, name: str) -> Any:
        if name not in self._value:
            raise self.error(f"{self._inside(name)} is missing")
        return self._value[name]

    def _inside(self, name: str) -> str:
        return f"{self._where}.{name[:_MAX_SHOWN]}" if self._where else name[:_MAX_SHOWN]

    def _refuse(self, name: str, wanted: str, value: object) -> Any:
        raise self.error(f"{self._inside(name)} should be {wanted} (got {_shown(value)})")


def is_line(value: str) -> bool:
    """Whether a string can be printed in one line: no control characters, no half characters, not without end."""
    return len(value) <= MAX_LINE and not any(map(_is_unprintable, value))


def as_line(value: str) -> str:
    r"""A string as one that can be printed in one line.

    Example:
        >>> as_line("bell\x07 and\nbreak")
        'bell? and?break'
    """
    return "".join("?" if _is_unprintable(letter) else letter for letter in value[:MAX_LINE])


def _is_unprintable(letter: str) -> bool:
    return unicodedata.category(letter) in UNPRINTABLE


def _is_finite(value: int | float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond the largest float
        return False


def _shown(value: object) -> str:
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > _MAX_COUNT:
        return "a very large number"
    text = repr(value)
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}..."


def _no_constant(word: str) -> float:
    raise ValueError(f"{word} is no number of JSON")
