"""A result in a few words, and as a table for notebooks."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from opens2v_hf._util.text import one_line
from opens2v_hf.results.table import card_lines

if TYPE_CHECKING:
    from opens2v_hf.results.result import RunResult

MAX_NAME = 60


def short_repr(result: RunResult) -> str:
    """Summary for a REPL: model, split, number of videos, the metrics."""
    coverage = result.coverage
    more = ", partial" if result.is_partial else ""
    more += "" if result.comparable else ", not comparable"
    names = ", ".join(metric.name for metric in result.metrics)
    return (
        f"<RunResult of {short_name(result.model)} on {result.split}: {coverage.found}/{coverage.expected} videos"
        f"{more}; metrics: {names}>"
    )


def short_name(name: str) -> str:
    """A name in quotes, shortened where it is long.

    Example:
        >>> short_name("a"), len(short_name("a" * 1000))
        ("'a'", 65)
    """
    line = one_line(name)
    return f"'{line}'" if len(line) <= MAX_NAME else f"'{line[:MAX_NAME]}...'"


def result_html(result: RunResult, notes: Sequence[str]) -> str:
    """The scorecard as an HTML table with notes below it; every name in it is escaped."""
    title, (head, *rows), remarks = card_lines(result)
    header = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    below = "".join(f"<p>{escape(one_line(text))}</p>" for text in (*remarks, *notes))
    return (
        f"<table><caption>{escape(one_line(title))}</caption>"
        f"<thead><tr>{header}</tr></thead><tbody>{body}</tbody></table>{below}"
    )
