from fractions import Fraction

import pytest

from opens2v_hf.errors import ArgumentError
from opens2v_hf.video.sampling import every, linspace, stride


def test_linspace_is_the_released_choice_on_a_clip_of_81_frames():
    # i * 80 / 31 truncated, by exact arithmetic
    assert linspace(32).indices(81) == tuple(int(Fraction(80 * i, 31)) for i in range(32))


@pytest.mark.parametrize("num_frames", [33, 49, 69, 95, 121, 150, 311, 3000])
def test_linspace_covers_both_ends_in_even_steps(num_frames):
    indices = linspace(32).indices(num_frames)
    gap = (num_frames - 1) / 31
    assert (indices[0], indices[-1], len(indices)) == (0, num_frames - 1, 32)
    assert all(abs(index - number * gap) <= 1 for number, index in enumerate(indices))


def test_linspace_repeats_frames_of_a_short_clip():
    assert linspace(5).indices(3) == (0, 0, 1, 1, 2)
    assert linspace(32).indices(1) == (0,) * 32


def test_linspace_of_one_frame_takes_the_first():
    assert linspace(1).indices(10) == (0,)


@pytest.mark.parametrize(
    ("num_frames", "expected"),
    [
        (81, tuple(range(0, 80, 5))),  # 81 // 16 = 5
        (31, tuple(range(16))),  # 31 // 16 = 1: the tail is not seen
        (16, tuple(range(16))),
        (7, tuple(range(7))),
        (160, tuple(range(0, 160, 10))),
    ],
)
def test_stride_as_released(num_frames, expected):
    assert stride(16).indices(num_frames) == expected


def test_every_takes_all():
    assert every().indices(4) == (0, 1, 2, 3)


def test_names_are_those_of_results():
    assert [rule.name for rule in (linspace(), stride(), linspace(8), every())] == [
        "linspace-32",
        "stride-16",
        "linspace-8",
        "all",
    ]


def test_rules_are_equal_by_what_they_take():
    assert linspace(4) == linspace(4) != stride(4)
    assert len({linspace(4), linspace(4), linspace(5)}) == 2


@pytest.mark.parametrize("count", [0, -1, 2.5, True, "16", None])
@pytest.mark.parametrize("make", [linspace, stride])
def test_counts_that_are_none_are_refused(make, count):
    with pytest.raises(ArgumentError, match="whole number from 1"):
        make(count)


@pytest.mark.parametrize("rule", [linspace(), stride(), every()])
def test_a_video_without_frames_cannot_be_sampled(rule):
    with pytest.raises(ArgumentError, match="at least one frame"):
        rule.indices(0)
