"""Numbers worked out by hand, and an interval against the cluster-robust formula."""

import numpy as np
import pytest

from opens2v_hf.errors import ArgumentError
from opens2v_hf.scores.resampling import bootstrap_interval
from opens2v_hf.scores.scorecard import SCORINGS
from opens2v_hf.scores.seeds import seed_scores


def scores(values, split="open-domain", scoring="released", **options):
    return seed_scores(values, split=split, version="v1.1", scoring=scoring, **options)


def gme(*values):
    return {"gmescore": {f"singleobj_{number}": value for number, value in enumerate(values)}}


def test_mean_and_deviation_of_the_columns_of_each_seed():
    column = scores({42: gme(0.2, 0.4), 43: gme(0.6, 0.8), 7: gme(0.4, 0.4)}).columns["gmescore"]
    assert column.by_seed == pytest.approx({42: 0.3, 43: 0.7, 7: 0.4})
    assert list(column.by_seed) == [42, 43, 7]
    assert column.mean == pytest.approx(1.4 / 3)
    # deviations from 1.4 / 3: -1/6, 7/30, -1/15; squares (25 + 49 + 4) / 900 = 78 / 900, over 2
    assert column.deviation == pytest.approx((78 / 1800) ** 0.5)


def test_equal_videos_of_a_prompt_do_not_make_the_interval_narrower():
    rng = np.random.default_rng(0)
    values = rng.uniform(size=40)
    column = scores({seed: gme(*values) for seed in range(5)}).columns["gmescore"]
    assert column.interval == pytest.approx(bootstrap_interval(list(values)), abs=0.01)  # of 40, not of 200


def test_the_interval_has_the_width_of_the_cluster_robust_one():
    rng = np.random.default_rng(1)
    prompts = rng.uniform(0.3, 0.7, size=(180, 1)) + rng.normal(scale=0.05, size=(180, 3))
    column = scores({seed: gme(*prompts[:, seed]) for seed in range(3)}).columns["gmescore"]
    robust = prompts.mean(axis=1).std(ddof=1) / 180**0.5
    assert column.mean == pytest.approx(prompts.mean())
    assert column.interval[1] - column.interval[0] == pytest.approx(2 * 1.96 * robust, rel=0.05)


def test_each_seed_is_scored_by_the_rules_of_the_leaderboard():
    values = {
        1: {"nexusscore": {"singleobj_1": 0.0, "singleobj_2": 0.05, "singleobj_3": None}},
        2: {"nexusscore": {"singleobj_1": 0.025, "singleobj_2": 0.05, "singleobj_3": 0.1}},
    }
    found = [scores(values, scoring=scoring).columns["nexusscore"] for scoring in SCORINGS]
    # released: 0 and what is missing are left out; strict: both count as 0
    assert found[0].by_seed == pytest.approx({1: 1.0, 2: (0.5 + 1 + 1) / 3})
    assert found[1].by_seed == pytest.approx({1: 1 / 3, 2: (0.5 + 1 + 1) / 3})


def test_the_total_is_over_the_columns_that_every_seed_has():
    values = {
        1: gme(0.5, 0.5) | {"naturalscore": {"singleobj_0": 3.0}, "aesthetics": {"singleobj_0": 5.5}},
        2: gme(0.7, 0.7) | {"naturalscore": {"singleobj_0": 5.0}, "aesthetics": {"singleobj_0": None}},
    }
    found = scores(values)
    assert found.total.by_seed == pytest.approx({1: (0.12 * 0.5 + 0.24 * 0.5) / 0.36, 2: (0.12 * 0.7 + 0.24) / 0.36})
    assert found.columns["aesthetics"].by_seed == {1: 0.5, 2: None}
    assert (found.columns["aesthetics"].mean, found.columns["aesthetics"].interval) == (None, None)


def test_one_prompt_has_no_interval():
    column = scores({1: gme(0.5), 2: gme(0.6)}).columns["gmescore"]
    assert (column.mean, column.interval) == (pytest.approx(0.55), None)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({1: gme(0.5)}, "at least two"),
        ({1: gme(0.5), 2: {"beauty": {"singleobj_0": 1.0}}}, "no column 'beauty'"),
        ({1: gme(0.5), 2: gme(float("nan"))}, "must be a finite number"),
    ],
)
def test_wrong_use_is_refused(values, words):
    with pytest.raises(ArgumentError, match=words):
        scores(values)
