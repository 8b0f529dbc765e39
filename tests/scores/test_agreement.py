import krippendorff
import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from opens2v_hf.scores import agreement as formulas


@pytest.fixture
def tied_rows():
    generator = np.random.default_rng(3)
    truth = generator.integers(0, 5, size=200).astype(float)
    return truth, np.round(truth + generator.normal(0, 2, size=200))


def test_spearman_equals_scipy_with_ties(tied_rows):
    assert formulas.spearman(*tied_rows) == pytest.approx(stats.spearmanr(*tied_rows)[0], abs=1e-12)


def test_kendall_equals_scipy_with_ties(tied_rows):
    assert formulas.kendall_tau_b(*tied_rows)[0] == pytest.approx(stats.kendalltau(*tied_rows)[0], abs=1e-12)


def test_kendall_of_a_resample_equals_scipy_on_the_repeated_rows(tied_rows):
    drawn = np.random.default_rng(1).integers(0, 200, size=200)
    counts = np.bincount(drawn, minlength=200)[None, :].astype(float)
    expected = stats.kendalltau(*(side[drawn] for side in tied_rows))[0]
    assert formulas.kendall_tau_b(*tied_rows, counts)[0] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("side", [np.array([1.0]), np.array([2.0, 2.0, 2.0])], ids=["one row", "constant"])
def test_correlations_without_order_are_nan(side):
    other = np.arange(len(side), dtype=float)
    assert np.isnan(formulas.spearman(side, other))
    assert np.isnan(formulas.kendall_tau_b(side, other)[0])


def test_pair_counts_by_hand():
    # item 0: ratings 1 < 2 < 3; scores order (1, 2) right, (1, 3) tied, (2, 3) wrong. Item 1: ratings tied.
    counts = formulas.pair_counts(
        scores=np.array([0.1, 0.5, 0.1, 7.0, 8.0]),
        ratings=np.array([1.0, 2.0, 3.0, 4.0, 4.0]),
        items=np.array([0, 0, 0, 1, 1]),
    )
    assert counts.agreeing.tolist() == [1.5, 0.0]
    assert counts.compared.tolist() == [3, 0]
    assert counts.tied.tolist() == [0, 1]
    assert counts.accuracy == 0.5


def test_pairwise_accuracy_of_two_levels_is_the_area_under_the_roc_curve(tied_rows):
    ratings = (tied_rows[0] > 2).astype(float)
    counts = formulas.pair_counts(tied_rows[1], ratings, np.zeros(200, dtype=int))
    assert counts.accuracy == pytest.approx(roc_auc_score(ratings, tied_rows[1]), abs=1e-12)


def test_partial_spearman_is_the_correlation_of_rank_residuals(tied_rows):
    given = np.random.default_rng(8).normal(size=200) + tied_rows[0]
    ranks = [stats.rankdata(side) for side in (*tied_rows, given)]
    design = np.stack([np.ones(200), ranks[2]], axis=1)
    residuals = [side - design @ np.linalg.lstsq(design, side, rcond=None)[0] for side in ranks[:2]]
    expected = np.corrcoef(*residuals)[0, 1]
    assert formulas.partial_spearman(*tied_rows, given) == pytest.approx(expected, abs=1e-12)


def test_fisher_mean_by_hand():
    # arctanh(0.6) = ln 2, arctanh(0) = 0; tanh(ln(2) / 2) = 1/3
    assert formulas.fisher_mean(np.array([0.6, 0.0, np.nan])) == pytest.approx(1 / 3, abs=1e-12)
    assert np.isnan(formulas.fisher_mean(np.array([np.nan])))
    assert formulas.fisher_mean(np.array([1.0, 0.2])) == 1.0


@pytest.mark.parametrize("level", ["nominal", "ordinal", "interval"])
def test_alpha_equals_the_krippendorff_package(level):
    generator = np.random.default_rng(5)
    ratings = np.clip(generator.integers(1, 6, size=60) + generator.integers(-1, 2, size=(4, 60)), 1, 5).astype(float)
    ratings[generator.random(ratings.shape) < 0.3] = np.nan
    expected = krippendorff.alpha(reliability_data=ratings, level_of_measurement=level)
    assert formulas.krippendorff_alpha(ratings, level) == pytest.approx(expected, abs=1e-9)


def test_alpha_of_perfect_agreement_is_one_and_of_one_value_is_undefined():
    assert formulas.krippendorff_alpha(np.array([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]])) == 1.0
    assert np.isnan(formulas.krippendorff_alpha(np.array([[2.0, 2.0], [2.0, 2.0]])))


def test_raters_by_hand():
    # rater 0 against the mean of the others: 1, 2, 3 against 1.5, 1.5, 3: ranks 1.5, 1.5, 3
    ratings = np.array([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0], [2.0, 1.0, 3.0]])
    pairs = [1.0, 0.5, 0.5]
    assert formulas.rater_correlation(ratings) == pytest.approx(sum(pairs) / 3)
    tied = stats.spearmanr([1, 2, 3], [1.5, 1.5, 3])[0]
    assert formulas.leave_one_out(ratings) == pytest.approx((tied + tied + 0.5) / 3)
    assert formulas.mean_rating(np.array([[1.0, np.nan], [3.0, np.nan]])).tolist()[0] == 2.0
