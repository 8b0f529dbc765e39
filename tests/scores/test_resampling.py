import math

import numpy as np
import pytest

from opens2v_hf.scores import resampling
from opens2v_hf.scores.resampling import bootstrap_interval, interval_of, resampled_means

TABLE = np.array([[0.1, 1.0], [0.4, np.nan], [0.7, 2.0], [0.2, 3.0]])


def test_means_spread_as_theory_says() -> None:
    means = resampled_means(TABLE, num_resamples=20_000, seed=3)
    values = TABLE[:, 0]
    assert means[:, 0].mean() == pytest.approx(values.mean(), abs=0.005)
    assert means[:, 0].std() == pytest.approx(values.std() / 2, rel=0.03)
    # the second column's mean is over the rows that have a value: never below the least, none in (1/4)^4 of all draws
    assert np.nanmin(means[:, 1]) == 1.0
    assert np.isnan(means[:, 1]).mean() == pytest.approx(1 / 256, rel=0.3)


def test_columns_share_their_draws() -> None:
    table = np.stack([TABLE[:, 0], 1 - TABLE[:, 0]], axis=1)
    means = resampled_means(table, num_resamples=500, seed=0)
    assert means.sum(axis=1) == pytest.approx(np.ones(500))


def test_a_seed_gives_the_same_draws_in_any_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = resampled_means(TABLE, num_resamples=100, seed=5)
    monkeypatch.setattr(resampling, "_CHUNK_DRAWS", 28)
    np.testing.assert_array_equal(resampled_means(TABLE, num_resamples=100, seed=5), whole)
    assert not np.array_equal(resampled_means(TABLE, num_resamples=100, seed=6), whole, equal_nan=True)


@pytest.mark.parametrize("rows", [3, 255, 256])  # the counts of up to 255 rows are cached
def test_means_are_those_of_the_drawn_rows(rows: int) -> None:
    table = np.random.default_rng(1).normal(size=(rows, 2))
    drawn = np.random.default_rng(7).integers(0, rows, size=(40, rows))
    for scale in (1, 2):
        means = resampled_means(scale * table, num_resamples=40, seed=7)
        np.testing.assert_allclose(means, scale * table[drawn].mean(axis=1), atol=1e-12)
    repeated = resampled_means(np.ones((rows, 1)), num_resamples=40, seed=7)
    np.testing.assert_array_equal(repeated, 1.0)


def test_without_rows_or_resamples_there_is_nothing() -> None:
    assert np.isnan(resampled_means(np.empty((0, 2)), num_resamples=3, seed=0)).all()
    assert resampled_means(TABLE, num_resamples=0, seed=0).shape == (0, 2)
    assert interval_of(np.array([math.nan])) is None


def test_two_values_have_three_possible_means() -> None:
    # Resampling {0, 1} twice gives means 0, 1/2, 1 with probabilities 1/4, 1/2, 1/4: both 2.5 % tails lie in the ends.
    assert bootstrap_interval([0.0, 1.0]) == (0.0, 1.0)
    # At 40 % confidence the tails are 30 %: beyond the quarter that is at either end, so both bounds are 1/2.
    assert bootstrap_interval([0.0, 1.0], confidence=0.4) == (0.5, 0.5)


def test_agrees_with_the_normal_approximation_on_many_values() -> None:
    values = np.random.default_rng(3).normal(5.0, 2.0, size=2000)
    low, high = bootstrap_interval(values.tolist())
    half_width = 1.96 * values.std(ddof=1) / np.sqrt(values.size)
    assert low == pytest.approx(values.mean() - half_width, abs=0.1 * half_width)
    assert high == pytest.approx(values.mean() + half_width, abs=0.1 * half_width)


@pytest.mark.parametrize(("values", "confidence"), [([], 0.95), ([1.0], 0.0), ([1.0], 1.0)])
def test_refuses_what_has_no_interval(values: list[float], confidence: float) -> None:
    with pytest.raises(ValueError, match="confidence"):
        bootstrap_interval(values, confidence=confidence)
