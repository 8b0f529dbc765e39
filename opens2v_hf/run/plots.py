"""Pictures of results: bars with confidence intervals, for each metric and for each category."""

from __future__ import annotations

import io
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from opens2v_hf.run.result import RunResult
from opens2v_hf.run.table import metric_names, rows
from opens2v_hf.scores.outcome import Summary

PALETTE = ("#2563eb", "#ea580c", "#059669", "#7c3aed", "#dc2626", "#0891b2", "#a16207", "#db2777", "#4b5563")
"""Colours of models, references and what else stands side by side."""
_DPI = 110


def metric_bars(results: Sequence[RunResult]) -> Figure:
    """One panel a metric, one bar a model, best on top, with 95 % confidence intervals as whiskers."""
    names = metric_names(results)
    figure = Figure(figsize=(1.0 + 4.2 * len(names), 1.1 + 0.42 * len(results)), layout="constrained")
    panels = figure.subplots(1, len(names), squeeze=False)[0]
    color_of = _colors(results)
    for panel, name in zip(panels, names, strict=True):
        ranked = [row for row in rows(results, sort_by=name) if name in row.cells]
        for position, row in enumerate(reversed(ranked)):
            _bar(panel, position, row.cells[name], color_of[row.model])
        panel.set_yticks(range(len(ranked)), [row.model for row in reversed(ranked)])
        panel.set_title(name)
        _plain(panel)
    return figure


def category_bars(results: Sequence[RunResult], metric: str) -> Figure:
    """One group a category, one bar a model, with 95 % confidence intervals as whiskers."""
    summaries = {
        result.model: result.metric(metric).by_category(result.category_of)
        for result in results
        if metric in metric_names([result])
    }
    categories = list(dict.fromkeys(name for by_category in summaries.values() for name in by_category))
    figure = Figure(figsize=(7.5, 1.2 + len(categories) * (0.25 + 0.13 * len(summaries))), layout="constrained")
    panel = figure.subplots()
    color_of = _colors(results)
    height = 0.8 / max(len(summaries), 1)
    for offset, (model, by_category) in enumerate(summaries.items()):
        for position, category in enumerate(reversed(categories)):
            if category in by_category:
                shift = 0.4 - height * (offset + 0.5)
                _bar(panel, position + shift, by_category[category], color_of[model], height=height, text=False)
        panel.barh([0], [0], color=color_of[model], label=model)
    panel.set_yticks(range(len(categories)), list(reversed(categories)))
    panel.set_title(f"{metric} by category")
    panel.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
    _plain(panel)
    return figure


def to_png(figure: Figure) -> bytes:
    """The figure as the bytes of a PNG file."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_DPI)
    return buffer.getvalue()


def _colors(results: Sequence[RunResult]) -> dict[str, str]:
    return {result.model: PALETTE[index % len(PALETTE)] for index, result in enumerate(results)}


def _bar(panel: Axes, position: float, summary: Summary, color: str, *, height: float = 0.7, text: bool = True) -> None:
    if summary.mean is None:
        panel.text(0, position, " no value", va="center", color="#888888")
        return
    panel.barh([position], [summary.mean], height=height, color=color, alpha=0.85)
    if summary.interval:
        low, high = summary.interval
        error = [[max(summary.mean - low, 0.0)], [max(high - summary.mean, 0.0)]]
        panel.errorbar([summary.mean], [position], xerr=error, color="#222222", capsize=2, linewidth=1)
    if text:
        panel.text(0, position, f" {summary.mean:.3f}", va="center", color="white", fontsize=8)


def _plain(panel: Axes) -> None:
    panel.spines[["top", "right"]].set_visible(False)
    panel.grid(axis="x", color="#dddddd", linewidth=0.6)
    panel.set_axisbelow(True)
