"""Results as text: the scorecard of one model, or several models side by side.

Columns of the leaderboard are in percent of their range with two decimals, as its tables have them; metrics that the
leaderboard does not have follow in their own units.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from opens2v_hf.results.columns import companion_metrics, knows_what_is_missing
from opens2v_hf.scores.outcome import Summary
from opens2v_hf.scores.scorecard import COLUMNS, RELEASED, SPLITS, STRICT, ColumnScore, Scorecard
from opens2v_hf.scores.seeds import SeedSpread

if TYPE_CHECKING:
    from opens2v_hf.results.result import RunResult

PARTIAL_MARK = "*"
_NOT_SCORED = 5  # of the cells of a line of `card_lines`


@dataclass(frozen=True)
class Row:
    """One model.

    Attributes:
        model: its name.
        card: by released scoring; None for a split that has no leaderboard.
        strict: by strict scoring; None as above, and where the result does not say what is missing.
        extras: the metrics that fill no column of the scorecard, by name.
        found: number of videos that were found, and of the split.
    """

    model: str
    card: Scorecard | None
    strict: Scorecard | None
    extras: dict[str, Summary]
    found: tuple[int, int]


def row(result: RunResult, *, version: str = "v1.1") -> Row:
    """The row of one result."""
    on_board = result.split in SPLITS
    card = result.scorecard(version=version) if on_board else None
    return Row(
        model=result.model,
        card=card,
        strict=result.scorecard(version=version, scoring=STRICT) if card and knows_what_is_missing(result) else None,
        extras={name: metric.summary for name, metric in companion_metrics(result).items()},
        found=(result.coverage.found, result.coverage.expected),
    )


def rows(results: Sequence[RunResult], *, version: str = "v1.1") -> list[Row]:
    """A row for each result of one split, best total first.

    Partial totals are compared only among results that lack the same columns: those that lack less weight come first,
    and results without a column come last.
    """
    made = [row(result, version=version) for result in results]
    lacking = list(dict.fromkeys(one.card.missing_columns for one in made if one.card))

    def rank(one: Row) -> tuple[float, int, float]:
        if one.card is None or one.card.partial_total is None:
            mean = next((summary.mean for summary in one.extras.values()), None)
            return (0.0, len(lacking), float("inf") if mean is None else -mean)
        weight = round(one.card.weight_present, 9)  # equal sums of weights must not differ in their last bits
        return (-weight, lacking.index(one.card.missing_columns), -one.card.partial_total)

    return sorted(made, key=rank)


def shown_columns(made: Sequence[Row]) -> list[str]:
    """The columns that at least one row has anything to say of, in the order of the published tables."""
    return [
        name
        for name in COLUMNS
        if any(one.card and name in one.card.columns and _asked(one.card.columns[name]) for one in made)
    ]


def extra_names(made: Sequence[Row]) -> list[str]:
    """Companion metrics, in the order in which they first appear."""
    return list(dict.fromkeys(name for one in made for name in one.extras))


def percent(value: float | None) -> str:
    """A value in 0..1 as the published tables write it.

    Example:
        >>> percent(0.4502), percent(None)
        ('45.02', 'none')
    """
    return "none" if value is None else f"{100 * value:.2f}"


def percent_interval(interval: tuple[float, float] | None) -> str:
    """An interval in 0..1 in percent, empty where there is none.

    Example:
        >>> percent_interval((0.41, 0.59))
        '[41.00, 59.00]'
    """
    return "" if interval is None else f"[{100 * interval[0]:.2f}, {100 * interval[1]:.2f}]"


def format_value(summary: Summary) -> str:
    """Mean in the metric's own units, interval, and how many videos it rests on.

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


def partial_note(card: Scorecard) -> str:
    """A sentence with the missing columns of a partial scorecard; empty for a whole one.

    Example:
        >>> from opens2v_hf.scores.scorecard import scorecard
        >>> card = scorecard({"gmescore": {"a_1": 0.5}}, split="human-domain", category_of={"a_1": "a"})
        >>> partial_note(card).partition(";")[0]
        'no total without Aesthetics, MotionSmoothness, MotionAmplitude, FaceSim, NaturalScore'
    """
    if not card.partial:
        return ""
    lacking = ", ".join(COLUMNS[name].title for name in card.missing_columns)
    low, high = card.total_bounds
    between = f"the total lies between {percent(low)} and {percent(high)}"
    if card.partial_total is None:
        return f"no total without {lacking}; {between}"
    weight = f"{100 * card.weight_present:.0f} % of the weight"
    return f"no total without {lacking}; {percent(card.partial_total)} is the mean of the rest ({weight}); {between}"


def not_scored(column: ColumnScore) -> str:
    """The videos that a column's mean leaves out, or that count as the worst; empty where there is none."""
    words = [f"{column.num_missing} missing"] * bool(column.num_missing)
    words += [f"{column.num_skipped} scored 0, left out"] * bool(column.num_skipped)
    return ", ".join(words)


def format_text(results: Sequence[RunResult], *, version: str = "v1.1", width: int | None = None) -> str:
    """Tables for a terminal: the scorecard of one result, or the models of each split side by side.

    Args:
        results: at least one.
        version: of the weights.
        width: of the terminal; a wider table continues below. By default there is no limit.
    """
    if len(results) == 1:
        title, lines, remarks = card_lines(results[0], version=version)
        if width is not None and len(_blocks(_widths(lines), width)) > 1:  # what was not scored goes below the table
            remarks += [f"{line[0]}: {line[_NOT_SCORED]}" for line in lines[1:] if line[_NOT_SCORED]]
            lines = [[*line[:_NOT_SCORED], *line[_NOT_SCORED + 1 :]] for line in lines]
        return "\n".join([wrapped(title, width), aligned(lines, width), *(wrapped(text, width) for text in remarks)])
    parts = []
    splits = list(dict.fromkeys(result.split for result in results))
    for split in splits:
        text = _format_models([result for result in results if result.split == split], version, width)
        parts.append(f"{split}\n{text}" if len(splits) > 1 else text)
    return "\n\n".join(parts)


def card_lines(result: RunResult, *, version: str = "v1.1") -> tuple[str, list[list[str]], list[str]]:
    """The scorecard of one result: a title, lines of cells with the header first, and remarks below it."""
    one = row(result, version=version)
    lines = [["column", "percent", "95 % interval", "raw", "videos", "not scored"]]
    if one.card is not None:
        mark = PARTIAL_MARK if one.card.partial else ""
        interval = percent_interval(one.card.interval)
        lines.append([f"Total{mark}", percent(one.card.partial_total), interval, "", "", ""])
        if one.strict is not None:
            value, interval = percent(one.strict.partial_total), percent_interval(one.strict.interval)
            lines.append([f"Total, strict{PARTIAL_MARK if one.strict.partial else ''}", value, interval, "", "", ""])
        lines += [_column_line(one.card.columns[name]) for name in shown_columns([one])]
    seeds = None if one.card is None else one.card.seeds
    if seeds is not None:
        spreads = {COLUMNS[name].title: spread for name, spread in seeds.columns.items()}
        spreads |= {"Total": seeds.total, f"Total{PARTIAL_MARK}": seeds.total}
        cells = {title: _seed_cells(spread) for title, spread in spreads.items()}
        lines[0] += [f"mean of {len(seeds.seeds)} seeds", "deviation", "95 % by prompt"]
        lines[1:] = [[*line, *cells.get(line[0], ("", "", ""))] for line in lines[1:]]
    for name, summary in one.extras.items():
        interval = "" if summary.interval is None else f"[{summary.interval[0]:.3f}, {summary.interval[1]:.3f}]"
        raw = "none" if summary.mean is None else f"{summary.mean:.4f}"
        failed = f"{summary.num_failed} failed" if summary.num_failed else ""
        lines.append([name, "", interval, raw, str(summary.num_scored), failed, *([""] * (3 if seeds else 0))])
    found = f"{one.found[0]}/{one.found[1]} videos"
    title = f"{one.model}, {result.split}: {found}, {RELEASED} scoring, weights of {version}"
    notes = [f"{PARTIAL_MARK} {partial_note(one.card)}"] if one.card is not None and one.card.partial else []
    if seeds is not None:
        listed = ", ".join(map(str, seeds.seeds))
        notes.append(f"all but the last three columns are about seed {seeds.seeds[0]}, the first of {listed}")
    return title, lines, notes


def _seed_cells(spread: SeedSpread) -> tuple[str, str, str]:
    return percent(spread.mean), percent(spread.deviation), percent_interval(spread.interval)


def _column_line(column: ColumnScore) -> list[str]:
    raw = "none" if column.raw is None else f"{column.raw:.4f}"
    interval = percent_interval(column.interval)
    return [column.title, percent(column.normalised), interval, raw, str(column.num_videos), not_scored(column)]


def _format_models(results: Sequence[RunResult], version: str, width: int | None) -> str:
    made = rows(results, version=version)
    columns, extras = shown_columns(made), extra_names(made)
    total = ["Total"] * any(one.card for one in made)
    lines = [["model", *total, *(COLUMNS[name].title for name in columns), *extras, "videos"]]
    for one in made:
        line = [one.model]
        if one.card is not None:
            mark = PARTIAL_MARK if one.card.partial else ""
            line.append(_short(one.card.partial_total, one.card.interval, mark=mark))
        elif total:
            line.append("-")
        for name in columns:
            column = one.card.columns.get(name) if one.card else None
            line.append("-" if column is None else _short(column.normalised, column.interval, count=column.num_videos))
        line += [_short_raw(one.extras[name]) if name in one.extras else "-" for name in extras]
        lines.append([*line, f"{one.found[0]}/{one.found[1]}"])
    legend = ["± half the 95 % interval, (n) videos"]
    if columns:
        legend = [f"in percent of a column's range, {legend[0]}; {RELEASED} scoring"]
        legend += [f"in units of their own: {', '.join(extras)}"] if extras else []
    partial = {partial_note(one.card).partition("; ")[0] for one in made if one.card is not None and one.card.partial}
    marks = [f"{PARTIAL_MARK} {note}; the number is the mean of the rest by weight" for note in sorted(partial)]
    return "\n".join([aligned(lines, width), *(wrapped(text, width) for text in (*legend, *marks))])


def _short(
    value: float | None, interval: tuple[float, float] | None, *, mark: str = "", count: int | None = None
) -> str:
    width = "" if interval is None else f" ±{50 * (interval[1] - interval[0]):.2f}"
    return f"{percent(value)}{mark}{width}" + ("" if count is None else f" ({count})")


def _short_raw(summary: Summary) -> str:
    if summary.mean is None:
        return format_value(summary)
    width = "" if summary.interval is None else f" ±{(summary.interval[1] - summary.interval[0]) / 2:.3f}"
    return f"{summary.mean:.3f}{width} ({summary.num_scored})"


def _asked(column: ColumnScore) -> bool:
    return bool(column.num_videos or column.num_missing or column.num_skipped)


def aligned(lines: Sequence[Sequence[str]], width: int | None = None) -> str:
    """Lines of cells as columns of text, a rule below the first.

    Args:
        lines: as many cells in each.
        width: letters in a line; further columns follow below, after the first column again. By default without limit.

    Example:
        >>> print(aligned([["a", "bc"], ["def", "g"]]))
        a    bc
        ---  --
        def  g
    """
    widths = _widths(lines)
    blocks = _blocks(widths, width)
    if len(blocks) > 1:
        return "\n\n".join(aligned([[line[column] for column in block] for line in lines]) for block in blocks)
    text = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    text.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(text)


def _widths(lines: Sequence[Sequence[str]]) -> list[int]:
    return [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]


def _blocks(widths: Sequence[int], width: int | None) -> list[list[int]]:
    """Columns in groups that fit, the first column in each; a single column may still be too wide."""
    blocks = [[0]]
    used = widths[0]
    for column in range(1, len(widths)):
        if width is not None and used + 2 + widths[column] > width and len(blocks[-1]) > 1:
            blocks.append([0])
            used = widths[0]
        blocks[-1].append(column)
        used += 2 + widths[column]
    return blocks


def wrapped(text: str, width: int | None = None) -> str:
    """A line of prose, broken where it is wider; what follows its first line is indented."""
    if width is None:
        return text
    return textwrap.fill(text, max(width, 20), subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
