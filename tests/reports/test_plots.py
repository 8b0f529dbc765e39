"""Plots are read back from their axes, and cut pictures from their pixels."""

import io
import math

import numpy as np
import pytest
from helpers.results import make_result
from helpers.scorecards import full_result
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image

from opens2v_hf.reports import plots
from opens2v_hf.results import table
from opens2v_hf.scores.scorecard import COLUMNS


def _lengths(figure: Figure) -> list[float]:
    return [bar.get_width() for bar in figure.axes[0].patches if bar.get_width() > 0]


def test_totals_are_drawn_with_their_intervals_best_on_top() -> None:
    rows = table.rows([full_result("low", quality=0.3), full_result("high", quality=0.7)])
    figure = plots.total_bars(rows, plots.colors(["high", "low"]))
    low, high = rows[1].card, rows[0].card
    assert _lengths(figure) == pytest.approx([100 * low.total, 100 * high.total])
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["low", "high"]
    whisker = figure.axes[0].collections[1].get_segments()[0]
    assert list(whisker[:, 0]) == pytest.approx([100 * bound for bound in high.interval])


def test_strict_totals_stand_where_failures_put_them() -> None:
    (row,) = table.rows([full_result("alpha", failed=("singleobj_1", "multiface_1"))])
    figure = plots.total_bars([row], plots.colors(["alpha"]))
    (diamond,) = [line for line in figure.axes[0].lines if line.get_marker() == "D"]
    assert diamond.get_xdata() == pytest.approx([100 * row.strict.total])
    assert row.strict.total < row.card.total


def test_the_radar_has_an_axis_for_each_column_and_breaks_where_one_is_missing() -> None:
    names = tuple(name for name in COLUMNS if name != "facesim_cur")
    rows = table.rows([full_result("all"), full_result("some", metrics=names)])
    panel = plots.radar(rows, plots.colors(["all", "some"])).axes[0]
    first, second = (list(line.get_ydata()) for line in panel.lines)
    assert first[:-1] == pytest.approx([100 * column.normalised for column in rows[0].card.columns.values()])
    assert first[0] == first[-1]
    assert math.isnan(second[list(COLUMNS).index("facesim_cur")])
    assert len(panel.patches) == 1  # only a whole outline is filled
    assert panel.get_ylim()[1] in (75, 100)


def test_the_radar_has_at_most_six_outlines() -> None:
    rows = table.rows([full_result(f"model {number}", quality=number / 10) for number in range(8)])
    panel = plots.radar(rows, plots.colors([row.model for row in rows])).axes[0]
    assert len(panel.lines) == plots.MAX_RADAR_MODELS


def test_categories_of_a_column() -> None:
    (row,) = table.rows([full_result("alpha")])
    figure = plots.category_bars([row], "facesim_cur", plots.colors(["alpha"]))
    by_category = row.card.columns["facesim_cur"].by_category
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == [
        "single-face", "single-body", "human-entity",
    ]  # fmt: skip
    assert _lengths(figure) == pytest.approx([100 * score.normalised for score in by_category.values()])


def test_a_column_without_a_value_is_labelled() -> None:
    rows = table.rows([make_result("a", (None, None)), make_result("b", (0.4, 0.6))])
    figure = plots.column_bars(rows, plots.colors(["a", "b"]))
    assert [text.get_text().strip() for text in figure.axes[0].texts] == ["no value"]
    assert _lengths(figure) == pytest.approx([50.0])


def test_no_value_in_the_last_row_is_above_the_axis() -> None:
    rows = table.rows([make_result("a", (0.4, 0.6)), make_result("b", (None, None))])
    panel = plots.column_bars(rows, plots.colors(["a", "b"])).axes[0]
    (words,) = [text for text in panel.texts if text.get_text().strip() == "no value"]
    assert panel.get_ylim()[0] <= words.get_position()[1] - 0.16 / 2


def test_two_long_names_fit_into_the_picture() -> None:
    rows = table.rows([full_result("x" * 26, metrics=("gmescore",)), full_result("y" * 26, metrics=("gmescore",))])
    figure = plots.column_bars(rows, plots.colors([row.model for row in rows]))
    plots.to_png(figure)
    legend = figure.legends[0].get_window_extent()
    assert legend.x0 >= 0
    assert legend.x1 <= figure.bbox.x1


def test_a_picture_without_any_value_is_no_empty_chart() -> None:
    rows = table.rows([make_result("a", (None, None)), make_result("b", (None, None))])
    colors = plots.colors(["a", "b"])
    for figure in (plots.column_bars(rows, colors), plots.category_bars(rows, "gmescore", colors)):
        assert [text.get_text() for text in figure.axes[0].texts] == ["no values"]
        assert not figure.axes[0].axison


def test_a_score_of_0_can_be_seen() -> None:
    rows = table.rows([make_result("a", (0.0, 0.0)), make_result("b", (0.4, 0.6))])
    panel = plots.column_bars(rows, plots.colors(["a", "b"])).axes[0]
    assert [text.get_text() for text in panel.texts] == ["0"]
    (line,) = [found for found in panel.collections if len(found.get_segments()) == 1 and found.get_linewidth() > 2]
    assert [x for x, _ in line.get_segments()[0]] == [0, 0]


def test_companion_metrics_have_their_own_units() -> None:
    (row,) = table.rows([make_result("a", (0.25, 0.75), metric="nexusscore_coverage")])
    figure = plots.extra_bars([row], "nexusscore_coverage", plots.colors(["a"]))
    assert _lengths(figure) == pytest.approx([0.5])


@pytest.mark.parametrize("model", ["$x_{1}$", "_hidden", "a\nb", "x" * 400, "\N{GRINNING FACE} \ue000"])
def test_any_name_is_drawn_as_it_is(model: str, recwarn: pytest.WarningsRecorder) -> None:
    rows = table.rows([full_result(model, metrics=("gmescore",)), full_result("other", metrics=("gmescore",))])
    figure = plots.column_bars(rows, plots.colors([row.model for row in rows]))
    assert plots.to_png(figure).startswith(b"\x89PNG")
    labels = [text.get_text().strip() for text in figure.legends[0].get_texts()]
    assert sorted(labels) == sorted([plots.short_name(model), "other"])
    plots.without_legend(figure, plots.to_png(figure))
    assert not recwarn.list, "letters without a font are no news for a user"


def test_a_picture_is_cut_between_its_plot_and_its_legend() -> None:
    rows = table.rows([full_result("low", quality=0.3), full_result("high", quality=0.7)])
    colors = plots.colors(["high", "low"])
    figure = plots.column_bars(rows, colors)
    png = plots.to_png(figure)
    whole, cut = (
        np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
        for content in (png, plots.without_legend(figure, png))
    )
    assert (cut == whole[: len(cut)]).all()
    assert (cut[-3:] == 255).all()
    for color in colors.values():
        assert (np.abs(whole[len(cut) :] - 255 * np.array(to_rgb(color))).max(axis=-1) < 2).any()
