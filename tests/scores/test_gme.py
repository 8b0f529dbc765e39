from __future__ import annotations

import math

import numpy as np
import pytest

from opens2v_hf.errors import ArgumentError
from opens2v_hf.scores.gme import gme_lowest, gme_score


def test_it_is_the_mean_over_frames():
    assert gme_score([0.1, -0.3, 0.8]) == pytest.approx(0.2)
    assert gme_score([0.4]) == 0.4


def test_the_lowest_counts_once_however_often_it_occurs():
    assert gme_lowest([0.4, -0.3, 0.8, -0.3]) == -0.3


@pytest.mark.parametrize("values", [[], [0.1, math.nan], [math.inf]])
@pytest.mark.parametrize("formula", [gme_score, gme_lowest])
def test_no_frame_and_no_number_are_refused(formula, values):
    with pytest.raises(ArgumentError):
        formula(values)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        # steps of float16 between 0.5 and 1 are 2^-11: 0.5, 0.50048828125, 0.5009765625
        ([0.5, 0.50048828125, 0.50048828125], 0.50048828125),  # the mean, 0.50032552, is nearer to the second
        ([0.5, 0.50048828125], 0.5),  # a tie goes to the even one
        ([0.5, 0.5009765625], 0.50048828125),
        ([0.3, 0.3], 0.300048828125),  # 0.3 itself is no number of float16
        ([-0.5, -0.50048828125, -0.50048828125], -0.50048828125),
    ],
)
def test_the_released_rounding_is_that_of_a_mean_in_float16(values, expected):
    assert gme_score(values, rounding="float16") == expected
    assert float(np.float16(np.mean(np.array(values, np.float16), dtype=np.float64))) == expected


def test_the_rounding_moves_a_mean_of_float16_numbers_by_half_a_step_at_most():
    values = np.random.default_rng(0).uniform(0.5, 1.0, (200, 32)).astype(np.float16).astype(float).tolist()
    moved = [abs(gme_score(row, rounding="float16") - gme_score(row)) for row in values]
    assert 2.0e-4 < max(moved) <= 2**-12  # 2.44e-4


def test_another_rounding_is_refused():
    with pytest.raises(ArgumentError, match="rounding"):
        gme_score([0.1], rounding="bfloat16")
