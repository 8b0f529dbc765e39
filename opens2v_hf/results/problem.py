"""All problems of a result or submission from another person, listed at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import ValidationError

from opens2v_hf._util.text import harmless, shown
from opens2v_hf.errors import ResultError

_MAX_INTEGER = 2**53
MAX_PROBLEMS = 20
"""That are listed of one file's form."""

_SHOWN = 60
_FORM_REMEDY = "write the record with `opens2v push`, or by the schema that `opens2v validate --schema` prints"
_TYPES = {
    "model_type": "an object",
    "dict_type": "an object",
    "list_type": "a list",
    "string_type": "a string",
    "string_unicode": "text that UTF-8 can hold",
    "float_type": "a number",
    "finite_number": "a finite number",
    "greater_than_equal": "a count from 0",
    "string_pattern_mismatch": "lower-case letters, digits and _",
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
        notice: the submission is not refused, but a person should check it.
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


class ProblemsError(ResultError):
    """A file is refused; `problems` holds every reason.

    Args:
        what: is refused.
        problems: the reasons.
    """

    def __init__(self, what: str, problems: Sequence[Problem]) -> None:
        reasons = [str(problem) for problem in problems]
        super().__init__(f"{what}: {reasons[0]}" if len(reasons) == 1 else "\n  ".join([f"{what}:", *reasons]))
        self.problems = tuple(problems)


class SubmissionError(ProblemsError):
    """A submission is refused."""


def is_refused(problems: Iterable[Problem]) -> bool:
    """Whether there is more than notices."""
    return any(not problem.notice for problem in problems)


def form_problems(error: ValidationError, remedy: str = _FORM_REMEDY) -> list[Problem]:
    """Problems in the form of a record, from pydantic, at most `MAX_PROBLEMS`.

    Args:
        error: that it raised.
        remedy: of problems whose message does not say what is allowed.
    """
    return [_form_problem(entry, remedy) for entry in error.errors(include_url=False)[:MAX_PROBLEMS]]


def _form_problem(entry: Any, remedy: str) -> Problem:
    kind, value, path = entry["type"], entry["input"], entry["loc"]
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{harmless(part[:_SHOWN])}" for part in path)
    where = where.removeprefix(".")
    if kind in ("literal_error", "enum") and isinstance(value, str):
        return Problem("unknown_value", where, f"{shown(value)} is unknown", f"use {entry['ctx']['expected']}")
    if kind == "missing":
        what = "is missing"
    elif kind == "extra_forbidden":
        what = "is not a field of a record"
    elif kind == "value_error":
        what = str(entry["ctx"]["error"])
    else:
        what = f"should be {_TYPES.get(kind, 'a value of its type')}, not {_kind(value)}"
    return Problem("form", where, what if where else f"it {what}", remedy)


def _kind(value: object) -> str:
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        return shown(value)
    return {type(None): "null", bool: "true or false", list: "a list", dict: "an object"}.get(
        type(value), f"a {type(value).__name__}"
    )


def exact(value: object) -> object:
    """A value for pydantic: no float holds all numbers beyond 2**53, and no column of `datasets` those beyond 2**63."""
    if isinstance(value, int) and abs(value) > _MAX_INTEGER:
        raise ValueError("should be a number that is not beyond 2**53")
    return value
