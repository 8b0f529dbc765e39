"""Results of several models side by side, as text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from opens2v_hf.run.result import RunResult
from opens2v_hf.scores.outcome import Summary


@dataclass(frozen=True)
class Row:
    """One model.

    Attributes:
        model: its name.
        cells: metric name to summary; a metric that the result does not hold is absent.
        found: videos that were found, and how many the split asks for.
    """

    model: str
    cells: dict[str, Summary]
    found: tuple[int, int]


def rows(results: Sequence[RunResult], *, sort_by: str | None = None) -> list[Row]:
    """A row for each result, best first by the metric `sort_by` (by default the first metric of the first result).

    Every metric here is better when it is higher; models without a value come last.
    """
    made = [
        Row(r.model, {metric.name: metric.summary for metric in r.metrics}, (r.coverage.found, r.coverage.expected))
        for r in results
    ]
    names = metric_names(results)
    key = sort_by or (names[0] if names else "")

    def rank(row: Row) -> float:
        mean = row.cells[key].mean if key in row.cells else None
        return float("inf") if mean is None else -mean

    return sorted(made, key=rank)


def metric_names(results: Sequence[RunResult]) -> list[str]:
    """All metrics of the results, in the order in which they first appear."""
    return list(dict.fromkeys(metric.name for result in results for metric in result.metrics))


def format_value(summary: Summary) -> str:
    """Mean, interval, and how many videos it rests on.

    Example:
        >>> format_value(Summary(0.5, (0.41, 0.59), num_scored=12, num_not_applicable=0, num_failed=1))
        '0.500 [0.410, 0.590] n=12 (1 failed)'
        >>> format_value(Summary(None, None, num_scored=0, num_not_applicable=3, num_failed=0))
        'none (3 n/a)'
    """
    if summary.mean is None:
        text = "none"
    else:
        interval = f" [{summary.interval[0]:.3f}, {summary.interval[1]:.3f}]" if summary.interval else ""
        text = f"{summary.mean:.3f}{interval} n={summary.num_scored}"
    notes = [f"{summary.num_failed} failed"] * bool(summary.num_failed)
    notes += [f"{summary.num_not_applicable} n/a"] * bool(summary.num_not_applicable)
    return f"{text} ({', '.join(notes)})" if notes else text


def format_text(results: Sequence[RunResult], *, sort_by: str | None = None) -> str:
    """An aligned table for a terminal: model, a column a metric, videos found of expected."""
    names = metric_names(results)
    lines = [["model", *names, "videos"]]
    for row in rows(results, sort_by=sort_by):
        cells = [format_value(row.cells[name]) if name in row.cells else "-" for name in names]
        lines.append([row.model, *cells, f"{row.found[0]}/{row.found[1]}"])
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    text.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(text)
