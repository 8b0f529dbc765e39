"""Plots of rows as SVG in the colours of the page, for its light and its dark theme."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from functools import lru_cache
from threading import Lock
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from opens2v_hf.leaderboard.rows import Cell, Row
from opens2v_hf.leaderboard.table import CATEGORIES, TITLES
from opens2v_hf.reports import charts

COLORS = ("#4f6df5", "#f0803c")
"""Of the first and the second model."""

_INK, _GRID = "#0a0b0c", "#0d0e0f"
_OF_THE_PAGE = {_INK: "var(--board-ink)", _GRID: "var(--board-line)"}
_SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text, escaped, in the page's own font
    "text.parse_math": False,  # a dollar in a model's name is a dollar
    "font.size": 9,
    "text.color": _INK,
    "axes.labelcolor": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
}
_ONE_AT_A_TIME = Lock()
"""matplotlib's settings are the process's."""
_NUM_KEPT = 512
"""Plots that are kept, of some 20 kB each: visitors see the same models, and to draw one takes a tenth of a second."""


def radar(rows: Sequence[Row]) -> str:
    """The columns of one or two models around a circle, 0 to 100, with intervals as bands where there are any."""
    names = [name for name in rows[0].columns if all(row.columns[name].value is not None for row in rows)]
    return _radar_of(
        tuple(TITLES[name] for name in names),
        tuple(tuple(_measured(row.columns[name]) for name in names) for row in rows),
    )


def category_bars(rows: Sequence[Row], column: str) -> str:
    """One metric by category, a bar a model, with 95 % intervals as whiskers."""
    by_category = [row.by_category.get(column, {}) for row in rows]
    categories = [name for name in CATEGORIES if any(name in cells for cells in by_category)]
    return _bars_of(
        TITLES[column],
        tuple(CATEGORIES[name] for name in categories),
        tuple(tuple(_measured(cells[name]) if name in cells else None for name in categories) for cells in by_category),
    )


@lru_cache(maxsize=_NUM_KEPT)
def _radar_of(titles: tuple[str, ...], outlines: tuple[tuple[charts.Measured, ...], ...]) -> str:
    by_place = {str(place): outline for place, outline in enumerate(outlines)}
    with _ONE_AT_A_TIME, mpl.rc_context(_SETTINGS):
        figure = Figure(figsize=(5.6, 4.0))
        panel = figure.add_axes((0.22, 0.1, 0.56, 0.8), projection="polar")
        color_of = dict(zip(by_place, COLORS, strict=False))
        charts.radar(panel, titles, by_place, color_of, grid=_GRID, bands=True, whole_scale=True)
        panel.patch.set_alpha(0)
        return _svg(figure, "Radar of the columns")


@lru_cache(maxsize=_NUM_KEPT)
def _bars_of(title: str, categories: tuple[str, ...], models: tuple[tuple[charts.Measured | None, ...], ...]) -> str:
    places = [str(place) for place in range(len(models))]
    groups: dict[str, dict[str, charts.Measured]] = {category: {} for category in categories}
    for place, bars in zip(places, models, strict=True):
        for category, measured in zip(categories, bars, strict=True):
            if measured is not None:
                groups[category][place] = measured
    with _ONE_AT_A_TIME, mpl.rc_context(_SETTINGS):
        figure = Figure(figsize=(4.6, 0.7 + 0.24 * len(models) * len(categories)), layout="constrained")
        panel = figure.subplots()
        color_of = dict(zip(places, COLORS, strict=False))
        height = 0.76 / len(models)
        charts.grouped_bars(panel, groups, places, color_of, ink=_INK, soft=_INK, height=height, gap=0.24)
        panel.set_title(title, loc="left", fontsize=10)
        panel.set_xlim(0, 100)
        _plain(panel)
        return _svg(figure, f"{title} by category")


def history_lines(totals: Mapping[str, Sequence[tuple[str, float]]]) -> str:
    """Total in percent over the dates of submissions, a line a split.

    Args:
        totals: split to date and total in 0..1, oldest first.
    """
    dates = sorted({date for points in totals.values() for date, _ in points})
    with _ONE_AT_A_TIME, mpl.rc_context(_SETTINGS):
        figure = Figure(figsize=(5.4, 2.4), layout="constrained")
        panel = figure.subplots()
        for (split, points), color in zip(totals.items(), (*COLORS, "#2aa876"), strict=False):
            positions = [dates.index(date) for date, _ in points]
            panel.plot(positions, [100 * total for _, total in points], marker="o", color=color, label=split)
        panel.set_xticks(range(len(dates)), dates)
        panel.margins(x=0.08, y=0.2)
        panel.set_ylabel("Total")
        panel.legend(frameon=False, labelcolor=_INK)
        _plain(panel)
        panel.grid(axis="y", color=_GRID, linewidth=0.8)
        return _svg(figure, "Total over time")


def _measured(cell: Cell) -> charts.Measured:
    return cell.value, cell.interval


def _plain(panel: Axes) -> None:
    charts.plain(panel, _GRID)
    panel.spines["bottom"].set_color(_GRID)
    panel.tick_params(length=0)
    panel.patch.set_alpha(0)


def _svg(figure: Figure, title: str) -> str:
    figure.patch.set_alpha(0)
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Title": title})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    for color, name in _OF_THE_PAGE.items():
        text = text.replace(color, name)
    return text
