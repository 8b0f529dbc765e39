import csv

import pytest
from helpers.leaderboard import measured
from helpers.submissions import replace

from opens2v_hf.hub.folders import hub_folder
from opens2v_hf.leaderboard.boards import Boards
from opens2v_hf.leaderboard.rows import (
    NO_COLUMNS,
    NO_VIDEOS,
    TOO_FEW,
    HubScores,
    make_board,
    names_of,
    split_columns,
)
from opens2v_hf.leaderboard.submissions.record import load_submissions

TABLES = {"open-domain": "Open-Domain", "human-domain": "Human-Domain", "single-domain": "Single-Domain"}
RELEASED = ("open-domain", "v1.1", "released")


@pytest.fixture(scope="module")
def published():
    return load_submissions(hub_folder("dataset_scripts", "opens2v-results"))


@pytest.mark.parametrize("split", TABLES)
def test_the_published_rows_have_the_order_of_the_published_tables(published, shared_data, split):
    with (shared_data / "leaderboard-v1.1" / f"results_{TABLES[split]}.csv").open(encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    table.sort(key=lambda row: -float(row["TotalScore↑"].rstrip("%")))
    board = make_board(published, split=split)
    assert [row.name for row in board.rows] == [row["Model"][1:].split("](")[0] for row in table]
    assert [row.rank for row in board.rows] == list(range(1, len(table) + 1))
    for row, expected in zip(board.rows, table, strict=True):
        assert f"{100 * row.total.value:.2f}" == f"{float(expected['TotalScore↑'].rstrip('%')):.2f}"
        assert row.columns["gmescore"].value == pytest.approx(float(expected["GmeScore↑"].rstrip("%")) / 100)
        assert row.venue == expected["Venue"]
        assert row.total.interval is None
        assert not row.has_videos


def test_the_weights_of_the_first_version(published):
    board = make_board(published, split="open-domain", version="v1.0")
    row = next(row for row in board.rows if row.name == "BindWeave")
    # .20 Nexus + .24 Natural + .12 Gme + .20 Face + .12 Aesthetics + .12 Amplitude of its published columns
    assert 100 * row.total.value == pytest.approx(
        0.20 * 46.84 + 0.24 * 66.85 + 0.12 * 67.79 + 0.20 * 53.71 + 0.12 * 45.55 + 0.12 * 13.91
    )


def test_strict_boards_leave_out_what_has_no_per_video_values(published):
    board = make_board([*published, measured("Alpha", 0.0)], split="open-domain", scoring="strict")
    assert [row.name for row in board.rows] == ["Alpha"]
    assert board.left_out == {NO_VIDEOS: 11}


def test_a_failure_costs_under_strict_scoring_alone():
    one = measured("Alpha", 0.0, "human-domain")
    failed = {
        i: {name: value for name, value in values.items() if (i, name) != ("singleface_1", "facesim_cur")}
        for i, values in one.per_video.items()
    }
    faces = [values["facesim_cur"] for values in failed.values() if "facesim_cur" in values]
    rows = {
        scoring: make_board([replace(one, per_video=failed)], split="human-domain", scoring=scoring).rows[0]
        for scoring in ("released", "strict")
    }
    assert rows["released"].columns["facesim_cur"].value == pytest.approx(sum(faces) / 59)
    assert rows["strict"].columns["facesim_cur"].value == pytest.approx(sum(faces) / 60)
    assert rows["released"].columns["facesim_cur"].num_videos == 59
    assert rows["strict"].columns["facesim_cur"].num_videos == 60


def with_the_best_alone(one, columns, keep):
    """Of these columns only the `keep` best values, as somebody would submit it who hopes that the rest is left out."""
    best = {
        name: sorted((values[name], i) for i, values in one.per_video.items() if name in values)[-keep:]
        for name in columns
    }
    kept = {(i, name) for name, values in best.items() for _, i in values}
    videos = {
        i: {name: value for name, value in values.items() if name not in columns or (i, name) in kept}
        for i, values in one.per_video.items()
    }
    return replace(one, per_video=videos, scoring="strict")


@pytest.mark.parametrize(
    ("columns", "keep", "is_listed"),
    [
        (split_columns("open-domain"), 1, False),
        (("gmescore",), 179, False),  # of 180: it applies to all
        (("nexusscore",), 70, False),  # of 141
        (("nexusscore",), 71, True),
        (("facesim_cur",), 44, False),  # of 90
        (("facesim_cur",), 45, True),
    ],
)
def test_a_submission_of_the_best_videos_only_is_on_the_strict_board_only(columns, keep, is_listed):
    sly = with_the_best_alone(measured("Sly", 0.0), columns, keep)
    assert [row.name for row in make_board([sly], split="open-domain", scoring="strict").rows] == ["Sly"]
    released = make_board([sly], split="open-domain")
    assert [row.name for row in released.rows] == ["Sly"] * is_listed
    assert released.left_out == ({} if is_listed else {TOO_FEW: 1})


def test_per_video_values_give_intervals_and_categories():
    one = measured("Alpha", 0.0)
    (row,) = make_board([one], split="open-domain").rows
    assert row.total.value == pytest.approx(one.total)
    low, high = row.total.interval
    assert low < one.total < high
    faces = [min(max(v["gmescore"], 0), 1) for i, v in one.per_video.items() if i.startswith("singleface_")]
    assert row.by_category["gmescore"]["single-face-to-video"].value == pytest.approx(sum(faces) / 30)
    assert row.by_category["gmescore"]["human-entity-to-video"].num_videos == 30  # faceobj and humanobj
    assert "multi-face-to-video" not in row.by_category["facesim_cur"]


def test_the_newest_submission_of_a_model_is_shown_and_all_are_its_history():
    old = measured("Alpha", 0.0, submitted_at="2026-01-01 00:00:00")
    new = measured("Alpha", -0.1, submitted_at="2026-03-01 00:00:00")
    boards = Boards([new, old, measured("Beta", 0.0, seed=1)])
    row = next(row for row in boards.board(RELEASED).rows if row.name == "Alpha")
    assert row.date == "2026-03-01"
    assert row.total.value == pytest.approx(new.total)
    assert boards.history(row.key) == [new, old]


def test_a_version_that_needs_a_column_that_is_missing():
    one = replace(measured("Alpha", 0.0), version="v1.0", per_video={}, num_videos={})
    columns = {name: value for name, value in one.columns.items() if name != "motion_smoothness"}
    one = replace(one, columns=columns, total=0.5)
    assert make_board([one], split="open-domain").left_out == {NO_COLUMNS: 1}
    assert make_board([one], split="open-domain", version="v1.0").rows[0].total.value == 0.5


def test_equal_totals_share_a_rank():
    rows = make_board([measured("A", 0.0), measured("B", 0.0), measured("C", -0.2)], split="open-domain").rows
    assert [row.rank for row in rows] == [1, 1, 3]


def test_models_with_equal_displayed_names_are_numbered():
    first, second = measured("Alpha\u200b", 0.0), measured("Alpha", 0.0)
    assert len(set(names_of([first, second]).values())) == len(names_of([first, second]))


def test_rows_of_the_hub_are_added_to_the_submissions():
    hub = [
        HubScores("org/alpha", "open-domain", 0.9),  # has a submission: that one counts
        HubScores("org/beta", "open-domain", 0.9001),
        HubScores("org/delta", "human-domain", 0.9),
        HubScores("org/proposed", "open-domain", 0.8, pull_request=4),
    ]
    alpha = measured("Alpha", 0.0, model_id="Org/Alpha")
    board = make_board([alpha], hub, split="open-domain")
    assert [(row.name, row.rank) for row in board.rows] == [
        ("Alpha", 1),  # nothing of a model's own repo is ranked
        ("org/beta", None),
        ("org/proposed", None),
    ]
    assert [row.total.value for row in board.rows[1:]] == [0.9001, 0.8]
    assert all(cell.value is None for cell in board.rows[1].columns.values())
    assert board.rows[2].proposed_in == 4
    assert board.rows[1].kind == "hub"
    assert board.rows[0].total.value == pytest.approx(alpha.total)
    assert [row.name for row in make_board([alpha], hub, split="open-domain", scoring="strict").rows] == ["Alpha"]
