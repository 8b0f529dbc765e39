from statistics import stdev

import pytest
from helpers.leaderboard import measured
from helpers.submissions import replace

from opens2v_hf.hub.folders import hub_folder
from opens2v_hf.leaderboard.ranks import rank_groups, undecided
from opens2v_hf.leaderboard.rows import make_board
from opens2v_hf.leaderboard.submissions.record import load_submissions


@pytest.fixture(scope="module")
def published():
    return load_submissions(hub_folder("dataset_scripts", "opens2v-results"))


def with_gme(submission, value_of):
    """The submission under another name, with other GmeScores and everything else the same."""
    per_video = {i: {**values, "gmescore": value_of(i)} for i, values in submission.per_video.items()}
    return replace(submission, per_video=per_video, model="Other")


def groups_of(*submissions):
    board = make_board(submissions, split="open-domain")
    groups = rank_groups(board, num_resamples=2000)
    return {row.name: str(groups[row.key]) for row in board.rows if row.key in groups}


def test_a_prompt_that_is_hard_for_all_models_makes_no_difference():
    alpha = with_gme(measured("Alpha", 0.0), lambda i: 0.3 + 0.4 * (hash_of(i) % 2))
    # intervals of the totals overlap widely, but every single video is a little better
    other = with_gme(alpha, lambda i: alpha.per_video[i]["gmescore"] + 0.001)
    assert groups_of(replace(alpha, model="Alpha"), other) == {"Other": "1 of 2", "Alpha": "2 of 2"}


@pytest.mark.parametrize(("errors", "groups"), [(1.0, {"1–2 of 2"}), (3.5, {"1 of 2", "2 of 2"})])
def test_a_difference_counts_from_about_two_standard_errors_on(errors, groups):
    alpha = with_gme(measured("Alpha", 0.0), lambda i: 0.5)
    noise = {i: 0.2 * (hash_of(i) % 7 - 3) / 3 for i in alpha.per_video}
    mean = sum(noise.values()) / 180
    error = stdev(noise.values()) / 180**0.5
    other = with_gme(alpha, lambda i: 0.5 + noise[i] - mean + errors * error)
    assert set(groups_of(replace(alpha, model="Alpha"), other).values()) == groups


def hash_of(sample_id):
    """A number that has nothing to do with the sample, and is the same in every run."""
    return sum(ord(c) * (k + 3) ** 2 for k, c in enumerate(sample_id))


def test_groups_among_many(published):
    board = make_board(
        [measured("Best", 0.2), measured("Same", 0.2), measured("Worst", -0.2, seed=2), *published], split="open-domain"
    )
    groups = rank_groups(board, num_resamples=2000)
    rows = {row.name: row for row in board.rows}
    assert {name: str(groups[row.key]) for name, row in rows.items() if row.key in groups} == {
        "Best": "1–2 of 3",
        "Same": "1–2 of 3",
        "Worst": "3 of 3",
    }
    assert groups[rows["Best"].key].tied == (rows["Same"].key,)
    assert undecided(list(groups.values())) == 1


def test_a_single_model_has_no_rank_group(published):
    assert groups_of(measured("Alone", 0.0), *published) == {}
    assert groups_of(*published) == {}
