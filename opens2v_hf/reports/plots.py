"""Pictures of results: totals, a radar of the columns, bars with intervals by column and by category.

They are narrow, so that their words can be read on a phone, where a page shows them one below another.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache, wraps
from typing import Any, ParamSpec

import matplotlib as mpl
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from opens2v_hf.results.table import PARTIAL_MARK, Row, percent, shown_columns
from opens2v_hf.scores.outcome import Summary
from opens2v_hf.scores.scorecard import COLUMNS, Scorecard

PALETTE = ("#2563eb", "#ea580c", "#059669", "#7c3aed", "#dc2626", "#0891b2", "#a16207", "#db2777", "#4b5563")
"""Colours of models, references and what else stands side by side."""

MAX_RADAR_MODELS = 6
"""More outlines than these cannot be told apart."""

_DPI = 150
_WIDTH_IN = 4.8
_FONT = "DejaVu Sans"
_FALLBACK_FONTS = (
    "Noto Sans CJK SC", "Noto Sans CJK JP", "WenQuanYi Zen Hei", "Microsoft YaHei", "PingFang SC", "Hiragino Sans GB",
    "Noto Sans", "Arial Unicode MS",
)  # fmt: skip
_MAX_NAME = 26
_INK, _SOFT, _GRID = "#1f2937", "#6b7280", "#e5e7eb"

_STYLE: Any = {
    "text.parse_math": False,  # names come from outside and may hold a dollar sign, which is no formula
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
        with mpl.rc_context({**_STYLE, "font.family": _font_families()}):
            return draw(*args, **kwargs)

    return styled


def colors(models: Sequence[str]) -> dict[str, str]:
    """A colour for each model."""
    return {model: PALETTE[index % len(PALETTE)] for index, model in enumerate(models)}


@cache
def _font_families() -> list[str]:
    """The usual font, and for what it lacks those that are installed: names of models may be in any script."""
    installed = set(font_manager.get_font_names())
    return [_FONT, *(name for name in _FALLBACK_FONTS if name in installed)]


@_in_house_style
def total_bars(rows: Sequence[Row], color_of: Mapping[str, str]) -> Figure:
    """A bar a model, best on top: the total, its interval, and a hollow diamond for the strict total."""
    figure = Figure(figsize=(_WIDTH_IN, 1.1 + 0.42 * len(rows)), layout="constrained")
    panel = figure.subplots()
    ranked = [(one.model, one.card, one.strict) for one in reversed(rows) if one.card is not None]
    for position, (model, card, strict) in enumerate(ranked):
        _bar(panel, position, card.partial_total, card.interval, color_of[model], height=0.66)
        mark = PARTIAL_MARK if card.partial else ""
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
    figure = Figure(figsize=(_WIDTH_IN, _WIDTH_IN), layout="constrained")
    panel: Any = figure.add_subplot(projection="polar")
    angles = [2 * math.pi * index / len(names) for index in range(len(names))]
    for one in [one for one in rows if one.card is not None][:MAX_RADAR_MODELS]:
        values = [_column_percent(one.card, name) for name in names]
        panel.plot(
            [*angles, angles[0]], [*values, values[0]], color=color_of[one.model], linewidth=1.8, marker="o",
            markersize=3.5, label=_legend_name(one.model),
        )  # fmt: skip
        if not any(math.isnan(value) for value in values):
            panel.fill(angles, values, color=color_of[one.model], alpha=0.08)
    panel.set_theta_zero_location("N")
    panel.set_theta_direction(-1)
    panel.set_xticks(angles, [re.sub(r"(?<=[a-z])(?=[A-Z])", "\n", COLUMNS[name].title) for name in names])
    highest = max((value for line in panel.lines for value in line.get_ydata() if not math.isnan(value)), default=0.0)
    rings = range(25, max(25, 25 * math.ceil(highest / 25)) + 1, 25)
    panel.set_ylim(0, rings[-1])
    panel.set_yticks(rings, [str(ring) for ring in rings], fontsize=8)
    panel.grid(color=_GRID)
    panel.spines["polar"].set_color(_GRID)
    panel.tick_params(axis="x", pad=14, labelcolor=_INK)
    if len(rows) > 1:
        figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return figure


@_in_house_style
def column_bars(rows: Sequence[Row], color_of: Mapping[str, str]) -> Figure:
    """A group a column, a bar a model, with 95 % intervals as whiskers."""
    names = shown_columns(rows)
    groups = {
        COLUMNS[name].title: {
            one.model: (one.card.columns[name].normalised, one.card.columns[name].interval)
            for one in rows
            if one.card is not None and name in one.card.columns
        }
        for name in names
    }
    return _grouped(groups, color_of, [one.model for one in rows], percent_scale=True)


@_in_house_style
def category_bars(rows: Sequence[Row], column: str, color_of: Mapping[str, str]) -> Figure:
    """One column by the paper's categories: a group a category, a bar a model, with 95 % intervals as whiskers."""
    groups: dict[str, dict[str, tuple[float | None, tuple[float, float] | None]]] = {}
    for one in rows:
        if one.card is None or column not in one.card.columns:
            continue
        for category, score in one.card.columns[column].by_category.items():
            groups.setdefault(category.removesuffix("-to-video"), {})[one.model] = (score.normalised, score.interval)
    return _grouped(groups, color_of, [one.model for one in rows], percent_scale=True)


@_in_house_style
def extra_bars(rows: Sequence[Row], metric: str, color_of: Mapping[str, str]) -> Figure:
    """A metric beside the scorecard in its own units: a bar a model."""
    found = {one.model: one.extras[metric] for one in rows if metric in one.extras}
    groups = {"": {model: _mean_and_interval(summary) for model, summary in found.items()}}
    return _grouped(groups, color_of, list(found), percent_scale=False)


def to_png(figure: Figure) -> bytes:
    """The figure as the bytes of a PNG file."""
    buffer = io.BytesIO()
    with mpl.rc_context({**_STYLE, "font.family": _font_families()}):
        figure.savefig(buffer, format="png", dpi=_DPI)
    return buffer.getvalue()


def short_name(model: str) -> str:
    """A name that fits beside a bar.

    Example:
        >>> short_name("a-model"), short_name("a model with a very long name of many words")
        ('a-model', 'a model with a very long …')
    """
    line = " ".join(model.split())
    return line if len(line) <= _MAX_NAME else f"{line[: _MAX_NAME - 1]}…"


def _grouped(
    groups: Mapping[str, Mapping[str, tuple[float | None, tuple[float, float] | None]]],
    color_of: Mapping[str, str],
    models: Sequence[str],
    *,
    percent_scale: bool,
) -> Figure:
    """Groups from top to bottom, in each a bar for every model that it has, in the order of `models`."""
    height = 0.16 if len(models) > 1 else 0.26
    group = height * len(models) + 0.18
    inches = 0.9 + group * max(len(groups), 1) + 0.2 * math.ceil(len(models) / 2) * (len(models) > 1)
    figure = Figure(figsize=(_WIDTH_IN, inches), layout="constrained")
    panel = figure.subplots()
    used = [model for model in models if any(model in bars for bars in groups.values())]
    for place, bars in enumerate(groups.values()):
        for offset, model in enumerate(models):
            if model not in bars:
                continue
            position = -place * group - offset * height
            value, interval = bars[model]
            _bar(panel, position, value, interval, color_of[model], height=0.86 * height, scale=percent_scale)
            if len(models) == 1:
                shown = percent(value) if percent_scale else ("none" if value is None else f"{value:.3f}")
                _value(panel, position, shown)
    middle = height * (len(models) - 1) / 2
    panel.set_yticks([-place * group - middle for place in range(len(groups))], list(groups))
    panel.tick_params(axis="y", length=0)
    if percent_scale:
        _percent_axis(panel)
    else:
        _plain(panel)
    if len(models) > 1:
        for model in used:
            panel.barh([0], [0], color=color_of[model], label=_legend_name(model))
        figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return figure


def _bar(
    panel: Axes,
    position: float,
    value: float | None,
    interval: tuple[float, float] | None,
    color: str,
    *,
    height: float,
    scale: bool = True,
) -> None:
    if value is None:
        panel.text(0, position, " no value", va="center", color=_SOFT, fontsize=8)
        return
    factor = 100 if scale else 1
    panel.barh([position], [factor * value], height=height, color=color, alpha=0.88)
    if interval:
        error = [[max(factor * (value - interval[0]), 0.0)], [max(factor * (interval[1] - value), 0.0)]]
        panel.errorbar([factor * value], [position], xerr=error, color=_INK, capsize=2, linewidth=1)


def _value(panel: Axes, position: float, text: str) -> None:
    """A number at the right edge of the panel, where no bar and no whisker hides it."""
    panel.text(1.01, position, text, va="center", fontsize=8.5, transform=panel.get_yaxis_transform())


def _column_percent(card: Scorecard | None, name: str) -> float:
    value = None if card is None or name not in card.columns else card.columns[name].normalised
    return math.nan if value is None else 100 * value


def _mean_and_interval(summary: Summary) -> tuple[float | None, tuple[float, float] | None]:
    return summary.mean, summary.interval


def _legend_name(model: str) -> str:
    # a label that begins with an underscore is left out of a legend
    return f" {short_name(model)}" if model.startswith("_") else short_name(model)


def _percent_axis(panel: Axes) -> None:
    panel.set_xlim(0, 100)
    panel.set_xlabel("percent")
    _plain(panel)


def _plain(panel: Axes) -> None:
    panel.spines[["top", "right", "left"]].set_visible(False)
    panel.grid(axis="x", color=_GRID, linewidth=0.8)
    panel.set_axisbelow(True)
