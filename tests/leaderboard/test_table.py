import csv
import io

import pytest
from helpers.leaderboard import HOSTILE_NAME, hostile, measured

from opens2v_hf.errors import ArgumentError
from opens2v_hf.hub.folders import hub_folder
from opens2v_hf.leaderboard.dataframe import datatypes, to_dataframe, widths
from opens2v_hf.leaderboard.ranks import RankGroup
from opens2v_hf.leaderboard.rows import HubScores, make_board
from opens2v_hf.leaderboard.submissions.record import load_submissions
from opens2v_hf.leaderboard.table import TITLES, RowFilter, category_table, score_table, to_csv


@pytest.fixture(scope="module")
def published():
    return load_submissions(hub_folder("dataset_scripts", "opens2v-results"))


@pytest.fixture(scope="module")
def board(published):
    hub = [HubScores("org/no-columns", "open-domain", 0.99)]
    return make_board([*published, measured("Alpha", 0.05), hostile()], hub, split="open-domain")


def names(table):
    return list(table.frame["Model"])


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("phantom", {"Phantom-14B", "Phantom-1.3B"}),
        ("PHANTOM 14b", {"Phantom-14B"}),
        ("bindweave, kling", {"BindWeave", "Kling1.6(20250503)"}),
        ("weave team", {"BindWeave"}),
        ("nothing like it", set()),
    ],
)
def test_search(board, words, found):
    assert set(names(score_table(board, {}, RowFilter(words)))) == found


def test_open_and_closed(board):
    everything = len(score_table(board, {}).frame)
    closed = names(score_table(board, {}, RowFilter(venue="Closed-Source")))
    assert closed == ["BindWeave", "Kling1.6(20250503)", "Vidu2.0(20250503)", "Pika2.1(20250503)"]
    assert len(score_table(board, {}, RowFilter(venue="Open-Source")).frame) == everything - len(closed)


def test_order(board):
    by_gme = names(score_table(board, {}, RowFilter(sort_by="GmeScore")))
    assert by_gme[:2] == ["VACE-P1.3B", "VACE-1.3B"]  # 71.38, 71.26
    assert by_gme[-1] == "org/no-columns"  # what is missing comes last
    by_total = score_table(board, {})
    assert names(by_total)[-1] == "org/no-columns"  # a total of 99, and no rank
    assert by_total.frame["#"].iloc[-1] is None
    by_name = names(score_table(board, {}, RowFilter(sort_by="Model")))[:-1]
    assert by_name == sorted(by_name, key=str.casefold)
    by_rank = score_table(board, {}, RowFilter(sort_by="#"))
    assert list(by_rank.frame["#"])[:3] == [1, 2, 3]


def test_rank_groups_are_ordered_by_their_places(board):
    keys = [row.key for row in board.rows[:3]]
    groups = dict(zip(keys, (RankGroup(10, 11, 12, ()), RankGroup(2, 4, 12, ()), RankGroup(2, 3, 12, ())), strict=True))
    ordered = score_table(board, groups, RowFilter(sort_by="Rank group"))
    assert list(ordered.frame["Rank group"])[:4] == ["2–3 of 12", "2–4 of 12", "10–11 of 12", ""]


def test_ranks_stay_those_of_the_whole_board(board):
    (rank,) = score_table(board, {}, RowFilter("vidu")).frame["#"]
    everything = score_table(board, {})
    assert rank == names(everything).index("Vidu2.0(20250503)") + 1 > 1


def test_columns(board):
    table = score_table(board, {}, shown=["GmeScore", "Date"])
    assert list(table.frame) == ["#", "Model", "Total", "GmeScore", "Date"]
    assert "Rank group" not in table.frame  # there are no groups
    # by their weights in v1.1: 24 %, then twice 20 %
    assert list(score_table(board, {}).frame)[2:6] == ["Total", "NaturalScore", "FaceSim", "NexusScore"]
    human = score_table(make_board([], split="human-domain"), {})
    assert "NexusScore" not in human.frame
    assert human.frame.empty


def test_categories(board):
    table = category_table(board, "nexusscore")
    assert list(table.frame) == [
        "#", "Model", "NexusScore", "Single body", "Single entity", "Multi face", "Multi body", "Multi entity",
        "Human entity",
    ]  # fmt: skip
    assert set(names(table)) == {"Alpha", names(table)[1]}  # those with per-video values
    alpha = measured("Alpha", 0.05)
    bodies = [min(max(v["nexusscore"], 0), 0.05) for i, v in alpha.per_video.items() if i.startswith("singlehuman_")]
    kept = [value for value in bodies if value > 0]
    cell = table.frame.set_index("Model").loc["Alpha", "Single body"]
    assert cell.value == pytest.approx(sum(kept) / len(kept) / 0.05)
    assert cell.interval[0] < cell.value < cell.interval[1]
    assert cell.num_videos == len(kept)
    with pytest.raises(ArgumentError, match="human-domain has no column 'nexusscore'"):
        category_table(make_board([], split="human-domain"), "nexusscore")


def test_csv(board):
    table = score_table(board, {}, RowFilter("bindweave, alpha, <img"))
    content = to_csv(table)
    assert content.startswith(b"\xef\xbb\xbf")
    header, *rows = csv.reader(io.StringIO(content.decode("utf-8-sig")))
    found = {row[1]: dict(zip(header, row, strict=True)) for row in rows}
    assert found["BindWeave"]["Total"] == "57.61"
    assert found["BindWeave"]["Total low"] == ""
    assert found["BindWeave"]["NexusScore"] == "46.84"
    assert found["BindWeave"]["Evaluated by"] == "Weave Team"
    assert float(found["Alpha"]["Total low"]) < float(found["Alpha"]["Total"]) < float(found["Alpha"]["Total high"])
    cells = [cell for row in rows for cell in row]
    assert [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))] == []
    assert any(cell.startswith("'=HYPERLINK") for cell in cells)


def test_the_value_of_a_gradio_table(board):
    table = score_table(
        board, {}, RowFilter("bindweave, alpha, org/, <img"), shown=["GmeScore", "Videos", "Evaluated by"]
    )
    value = to_dataframe(table, with_intervals=False)
    shown, styles = value["metadata"]["display_value"], value["metadata"]["styling"]
    assert value["headers"] == ["#", "Model", "Total", "Gme\u200bScore", "Evaluated by", "Videos"]
    assert datatypes(table) == ["number", "str", "number", "number", "str", "number"]
    by_name = {row[1]: place for place, row in enumerate(value["data"])}
    bind, alpha, partial = by_name["BindWeave"], by_name["Alpha"], by_name["org/no-columns"]
    assert value["data"][bind][2:4] == [57.61, 67.79]
    assert shown[bind][2:4] == ["57.61", "67.79"]
    assert styles[bind][3].startswith("--value: 67.79%")
    assert shown[alpha][2].count("[") == 1
    assert shown[alpha][3].count("[") == 0
    assert "--low: " in styles[alpha][3]
    assert shown[partial][:4] == ["–", "org/no-columns", "99.00", "–"]
    assert not styles[partial][3]
    assert styles[bind][3].endswith("; --best: 1")
    wider = to_dataframe(table, with_intervals=True)
    assert wider["metadata"]["display_value"][alpha][3].count("[") == 1
    assert len(widths(table, with_intervals=True)) == 6
    first = score_table(board, {}, shown=[*TITLES.values(), "Rank group", "Access"])
    assert sum(int(width.removesuffix("px")) for width in widths(first, with_intervals=False)) <= 1208


def test_nothing_from_outside_becomes_a_style(board):
    table = score_table(board, {}, RowFilter("<img"))
    assert names(table)[0].startswith(HOSTILE_NAME[:20])
    for row in to_dataframe(table, with_intervals=True)["metadata"]["styling"]:
        for style in row:
            assert set(style) <= set("-abcdefghijklmnopqrstuvwxyz: ;%.0123456789")
    words = [type_ for type_ in datatypes(table) if type_ not in ("str", "number")]
    assert words == []  # gradio shows "str" as it is, and renders "html" and "markdown"
