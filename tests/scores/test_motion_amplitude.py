import math

import pytest

from opens2v_hf.errors import ArgumentError
from opens2v_hf.scores.motion_amplitude import motion_amplitude, motion_magnitude, reduced_size


def test_opposite_motions_cancel_in_the_released_score_and_not_in_the_magnitude():
    assert motion_amplitude([1.0, -1.0, 0.5, -0.5]) == 0.0
    # 1.5 px a frame at 20 frames a second are 30 px a second, of a diagonal of 50 px
    assert motion_magnitude([1.0, 2.0], fps=20, width=30, height=40) == pytest.approx(0.6)


def test_the_sign_goes_last():
    assert motion_amplitude([-3.0, 1.0, -1.0]) == 1.0


def test_twice_the_size_and_half_the_frame_rate_change_no_magnitude():
    once = motion_magnitude([1.5, 2.5, 0.25], fps=24, width=640, height=360)
    assert motion_magnitude([3.0, 5.0, 0.5], fps=24, width=1280, height=720) == pytest.approx(once)
    assert motion_magnitude([3.0, 5.0, 0.5], fps=12, width=640, height=360) == pytest.approx(once)


@pytest.mark.parametrize(
    ("width", "height", "rows"), [(832, 480, 9), (480, 832, 27), (16, 16, 16), (8, 6, 12), (320, 20, 1), (1280, 720, 9)]
)
def test_maps_are_reduced_in_proportion_and_the_height_truncated(width, height, rows):
    assert reduced_size(width, height) == (16, rows)


def test_what_has_no_score_is_refused():
    with pytest.raises(ArgumentError, match="at least two"):
        motion_amplitude([])
    with pytest.raises(ArgumentError, match="finite"):
        motion_amplitude([0.5, math.nan])
    with pytest.raises(ArgumentError, match="finite"):
        motion_magnitude([math.inf], fps=8, width=4, height=3)
    with pytest.raises(ArgumentError, match="frame rate"):
        motion_magnitude([1.0], fps=0.0, width=4, height=3)
    with pytest.raises(ArgumentError, match="too flat"):
        reduced_size(640, 39)
