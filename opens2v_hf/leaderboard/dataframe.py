"""A table as the value of `gr.Dataframe`: numbers, which sort as numbers, and the text and style to display."""

from __future__ import annotations

import re
from typing import Any

from opens2v_hf.leaderboard.rows import Cell
from opens2v_hf.leaderboard.table import GROUP, MODEL, RANK, SOURCE, TEAM, TOTAL, VIDEOS, Table, Value, percent

_WIDTHS = {RANK: 40, MODEL: 176, TOTAL: 92, TEAM: 140, SOURCE: 140, GROUP: 104}
_NARROW, _PER_CHARACTER, _PADDING = 76, 8, 26
"""In pixels; so all columns that are shown at first fit a window of 1280."""
_INTERVAL = 96
_WINDOW, _LONG_NAME = 1208, 84
"""The width of the table in such a window, and how much wider the column of names may become."""
_INSIDE_A_NAME = re.compile(r"(?<=[a-z])(?=[A-Z])")


def to_dataframe(table: Table, *, with_intervals: bool) -> dict[str, Any]:
    """Headings, values, displayed text and styles.

    All text has the column type "str", which gradio displays verbatim; styles are made of numbers only, so nothing of
    a submission becomes markup or style.

    Args:
        table: to display.
        with_intervals: show the intervals of all scores, and not only of the total.
    """
    rows: list[dict[str, Value]] = table.frame.to_dict("records")
    best = {heading: _best(table, heading) for heading in table.scores}
    shown = [[_shown(value, with_intervals or name == TOTAL) for name, value in row.items()] for row in rows]
    styles = [
        [_style(value, best[name]) if isinstance(value, Cell) else "" for name, value in row.items()] for row in rows
    ]
    return {
        "headers": [_breakable(heading) for heading in table.frame],
        "data": [[_sortable(value) for value in row.values()] for row in rows],
        "metadata": {"display_value": shown, "styling": styles},
    }


def datatypes(table: Table) -> list[str]:
    """The type of each column: numbers for scores, the rank and the number of videos."""
    return ["number" if name in (*table.scores, RANK, VIDEOS) else "str" for name in table.frame]


def widths(table: Table, *, with_intervals: bool) -> list[str]:
    """The width of each column, so that headings and numbers fit; the rest of the window goes to the names."""
    found = []
    for heading in table.frame:
        longest = max(map(len, re.split(r"[ \u200b]", _breakable(heading))))
        width = _WIDTHS.get(heading, max(_NARROW, _PER_CHARACTER * longest + _PADDING))
        in_words = table.intervals(heading) and (with_intervals or heading == TOTAL)
        found.append(width + _INTERVAL * in_words)
    spare = max(0, _WINDOW - sum(found))
    names, each = min(spare, _LONG_NAME), (spare - min(spare, _LONG_NAME)) // len(found)
    return [f"{width + each + (names if index == 1 else 0)}px" for index, width in enumerate(found)]


def _breakable(heading: str) -> str:
    """With a zero-width space where the name may be split into two lines: Motion|Smoothness."""
    return _INSIDE_A_NAME.sub("\u200b", heading)


def _sortable(value: Value) -> str | int | float | None:
    if isinstance(value, Cell):
        return None if value.value is None else round(100 * value.value, 4)
    return value


def _shown(value: Value, with_interval: bool) -> str:
    if isinstance(value, Cell):
        if value.value is None:
            return "–"
        low_high = f" [{percent(value.interval[0])}, {percent(value.interval[1])}]" if value.interval else ""
        return percent(value.value) + (low_high if with_interval else "")
    return "–" if value is None or value == "" else str(value)


def _style(cell: Cell, best: float | None) -> str:
    """Custom properties from which the style sheet draws a bar and a whisker."""
    if cell.value is None:
        return ""
    properties = {"--value": cell.value}
    if cell.interval is not None:
        properties |= {"--low": cell.interval[0], "--high": cell.interval[1]}
    words = [f"{name}: {100 * value:.2f}%" for name, value in properties.items()]
    return "; ".join([*words, *(["--best: 1"] if cell.value == best else [])])


def _best(table: Table, heading: str) -> float | None:
    """The best value among the rows that have a rank."""
    ranked = table.frame[heading][table.frame[RANK].notna()]
    return max((cell.value for cell in ranked if cell.value is not None), default=None)
