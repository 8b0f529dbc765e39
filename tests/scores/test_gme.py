from __future__ import annotations

import math

import pytest

from opens2v_hf.errors import ArgumentError
from opens2v_hf.scores.gme import gme_score


def test_it_is_the_mean_over_frames():
    assert gme_score([0.1, -0.3, 0.8]) == pytest.approx(0.2)
    assert gme_score([0.4]) == 0.4


@pytest.mark.parametrize("values", [[], [0.1, math.nan], [math.inf]])
def test_no_frame_and_no_number_are_refused(values):
    with pytest.raises(ArgumentError):
        gme_score(values)
