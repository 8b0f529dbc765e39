"""The JSON that the OpenS2V-Eval Space takes: eight numbers in 0..1, and nothing about where they come from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from opens2v_hf.errors import ResultError
from opens2v_hf.leaderboard.submissions.validation.rules import TOTAL_TOLERANCE
from opens2v_hf.results.problem import Problem, shown
from opens2v_hf.results.result import write_json
from opens2v_hf.scores.scorecard import COLUMNS, Scorecard, total_of, weights

TOTAL_KEY = "total_score"


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


def is_released_form(record: Any) -> bool:
    """Whether a JSON value has the form of such a file."""
    return isinstance(record, dict) and TOTAL_KEY in record and "format" not in record


def released_form_problems(record: dict[str, Any], split: str | None = None) -> Iterator[Problem]:
    """The problems of such a record.

    Args:
        record: an object for which `is_released_form` holds.
        split: that it is of, which it does not say; by default human-domain without a NexusScore, else open-domain,
            which has the weights of single-domain.
    """
    split = split or ("open-domain" if COLUMNS["nexusscore"].submission_key in record else "human-domain")
    keys = {name: COLUMNS[name].submission_key for name in weights("v1.1", split)}
    remedy = "give the normalised value in 0..1"
    sound = True
    for key in (TOTAL_KEY, *keys.values()):
        value = record.get(key)
        problem = None
        if key not in record:
            problem = Problem("form", key, "is missing", remedy)
        elif isinstance(value, bool) or not isinstance(value, int | float):
            problem = Problem("form", key, f"should be a number, not {shown(value)}", remedy)
        elif not 0.0 <= value <= 1.0:
            problem = Problem("out_of_range", key, f"{shown(value)} is outside 0..1", remedy)
        if problem is not None:
            sound = False
            yield problem
    for key in (key for key in record if key not in (TOTAL_KEY, *keys.values())):
        yield Problem("column_unknown", "", f"{split} has no {shown(key)}", "leave it out, or name the right split")
    if sound:
        expected = total_of({name: record[key] for name, key in keys.items()}, split)
        if abs(expected - record[TOTAL_KEY]) > TOTAL_TOLERANCE:
            what = f"is {record[TOTAL_KEY]:.4f}, and the columns give {expected:.4f}"
            yield Problem("total_mismatch", TOTAL_KEY, what, "give the weighted sum of the columns")
