"""A table as the value of `gr.Dataframe`: numbers that sort as numbers, and what is shown in their place."""

from __future__ import annotations

import re
from typing import Any

from opens2v_hf.leaderboard.rows import Cell
from opens2v_hf.leaderboard.table import GROUP, MODEL, RANK, SOURCE, TEAM, TOTAL, Table, Value, percent

_WIDTHS = {RANK: 40, MODEL: 176, TOTAL: 92, TEAM: 140, SOURCE: 140, GROUP: 104}
_NARROW, _PER_CHARACTER, _PADDING = 76, 8, 26
"""In pixels; so all columns that are shown at first fit a window of 1280."""
_INTERVAL = 96
_WINDOW, _LONG_NAME = 1208, 84
"""What such a window leaves for the table, and how much wider the names may become."""
_INSIDE_A_NAME = re.compile(r"(?<=[a-z])(?=[A-Z])")


def to_dataframe(table: Table, *, with_intervals: bool) -> dict[str, Any]:
    """Headings, values and how they look.

    Names, teams and all other words are columns of type "str", which gradio shows as they are; nothing of a
    submission becomes part of a style.

    Args:
        table: that is shown.
        with_intervals: whether the intervals stand beside all numbers, and not beside the total alone.
    """
    spelt = {place for place in table.scores if with_intervals or table.headings[place] == TOTAL}
    best = {place: _best(table, place) for place in table.scores}
    shown = [[_shown(value, place in spelt) for place, value in enumerate(row)] for row in table.rows]
    styles = [
        [_style(value, best[place]) if isinstance(value, Cell) else "" for place, value in enumerate(row)]
        for row in table.rows
    ]
    data = [[_sortable(value) for value in row] for row in table.rows]
    return {
        "headers": [_breakable(heading) for heading in table.headings],
        "data": data,
        "metadata": {"display_value": shown, "styling": styles},
    }


def datatypes(table: Table) -> list[str]:
    """The type of each column: numbers for scores, the rank and the number of videos."""
    return [
        "number" if place in table.scores or any(isinstance(row[place], int) for row in table.rows) else "str"
        for place in range(len(table.headings))
    ]


def widths(table: Table, *, with_intervals: bool) -> list[str]:
    """The width of each column, so that headings and numbers fit; what is left of the window goes to the names."""
    found = []
    for place, heading in enumerate(table.headings):
        longest = max(map(len, re.split(r"[ \u200b]", _breakable(heading))))
        width = _WIDTHS.get(heading, max(_NARROW, _PER_CHARACTER * longest + _PADDING))
        has_interval = any(isinstance(row[place], Cell) and row[place].interval for row in table.rows)  # type: ignore[union-attr]
        found.append(width + (_INTERVAL if has_interval and (with_intervals or heading == TOTAL) else 0))
    spare = max(0, _WINDOW - sum(found))
    names, each = min(spare, _LONG_NAME), (spare - min(spare, _LONG_NAME)) // len(found)
    return [f"{width + each + (names if place == 1 else 0)}px" for place, width in enumerate(found)]


def _breakable(heading: str) -> str:
    """With a zero-width space where a name of two words may go on in a second line: Motion|Smoothness."""
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
    """Custom properties that the style sheet draws a bar and a whisker with."""
    if cell.value is None:
        return ""
    properties = {"--value": cell.value}
    if cell.interval is not None:
        properties |= {"--low": cell.interval[0], "--high": cell.interval[1]}
    words = [f"{name}: {100 * value:.2f}%" for name, value in properties.items()]
    return "; ".join([*words, *(["--best: 1"] if cell.value == best else [])])


def _best(table: Table, place: int) -> float | None:
    """The best value among the rows that have a rank."""
    values = [row[place].value for row in table.rows if row[0] is not None]  # type: ignore[union-attr]
    return max((value for value in values if value is not None), default=None)
