"""The JSON that the OpenS2V-Eval Space takes: eight numbers in 0..1, and nothing about where they come from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opens2v_hf.errors import ResultError
from opens2v_hf.hub.results.validation.problem import Problem, shown
from opens2v_hf.hub.results.validation.reading import parse, read_file
from opens2v_hf.hub.results.validation.values import TOTAL_TOLERANCE
from opens2v_hf.run.result import write_json
from opens2v_hf.scores.scorecard import COLUMNS, Scorecard, total_of, weights

TOTAL_KEY = "total_score"


@dataclass(frozen=True)
class ReleasedRow:
    """What such a file says.

    Attributes:
        columns: metric name to normalised value in 0..1.
        total: in 0..1.
    """

    columns: Mapping[str, float]
    total: float


def released_form(card: Scorecard) -> dict[str, float]:
    """A scorecard as the Space takes it.

    Raises:
        ResultError: it is partial: the Space would take a missing column for a row.
    """
    if card.total is None:
        raise ResultError(
            f"the Space's form needs a total, and the columns {', '.join(card.missing_columns)} are missing; score them"
        )
    values = {COLUMNS[name].submission_key: column.normalised for name, column in card.columns.items()}
    return {TOTAL_KEY: card.total, **{key: value for key, value in values.items() if value is not None}}


def write_released_form(card: Scorecard, path: Path) -> Path:
    """Write a scorecard as the Space takes it.

    Raises:
        ResultError: it is partial, or the file cannot be written.
    """
    return write_json(path, released_form(card))


def read_released_form(path: Path, split: str) -> ReleasedRow:
    """Read such a file, and check it.

    Args:
        path: of the file.
        split: that it is of; the file does not say it.

    Raises:
        ResultError: it is none, or its numbers do not follow from each other; every reason is named.
    """
    record: Any = None
    content, problems = read_file(path)
    if content is not None:
        record, problems = parse(content)
    problems = problems or list(released_form_problems(record, split))
    if problems:
        raise ResultError(f"{path} is no submission of {split}: " + "; ".join(map(str, problems)))
    keys = {name: COLUMNS[name].submission_key for name in weights("v1.1", split)}
    return ReleasedRow({name: float(record[key]) for name, key in keys.items()}, float(record[TOTAL_KEY]))


def is_released_form(record: Any) -> bool:
    """Whether a JSON value looks like such a file."""
    return isinstance(record, dict) and TOTAL_KEY in record and "format" not in record


def released_form_problems(record: Any, split: str) -> Iterator[Problem]:
    """What is wrong with such a record.

    Args:
        record: a JSON value.
        split: that it is of.
    """
    if not isinstance(record, dict):
        yield Problem("form", "", "is no JSON object", "give the file that the released code writes")
        return
    wanted = [TOTAL_KEY, *(COLUMNS[name].submission_key for name in weights("v1.1", split))]
    sound = True
    for key in wanted:
        value = record.get(key)
        if key not in record:
            sound = False
            yield Problem("form", key, "is missing", "give the normalised value in 0..1")
        elif isinstance(value, bool) or not isinstance(value, int | float):
            sound = False
            yield Problem("form", key, f"should be a number, not {shown(value)}", "give the normalised value in 0..1")
        elif not 0.0 <= value <= 1.0:
            sound = False
            yield Problem("out_of_range", key, f"{shown(value)} lies outside 0..1", "give the normalised value in 0..1")
    for key in (key for key in record if key not in wanted):
        yield Problem("column_unknown", "", f"{split} has no {shown(key)}", "leave it out, or name the right split")
    if sound:
        columns = {name: record[COLUMNS[name].submission_key] for name in weights("v1.1", split)}
        expected = total_of(columns, split)
        if abs(expected - record[TOTAL_KEY]) > TOTAL_TOLERANCE:
            what = f"is {record[TOTAL_KEY]:.4f}, and the columns give {expected:.4f}"
            yield Problem("total_mismatch", TOTAL_KEY, what, "give the weighted sum of the columns")
