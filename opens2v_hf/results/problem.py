"""A reason why a submission is refused, or should be looked at by a person."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import ValidationError

from opens2v_hf.errors import ResultError

_SHOWN = 60
_MAX_FORM_PROBLEMS = 20
_FORM_REMEDY = "write the record with `opens2v push`, or by the schema that `opens2v validate --schema` prints"
_TYPES = {
    "model_type": "an object",
    "list_type": "a list",
    "string_type": "a string",
    "string_unicode": "text that UTF-8 can hold",
    "float_type": "a number",
    "int_type": "an integer",
    "bool_type": "true or false",
}


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a submission.

    Attributes:
        code: short and stable, for programs, e.g. "total_mismatch".
        where: field or file, e.g. "columns.gmescore"; empty for the whole.
        what: what is wrong, plain text without anything of the submission that could act on a terminal or a page.
        remedy: what to do about it; may be empty.
        notice: it does not refuse the submission, a person should look at it.
    """

    code: str
    where: str
    what: str
    remedy: str
    notice: bool = False

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        remedy = f"; {self.remedy}" if self.remedy else ""
        return f"{'notice: ' if self.notice else ''}{place}{self.what}{remedy} [{self.code}]"

    def to_dict(self) -> dict[str, Any]:
        """A JSON-compatible dict of the attributes."""
        return asdict(self)


class SubmissionError(ResultError):
    """A submission is refused; `problems` holds every reason.

    Args:
        what: is refused.
        problems: the reasons.
    """

    def __init__(self, what: str, problems: Sequence[Problem]) -> None:
        reasons = [str(problem) for problem in problems]
        super().__init__(f"{what}: {reasons[0]}" if len(reasons) == 1 else "\n  ".join([f"{what}:", *reasons]))
        self.problems = tuple(problems)


def is_refused(problems: Iterable[Problem]) -> bool:
    """Whether there is more than notices."""
    return any(not problem.notice for problem in problems)


def form_problems(error: ValidationError) -> list[Problem]:
    """What pydantic has found about the form of a record, the first of many."""
    return [_form_problem(entry) for entry in error.errors(include_url=False)[:_MAX_FORM_PROBLEMS]]


def _form_problem(entry: Any) -> Problem:
    kind, value, path = entry["type"], entry["input"], entry["loc"]
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{harmless(part[:_SHOWN])}" for part in path)
    where = where.removeprefix(".")
    if kind == "literal_error" and isinstance(value, str):
        return Problem("unknown_value", where, f"{shown(value)} is unknown", f"use {entry['ctx']['expected']}")
    if kind == "missing":
        what = "is missing"
    elif kind == "extra_forbidden":
        what = "is not a field of a record"
    elif kind == "value_error":
        what = str(entry["ctx"]["error"])
    else:
        what = f"should be {_TYPES.get(kind, 'a value of its type')}, not {_kind(value)}"
    return Problem("form", where, what if where else f"it {what}", _FORM_REMEDY)


def _kind(value: object) -> str:
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        return shown(value)
    return {type(None): "null", bool: "true or false", list: "a list", dict: "an object"}.get(
        type(value), f"a {type(value).__name__}"
    )


def shown(text: object) -> str:
    r"""Something of a submission as a message may hold it: short, on one line, harmless.

    Example:
        >>> shown("a\u202eb<script>")
        "'a\\u202eb?script?'"
    """
    plain = str(text)
    short = plain if len(plain) <= _SHOWN else plain[: _SHOWN - 1] + "…"
    return f"'{harmless(short)}'"


def harmless(text: str) -> str:
    """A text without characters that a terminal or a page may act on."""
    return "".join(_harmless(character) for character in text)


def _harmless(character: str) -> str:
    if character in "<>`[]|":
        return "?"
    if unicodedata.category(character)[0] == "C" or character in "\u2028\u2029":
        return character.encode("unicode_escape", "surrogatepass").decode()
    return character
