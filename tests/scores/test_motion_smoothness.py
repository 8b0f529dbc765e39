from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opens2v_hf.errors import ArgumentError
from opens2v_hf.scores.motion_smoothness import (
    LEVELS,
    jump_frames,
    level_scores,
    motion_smoothness,
    window,
    windows,
)


@pytest.fixture
def released(shared_data: Path) -> dict:
    return json.loads((shared_data / "tiny-q-align" / "windows_artifacts.json").read_text())


def test_windows_are_the_released_ones(released: dict) -> None:
    assert len(released["windows"]) == 10
    for name, expected in released["windows"].items():
        size, num_frames = (int(part) for part in name.removeprefix("window").split("_T"))
        assert [list(indices) for indices in windows(num_frames, size)] == expected, name


def test_jumps_are_the_released_ones(released: dict) -> None:
    for name, case in released["cases"].items():
        assert list(jump_frames(case["scores"], released["threshold"])) == case["artifact_frames"], name
        if case["scores"]:
            assert motion_smoothness(case["scores"]) == case["motion_smoothness"], name


def test_no_frame_has_no_smoothness_and_one_frame_is_smooth() -> None:
    assert motion_smoothness([0.1]) == 1.0
    with pytest.raises(ArgumentError, match="at least one frame"):
        motion_smoothness([])
    with pytest.raises(ArgumentError, match="at least one frame"):
        windows(0)


def test_a_difference_that_equals_the_threshold_is_no_jump() -> None:
    # powers of two, so that the difference is exact
    assert jump_frames([0.5, 0.53125], threshold=0.03125) == ()
    assert jump_frames([0.5, 0.53125], threshold=0.03124) == (0, 1)


@pytest.mark.parametrize("scores", [[0.5, math.nan], [math.inf, 0.5]])
def test_scores_that_are_no_numbers_are_refused(scores: list[float]) -> None:
    with pytest.raises(ArgumentError, match="finite"):
        motion_smoothness(scores)


@pytest.mark.parametrize(("center", "num_frames", "size"), [(-1, 3, 3), (3, 3, 3), (0, 0, 3), (0, 1, 0)])
def test_windows_outside_the_video_are_refused(center: int, num_frames: int, size: int) -> None:
    with pytest.raises(ArgumentError, match="window"):
        window(center, num_frames, size)


def test_a_level_is_worth_its_weight_and_two_share() -> None:
    assert LEVELS == ("excellent", "good", "fair", "poor", "bad")
    logits = np.where(np.eye(5, dtype=bool), 3.0, -1e4)
    np.testing.assert_allclose(level_scores(logits), [1.0, 0.75, 0.5, 0.25, 0.0], atol=1e-12)
    # odds of 3 to 1 between good and bad: 0.75 * 0.75
    assert level_scores(np.array([[-1e4, math.log(3.0), -1e4, -1e4, 0.0]]))[0] == pytest.approx(0.5625)


def test_scores_of_half_precision_logits_are_half_precision_numbers() -> None:
    # odds 1 : 2 : 1 of excellent, good and bad: 0.25 + 0.5 * 0.75 = 0.625, which float16 holds
    logits = np.array([[0.0, math.log(2.0), -100.0, -100.0, 0.0], [1.0, 0.3, 0.2, 0.1, 0.0]], dtype=np.float16)
    found = level_scores(logits)
    np.testing.assert_array_equal(found, found.astype(np.float16))
    assert found[0] == 0.625
    # [.5, 1) holds steps of 2^-11, so that the rounding moves a score by less than three of them
    assert abs(found[1] - level_scores(logits.astype(np.float64))[1]) < 3 * 2.0**-11


def test_scores_are_the_released_ones(shared_data: Path) -> None:
    stages = np.load(shared_data / "tiny-q-align" / "stages_fp32.npz")
    for video in ("A", "B", "C", "BC"):
        np.testing.assert_allclose(level_scores(stages[f"{video}/level_logits"]), stages[f"{video}/score"], atol=2e-7)


@pytest.mark.parametrize("logits", [np.zeros((1, 4)), np.zeros(5), np.zeros((1, 5), int), np.full((2, 5), np.nan)])
def test_logits_must_be_five_numbers_a_window(logits: np.ndarray) -> None:
    with pytest.raises(ArgumentError, match="logits"):
        level_scores(logits)


@given(num_frames=st.integers(1, 40), size=st.integers(1, 9))
def test_every_window_is_full_ascends_and_holds_its_frame_or_the_first(num_frames: int, size: int) -> None:
    found = windows(num_frames, size)
    assert len(found) == num_frames
    for center, indices in enumerate(found):
        assert len(indices) == size
        assert list(indices) == sorted(indices)
        assert indices[0] >= 0
        assert indices[-1] < num_frames
        assert center in indices or set(indices) == {0}


@given(num_frames=st.integers(1, 30), longer=st.integers(1, 30), size=st.integers(1, 9))
def test_a_window_that_ends_before_the_end_is_that_of_any_longer_video(num_frames: int, longer: int, size: int) -> None:
    after = size - 1 - (size - 1) // 2
    for center in range(num_frames - after):
        assert window(center, num_frames, size) == window(center, num_frames + longer, size)


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=30))
def test_smoothness_counts_the_frames_next_to_a_large_difference(scores: list[float]) -> None:
    touched = [
        index
        for index, score in enumerate(scores)
        if any(
            abs(score - other) > 0.025 for other in (scores[max(index - 1, 0)], scores[min(index + 1, len(scores) - 1)])
        )
    ]
    assert list(jump_frames(scores)) == touched
    assert motion_smoothness(scores) == pytest.approx(1.0 - len(touched) / len(scores))
    assert jump_frames(scores[::-1]) == tuple(len(scores) - 1 - index for index in reversed(touched))
