import math

import pytest

from opens2v_hf.errors import ArgumentError
from opens2v_hf.scores.aesthetics import aesthetics_score


def test_the_score_is_the_mean():
    assert aesthetics_score([4.0, 5.0, 7.5]) == 5.5


@pytest.mark.parametrize(("ratings", "message"), [([], "at least one frame"), ([5.0, math.nan], "finite")])
def test_what_has_no_mean_is_refused(ratings, message):
    with pytest.raises(ArgumentError, match=message):
        aesthetics_score(ratings)
