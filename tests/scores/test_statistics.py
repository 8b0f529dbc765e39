import numpy as np
import pytest

from opens2v_hf.scores.statistics import bootstrap_interval


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
