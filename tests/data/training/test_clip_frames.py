import numpy as np
import pytest

from opens2v_hf.data.training.clip_frames import FrameRule
from opens2v_hf.data.training.problems import TooShort
from opens2v_hf.errors import ArgumentError


def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def test_the_first_frames_at_a_stride() -> None:
    assert FrameRule(4, 3, "first").indices(10, 30, rng()) == (10, 13, 16, 19)
    assert FrameRule(1, 7, "first").indices(10, 11, rng()) == (10,)


def test_a_random_start_reaches_every_position_and_none_outside() -> None:
    # 4 frames at stride 3 span 10 frames; within [10, 22) they can begin at 10, 11 or 12.
    generator = rng()
    found = {FrameRule(4, 3).indices(10, 22, generator) for _ in range(100)}
    assert found == {(10, 13, 16, 19), (11, 14, 17, 20), (12, 15, 18, 21)}


def test_a_clip_that_is_too_short_is_an_error() -> None:
    assert FrameRule(4, 3).indices(10, 20, rng()) == (10, 13, 16, 19)
    with pytest.raises(TooShort, match=r"at least 10 frames for num_frames=4 and stride=3 \(got 9\)"):
        FrameRule(4, 3).indices(10, 19, rng())


@pytest.mark.parametrize("values", [(0, 1, "first"), (1, 0, "first"), (1, 1, "last")])
def test_values_out_of_range(values) -> None:
    with pytest.raises(ArgumentError):
        FrameRule(*values)
