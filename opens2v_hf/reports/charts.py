"""Radar and grouped bars, drawn onto given axes: for the report's PNG files and the leaderboard's SVG."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes

Measured = tuple[float | None, tuple[float, float] | None]
"""A value and its 95 % interval, in 0..1 for percent axes; either may be missing."""

NO_VALUE = "no value"
BAR_HEIGHT = 0.86
"""Of a bar, as a share of its slot."""

_ZERO_WIDTH_PT = 2.5


def radar(
    panel: Any,
    titles: Sequence[str],
    outlines: Mapping[str, Sequence[Measured]],
    color_of: Mapping[str, str],
    *,
    grid: str,
    bands: bool = False,
    whole_scale: bool = False,
) -> None:
    """An axis for each title, in percent, and an outline for each model.

    Args:
        panel: polar axes.
        titles: of the axes, clockwise from the top.
        outlines: model to a value for each axis; where one is missing the outline is broken.
        color_of: model to its colour.
        grid: colour of rings and spokes.
        bands: draw intervals as bands in place of filled outlines, for models that have all.
        whole_scale: draw all rings up to 100, however small the values are.
    """
    angles = [2 * math.pi * index / len(titles) for index in range(len(titles))]
    closed = [*angles, angles[0]]
    highest = 100.0 if whole_scale else 0.0
    for model, values in outlines.items():
        percents = [math.nan if value is None else 100 * value for value, _ in (*values, values[0])]
        highest = max([highest, *(value for value in percents if not math.isnan(value))])
        panel.plot(closed, percents, color=color_of[model], linewidth=1.8, marker="o", markersize=3.5, label=model)
        intervals = [interval for _, interval in (*values, values[0]) if interval]
        if bands and len(intervals) == len(closed):
            low, high = ([100 * interval[side] for interval in intervals] for side in (0, 1))
            panel.fill_between(closed, low, high, color=color_of[model], alpha=0.25, linewidth=0)
        elif not any(math.isnan(value) for value in percents):
            panel.fill(closed, percents, color=color_of[model], alpha=0.08, linewidth=0)
    rings = range(25, max(25, 25 * math.ceil(highest / 25)) + 1, 25)
    panel.set_theta_zero_location("N")
    panel.set_theta_direction(-1)
    panel.set_ylim(0, rings[-1])
    panel.set_yticks(rings, [str(ring) for ring in rings], fontsize=8)
    panel.set_rlabel_position(90 / len(titles))
    panel.set_xticks(angles, [])
    for angle, title in zip(angles, titles, strict=True):
        side = math.sin(angle)
        anchor = "center" if abs(side) < 0.1 else "left" if side > 0 else "right"
        panel.text(angle, 1.09 * rings[-1], title, ha=anchor, va="center")
    panel.grid(color=grid, linewidth=0.8)
    panel.spines["polar"].set_color(grid)


def grouped_bars(
    panel: Axes,
    groups: Mapping[str, Mapping[str, Measured]],
    models: Sequence[str],
    color_of: Mapping[str, str],
    *,
    ink: str,
    soft: str,
    height: float,
    gap: float,
    factor: float = 100,
) -> dict[tuple[str, str], float]:
    """Groups from top to bottom, in each a bar for every model that it has, in the order of `models`.

    Args:
        panel: axes whose y is in the unit of `height`.
        groups: title to model to value.
        models: in their order within a group.
        color_of: model to its colour.
        ink: colour of the intervals.
        soft: colour of the words "no value".
        height: of the slot of a bar.
        gap: between groups.
        factor: of values, 100 for percent.

    Returns:
        Group and model to the position of the bar on the y axis.
    """
    step = height * len(models) + gap
    positions = {}
    for number, (title, of_model) in enumerate(groups.items()):
        for offset, model in enumerate(models):
            if model in of_model:
                position = positions[title, model] = -number * step - offset * height
                bar(
                    panel, position, of_model[model], color_of[model],
                    ink=ink, soft=soft, height=BAR_HEIGHT * height, factor=factor,
                )  # fmt: skip
    middle = height * (len(models) - 1) / 2
    panel.set_yticks([-number * step - middle for number in range(len(groups))], list(groups))
    panel.tick_params(axis="y", length=0)
    if positions:  # a row without a value draws no bar, which would leave it out of the limits
        panel.set_ylim(min(positions.values()) - height, max(positions.values()) + height)
    return positions


def bar(
    panel: Axes, position: float, measured: Measured, color: str, *, ink: str, soft: str, height: float, factor: float
) -> None:
    """A bar and its interval as a whisker; a score of 0 is a line and a "0", a missing one is the text "no value"."""
    value, interval = measured
    if value is None:
        panel.text(0, position, f" {NO_VALUE}", va="center", color=soft, fontsize=8)
        return
    panel.barh([position], [factor * value], height=height, color=color, alpha=0.88)
    if value == 0:
        panel.vlines(
            0, position - height / 2, position + height / 2, colors=color, linewidth=_ZERO_WIDTH_PT, clip_on=False
        )
        panel.annotate(
            "0", (0, position), xytext=(4, 0), textcoords="offset points", va="center", color=ink, fontsize=8, zorder=6
        )
    if interval and interval[0] != interval[1]:
        error = [[max(factor * (value - interval[0]), 0.0)], [max(factor * (interval[1] - value), 0.0)]]
        panel.errorbar([factor * value], [position], xerr=error, color=ink, capsize=2, linewidth=1)


def plain(panel: Axes, grid: str) -> None:
    """No frame, and a grid behind the bars."""
    panel.spines[["top", "right", "left"]].set_visible(False)
    panel.grid(axis="x", color=grid, linewidth=0.8)
    panel.set_axisbelow(True)
