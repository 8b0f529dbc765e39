"""Copy-paste by hand."""

import math

import pytest

from opens2v_hf.errors import ArgumentError
from opens2v_hf.scores.copypaste import CopyPaste, copy_excess, copypaste

COS_30, COS_60, COS_90 = math.sqrt(3) / 2, 0.5, 0.0


@pytest.mark.parametrize(
    ("given", "views", "between", "expected"),
    [
        (1.0, [COS_60], [COS_60], 1.0),  # the picture itself: 60 - 0 of 60 degrees
        (COS_60, [1.0], [COS_60], -1.0),  # the view itself
        (COS_30, [COS_60], [COS_60], 0.5),  # (60 - 30) / 60
        (COS_30, [COS_60, COS_30], [COS_60, COS_90], 0.25),  # mean of 30/60 and 0/90
        (COS_30, [COS_90], [COS_30], 1.0),  # 60/30, cut at 1
        (1.0000001, [COS_60], [COS_60], 1.0),  # beyond 1 by rounding
    ],
)
def test_angles_by_hand(given, views, between, expected):
    assert copy_excess(given, views, between) == pytest.approx(expected, abs=1e-6)


def test_a_view_equal_to_the_picture_is_left_out():
    assert copy_excess(0.9, [0.9], [1.0]) is None
    # the other view alone counts: (60 - 30) / 60
    assert copy_excess(COS_30, [COS_60, COS_60], [math.cos(0.34), COS_60]) == pytest.approx(0.5)


def test_the_mean_over_frames_is_cut_and_not_each_frame():
    # frames that are nearer now to the picture and now to a view cost nothing: 1 - max(0, (0.5 - 0.5) / 2)
    assert copypaste([[0.5, -0.5]]).value == 1.0
    assert copypaste([[-1.0, -1.0]]).value == 1.0
    assert copypaste([[1.0, 1.0, None]]) == CopyPaste(0.0, (0.0,), (2,))


def test_a_subject_that_is_never_found_is_left_out():
    found = copypaste([[None, None], [0.5, None]])
    assert found == CopyPaste(0.5, (None, 0.5), (0, 1))


@pytest.mark.parametrize("call", [
    lambda: copy_excess(1.0, [], []),
    lambda: copy_excess(1.0, [0.5], [0.5, 0.5]),
    lambda: copy_excess(math.nan, [0.5], [0.5]),
    lambda: copypaste([]),
    lambda: copypaste([[0.1], [0.1, 0.2]]),
])  # fmt: skip
def test_what_cannot_be_compared(call):
    with pytest.raises(ArgumentError, match=r"got|not"):
        call()
