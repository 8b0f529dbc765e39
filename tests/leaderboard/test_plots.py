from dataclasses import replace
from xml.etree import ElementTree

import pytest
from helpers.leaderboard import HOSTILE_NAME, hostile, measured

from opens2v_hf.hub.folders import hub_folder
from opens2v_hf.leaderboard.plots import category_bars, history_lines, radar
from opens2v_hf.leaderboard.rows import make_board
from opens2v_hf.leaderboard.submissions.record import load_submissions


@pytest.fixture(scope="module")
def rows():
    published = load_submissions(hub_folder("dataset_scripts", "opens2v-results"))
    board = make_board([*published, measured("Alpha", 0.05), hostile()], split="open-domain")
    return {row.name[:9]: row for row in board.rows}


def words(svg):
    return [element.text for element in ElementTree.fromstring(svg).iter() if element.tag.endswith("}text")]


def test_a_radar_names_all_columns(rows):
    found = words(radar([rows["BindWeave"], rows["Alpha"]]))
    assert {"Aesthetics", "MotionSmoothness", "FaceSim", "NexusScore", "NaturalScore"} <= set(found)


def test_categories_of_a_column(rows):
    found = words(category_bars([rows["Alpha"], rows[HOSTILE_NAME[:9]]], "facesim_cur"))
    assert [word for word in found if "e" in word] == ["Single face", "Single body", "Human entity", "FaceSim"]


def test_a_plot_is_drawn_once_for_the_same_numbers(rows):
    alpha, other = rows["Alpha"], rows[HOSTILE_NAME[:9]]
    once = category_bars([alpha], "facesim_cur")
    assert category_bars([replace(alpha, name="Beta", key="beta")], "facesim_cur") is once
    assert category_bars([other], "facesim_cur") is not once
    cells = {name: replace(cell, interval=(0.0, 1.0)) for name, cell in alpha.by_category["facesim_cur"].items()}
    wide = replace(alpha, by_category={**alpha.by_category, "facesim_cur": cells})
    assert category_bars([wide], "facesim_cur") is not once
    assert radar([alpha, other]) is not radar([other, alpha])


def test_plots_have_the_colours_of_the_page(rows):
    svg = radar([rows["Alpha"]])
    assert "var(--board-ink)" in svg
    assert "var(--board-line)" in svg
    assert "#000000" not in svg


def test_names_are_text_and_not_formulas():
    name = "a$\\frac{1}{0}$ <script>"
    svg = history_lines({name: [("2026-01-01", 0.5), ("2026-02-01", 0.6)]})
    assert name in words(svg)
    assert "<script" not in svg
