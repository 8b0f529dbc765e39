from dataclasses import replace
from statistics import stdev

import pytest
from helpers.leaderboard import measured

from opens2v_hf.hub.folders import hub_folder
from opens2v_hf.hub.leaderboard.ranks import Draws, undecided
from opens2v_hf.hub.leaderboard.rows import make_board
from opens2v_hf.hub.results.record import load_submissions


def within(submission, low=0.2, high=0.6):
    """The submission with a GmeScore that nothing is clipped of."""
    per_video = {
        i: {**values, "gmescore": low + (high - low) * min(max(values["gmescore"], 0), 1)}
        for i, values in submission.per_video.items()
    }
    return replace(submission, per_video=per_video)


def moved(submission, by):
    per_video = {i: {**values, "gmescore": values["gmescore"] + by} for i, values in submission.per_video.items()}
    return replace(submission, per_video=per_video)


def draws_of(*submissions, split="open-domain"):
    board = make_board(submissions, split=split)
    rows = {row.name: row for row in board.rows}
    return Draws(board, num_resamples=2000), rows


def test_the_same_prompts_are_drawn_for_all():
    alpha = within(measured("Alpha", 0.0))
    draws, rows = draws_of(alpha, replace(moved(alpha, 0.05), model="Beta"))
    found = draws.column_difference("gmescore", rows["Beta"], rows["Alpha"])
    # every video is 0.05 better: so is every draw, however the prompts fall
    assert found.value == pytest.approx(0.05)
    assert found.interval == pytest.approx((0.05, 0.05))
    assert found.significant is True
    total = draws.total_difference(rows["Beta"], rows["Alpha"])
    assert total.interval == pytest.approx((0.12 * 0.05, 0.12 * 0.05))  # the weight of GmeScore


def test_the_interval_is_as_wide_as_the_standard_error_says():
    alpha, beta = within(measured("Alpha", 0.0)), within(measured("Beta", 0.0, seed=1))
    draws, rows = draws_of(alpha, beta)
    found = draws.column_difference("gmescore", rows["Alpha"], rows["Beta"])
    differences = [alpha.per_video[i]["gmescore"] - beta.per_video[i]["gmescore"] for i in alpha.per_video]
    error = stdev(differences) / len(differences) ** 0.5
    assert found.interval[1] - found.interval[0] == pytest.approx(2 * 1.96 * error, rel=0.1)
    assert sum(found.interval) / 2 == pytest.approx(sum(differences) / 180, abs=0.2 * error)


def test_rank_groups():
    published = load_submissions(hub_folder("dataset_scripts", "opens2v-results"))
    best, same = measured("Best", 0.2), measured("Same", 0.2)
    draws, rows = draws_of(best, same, measured("Worst", -0.2, seed=2), *published)
    groups = draws.groups()
    assert {name: str(groups[row.key]) for name, row in rows.items() if row.key in groups} == {
        "Best": "1–2 of 3",
        "Same": "1–2 of 3",
        "Worst": "3 of 3",
    }
    assert groups[rows["Best"].key].tied == (rows["Same"].key,)
    assert undecided(list(groups.values())) == 1


def test_nothing_is_said_where_there_is_nothing_to_compare():
    published = load_submissions(hub_folder("dataset_scripts", "opens2v-results"))
    draws, rows = draws_of(measured("Alone", 0.0), *published)
    assert draws.groups() == {}
    found = draws.total_difference(rows["VACE-14B"], rows["BindWeave"])
    assert found.value == pytest.approx(0.5755 - 0.5761)
    assert found.interval is None
    assert found.significant is None
