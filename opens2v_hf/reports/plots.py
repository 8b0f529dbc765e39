"""Pictures of results: totals, a radar of the columns, bars with intervals by column and by category.

They are narrow, so that their text is readable on a phone, one below another.
"""

from __future__ import annotations

import io
import math
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, wraps
from typing import Any, ParamSpec

import matplotlib as mpl
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from PIL import Image

from opens2v_hf.reports import charts
from opens2v_hf.results.table import PARTIAL_MARK, Row, percent, shown_columns
from opens2v_hf.scores.outcome import Summary
from opens2v_hf.scores.scorecard import COLUMNS, Scorecard

PALETTE = ("#2563eb", "#ea580c", "#059669", "#7c3aed", "#dc2626", "#0891b2", "#a16207", "#db2777", "#4b5563")
"""Colours of models and of references."""

MAX_RADAR_MODELS = 6
"""More outlines cannot be distinguished."""

_DPI = 150
_WIDTH_IN = 4.8
_FONT = "DejaVu Sans"
_FALLBACK_FONTS = (
    "Noto Sans CJK SC", "Noto Sans CJK JP", "WenQuanYi Zen Hei", "Microsoft YaHei", "PingFang SC", "Hiragino Sans GB",
    "Noto Sans", "Arial Unicode MS",
)  # fmt: skip
_MAX_NAME = 26
_MAX_NAME_OF_TWO = 20
"""With longer names two do not fit into a line of the legend."""
_INK, _SOFT, _GRID = "#1f2937", "#6b7280", "#e5e7eb"

_STYLE: Any = {
    "text.parse_math": False,  # a dollar sign in a name does not start a formula
    "font.size": 10,
    "text.color": _INK,
    "axes.labelcolor": _INK,
    "axes.edgecolor": "#9ca3af",
    "xtick.color": _SOFT,
    "ytick.color": _INK,
}

_Arguments = ParamSpec("_Arguments")


def _in_house_style(draw: Callable[_Arguments, Figure]) -> Callable[_Arguments, Figure]:
    @wraps(draw)
    def styled(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> Figure:
        with _house_style():
            return draw(*args, **kwargs)

    return styled


@contextmanager
def _house_style() -> Iterator[None]:
    with mpl.rc_context({**_STYLE, "font.family": _font_families()}), warnings.catch_warnings():
        # one warning a letter; the page has the names as text too, in the fonts of its reader
        warnings.filterwarnings("ignore", r"Glyph \d+ .* missing from", UserWarning)
        yield


def colors(models: Sequence[str]) -> dict[str, str]:
    """A colour for each model."""
    return {model: PALETTE[index % len(PALETTE)] for index, model in enumerate(models)}


@cache
def _font_families() -> list[str]:
    """The usual font, and installed ones for other scripts, since names of models may be in any."""
    installed = set(font_manager.get_font_names())
    return [_FONT, *(name for name in _FALLBACK_FONTS if name in installed)]


@_in_house_style
def total_bars(rows: Sequence[Row], color_of: Mapping[str, str]) -> Figure:
    """A bar a model, best on top: the total, its interval, and a hollow diamond for the strict total."""
    figure = Figure(figsize=(_WIDTH_IN, 1.1 + 0.42 * len(rows)), layout="constrained")
    panel = figure.subplots()
    ranked = [(one.model, one.card, one.strict) for one in reversed(rows) if one.card is not None]
    for position, (model, card, strict) in enumerate(ranked):
        measured = (card.partial_total, card.interval)
        charts.bar(panel, position, measured, color_of[model], ink=_INK, soft=_SOFT, height=0.66, factor=100)
        mark = PARTIAL_MARK if card.partial else ""
        if card.partial_total is not None:
            _value(panel, position, f"{percent(card.partial_total)}{mark}")
        if strict is not None and strict.partial_total is not None:
            panel.plot(
                100 * strict.partial_total, position, marker="D", markersize=6, markerfacecolor="white",
                markeredgecolor=_INK, zorder=5,
            )  # fmt: skip
    panel.set_yticks(range(len(ranked)), [short_name(model) for model, _, _ in ranked])
    _percent_axis(panel)
    strict_shown = any(strict for _, _, strict in ranked)
    panel.set_xlabel("percent, bar: released" + ("; diamond: strict" if strict_shown else ""))
    return figure


@_in_house_style
def radar(rows: Sequence[Row], color_of: Mapping[str, str]) -> Figure:
    """An axis a column, an outline a model, for the first six rows; a column without a value breaks the outline."""
    names = shown_columns(rows)
    shown = [one for one in rows if one.card is not None][:MAX_RADAR_MODELS]
    outlines = {one.model: [_column(one.card, name) for name in names] for one in shown}
    if not any(value is not None for values in outlines.values() for value, _ in values):
        return _without_values()
    figure = Figure(figsize=(_WIDTH_IN, _WIDTH_IN), layout="constrained")
    panel = figure.add_subplot(projection="polar")
    titles = [re.sub(r"(?<=[a-z])(?=[A-Z])", "\n", COLUMNS[name].title) for name in names]
    charts.radar(panel, titles, outlines, color_of, grid=_GRID)
    if len(shown) > 1:
        _legend(figure, list(outlines), color_of)
    return figure


@_in_house_style
def column_bars(rows: Sequence[Row], color_of: Mapping[str, str]) -> Figure:
    """A group a column, a bar a model, with 95 % intervals as whiskers."""
    names = shown_columns(rows)
    groups = {
        COLUMNS[name].title: {
            one.model: _column(one.card, name) for one in rows if one.card is not None and name in one.card.columns
        }
        for name in names
    }
    return _grouped(groups, color_of, [one.model for one in rows], percent_scale=True)


@_in_house_style
def category_bars(rows: Sequence[Row], column: str, color_of: Mapping[str, str]) -> Figure:
    """One column by the paper's categories: a group a category, a bar a model, with 95 % intervals as whiskers."""
    groups: dict[str, dict[str, charts.Measured]] = {}
    for one in rows:
        if one.card is None or column not in one.card.columns:
            continue
        for category, score in one.card.columns[column].by_category.items():
            groups.setdefault(category.removesuffix("-to-video"), {})[one.model] = (score.normalised, score.interval)
    return _grouped(groups, color_of, [one.model for one in rows], percent_scale=True)


@_in_house_style
def extra_bars(rows: Sequence[Row], metric: str, color_of: Mapping[str, str]) -> Figure:
    """A companion metric, which is in no total, in its own units: a bar a model."""
    found = {one.model: one.extras[metric] for one in rows if metric in one.extras}
    groups = {"": {model: _mean_and_interval(summary) for model, summary in found.items()}}
    return _grouped(groups, color_of, list(found), percent_scale=False)


def to_png(figure: Figure) -> bytes:
    """The figure as the bytes of a PNG file."""
    buffer = io.BytesIO()
    before = figure.dpi
    with _house_style():
        # the bytes of `savefig`, which draws a figure once more before, for its layout
        figure.set_dpi(_DPI)
        FigureCanvasAgg(figure).print_png(buffer)
        figure.set_dpi(before)
    return buffer.getvalue()


def without_legend(figure: Figure, png: bytes) -> bytes:
    """The PNG file of a figure, cut above the legend at its lower edge."""
    if not figure.legends:
        return png
    with _house_style():
        legend = figure.legends[0].get_window_extent().transformed(figure.transFigure.inverted())
    picture = Image.open(io.BytesIO(png))
    buffer = io.BytesIO()
    picture.crop((0, 0, picture.width, round((1 - legend.y1) * picture.height))).save(buffer, format="PNG")
    return buffer.getvalue()


def own_units(value: float | None) -> str:
    """A value in a metric's own units, as everywhere in the report.

    Example:
        >>> own_units(0.03125), own_units(None)
        ('0.0312', 'none')
    """
    return "none" if value is None else f"{value:.4f}"


def short_name(model: str) -> str:
    """A name that fits next to a bar.

    Example:
        >>> short_name("a-model"), short_name("a model with a very long name of many words")
        ('a-model', 'a model with a very long …')
    """
    line = " ".join(model.split())
    return line if len(line) <= _MAX_NAME else f"{line[: _MAX_NAME - 1]}…"


def _grouped(
    groups: Mapping[str, Mapping[str, charts.Measured]],
    color_of: Mapping[str, str],
    models: Sequence[str],
    *,
    percent_scale: bool,
) -> Figure:
    values = [value for of_model in groups.values() for value, _ in of_model.values() if value is not None]
    if not values:
        return _without_values()
    height = 0.16 if len(models) > 1 else 0.26
    gap = 0.18
    legend_rows = math.ceil(len(models) / _legend_columns(models)) if len(models) > 1 else 0
    inches = 0.9 + (height * len(models) + gap) * len(groups) + 0.2 * legend_rows
    figure = Figure(figsize=(_WIDTH_IN, inches), layout="constrained")
    panel = figure.subplots()
    positions = charts.grouped_bars(
        panel, groups, models, color_of,
        ink=_INK, soft=_SOFT, height=height, gap=gap, factor=100 if percent_scale else 1,
    )  # fmt: skip
    if len(models) == 1:
        for (group, model), position in positions.items():
            value = groups[group][model][0]
            if value is not None:
                _value(panel, position, percent(value) if percent_scale else own_units(value))
    if percent_scale:
        _percent_axis(panel)
    else:
        charts.plain(panel, _GRID)
        if not any(values):  # all are 0: without a range the axis would be centred on it
            panel.set_xlim(0, 1)
    if len(models) > 1:
        _legend(figure, [model for model in models if any(model in of_model for of_model in groups.values())], color_of)
    return figure


def _without_values() -> Figure:
    figure = Figure(figsize=(_WIDTH_IN, 0.7), layout="constrained")
    panel = figure.subplots()
    panel.set_axis_off()
    panel.text(0.5, 0.5, "no values", ha="center", va="center", color=_SOFT, transform=panel.transAxes)
    return figure


def _legend(figure: Figure, models: Sequence[str], color_of: Mapping[str, str]) -> None:
    patches = [Patch(color=color_of[model], label=_legend_name(model)) for model in models]
    figure.legend(handles=patches, loc="outside lower center", ncols=_legend_columns(models), frameon=False)


def _legend_columns(models: Sequence[str]) -> int:
    return 2 if max(map(len, models)) <= _MAX_NAME_OF_TWO else 1


def _value(panel: Axes, position: float, text: str) -> None:
    """A number at the right edge of the panel, where no bar and no whisker hides it."""
    panel.text(1.01, position, text, va="center", fontsize=8.5, transform=panel.get_yaxis_transform())


def _column(card: Scorecard | None, name: str) -> charts.Measured:
    if card is None or name not in card.columns:
        return None, None
    return card.columns[name].normalised, card.columns[name].interval


def _mean_and_interval(summary: Summary) -> charts.Measured:
    return summary.mean, summary.interval


def _legend_name(model: str) -> str:
    # a label that begins with an underscore is left out of a legend
    return f" {short_name(model)}" if model.startswith("_") else short_name(model)


def _percent_axis(panel: Axes) -> None:
    panel.set_xlim(0, 100)
    panel.set_xlabel("percent")
    charts.plain(panel, _GRID)
