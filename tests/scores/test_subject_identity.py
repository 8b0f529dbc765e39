"""The identity of several subjects by hand, and by trying every assignment."""

import itertools

import numpy as np
import pytest

from opens2v_hf.errors import ArgumentError
from opens2v_hf.scores.subject_identity import subject_identity


def by_trying(frames, num_references):
    """The formula literally: the best of all one-to-one assignments, in each frame."""
    total = 0.0
    for frame in frames:
        padded = np.vstack([np.maximum(frame, 0.0), np.zeros((num_references, num_references))])
        choices = itertools.permutations(range(len(padded)), num_references)
        total += max(sum(padded[crop, k] for k, crop in enumerate(chosen)) for chosen in choices)
    return total / (len(frames) * num_references)


def test_the_table_of_the_card():
    both = [[0.8, 0.0], [0.0, 0.8]]
    assert subject_identity([both] * 4, 2).value == pytest.approx(0.8)
    assert subject_identity([both, [], both, []], 2).value == pytest.approx(0.4)
    assert subject_identity([[[0.8, 0.0], [0.8, 0.0]]] * 2, 2).value == pytest.approx(0.4)
    assert subject_identity([[[0.4, 0.4], [0.4, 0.4]]], 2).value == pytest.approx(0.4)


def test_a_crop_is_matched_with_one_reference():
    found = subject_identity([[[0.9, 0.8]], [[0.9, 0.8], [0.1, 0.7]]], 2)
    assert found.assignments == ((0, None), (0, 1))
    assert found.by_reference == pytest.approx((0.9, 0.35))
    assert found.frames_found == (2, 1)


def test_every_assignment_is_tried():
    rng = np.random.default_rng(0)
    frames = [rng.uniform(-0.5, 1.0, (rng.integers(1, 5), 3)) for _ in range(6)]
    assert subject_identity(frames, 3).value == pytest.approx(by_trying(frames, 3))


def test_no_frame():
    with pytest.raises(ArgumentError, match="0 frames"):
        subject_identity([], 1)
