import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opens2v_hf.errors import ArgumentError
from opens2v_hf.scores.matching import best_matching


def most_by_trying_everything(gains):
    """Every way to give each row a column of its own or none."""
    rows, columns = gains.shape
    choices = [*range(columns), *[None] * rows]
    return max(
        sum(gains[row, column] for row, column in enumerate(chosen) if column is not None)
        for chosen in itertools.permutations(choices, rows)
    )


def worth(gains, matching):
    return sum(gains[row, column] for row, column in enumerate(matching) if column is not None)


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 4), st.integers(0, 5), st.integers(0, 2**32 - 1), st.sampled_from([1, 2, 5, 1000]))
def test_no_other_matching_is_worth_more(rows, columns, seed, levels):
    # few levels make ties, many make none
    gains = np.random.default_rng(seed).integers(0, levels + 1, (rows, columns)) / levels
    matching = best_matching(gains, num_columns=columns)
    used = [column for column in matching if column is not None]
    assert len(matching) == rows
    assert len(set(used)) == len(used)
    assert worth(gains, matching) == pytest.approx(most_by_trying_everything(gains), abs=1e-12)


def test_the_greedy_choice_is_not_taken():
    # the best single pair (0.9) would leave the second row 0.1; 0.8 + 0.7 is more
    assert best_matching([[0.9, 0.8], [0.7, 0.1]]) == [1, 0]


def test_a_pair_that_gains_nothing_is_no_pair():
    assert best_matching([[0.0, 0.0], [0.0, 0.5]]) == [None, 1]
    assert best_matching([[], []]) == [None, None]
    assert best_matching([], num_columns=3) == []


@pytest.mark.parametrize("gains", [[[-0.1]], [[float("nan")]], [[float("inf")]], [0.5, 0.5]])
def test_what_is_no_gain_is_refused(gains):
    with pytest.raises(ArgumentError, match="gain"):
        best_matching(gains)
