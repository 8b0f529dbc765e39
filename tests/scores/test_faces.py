import numpy as np
import pytest

from opens2v_hf.errors import ArgumentError
from opens2v_hf.scores.faces import facesim_cur, facesim_multi


def test_frames_without_a_face_and_frames_with_nothing_of_the_reference_are_left_out():
    score = facesim_cur([0.5, None, 0.0, -0.3, 0.25])
    assert score.value == pytest.approx((0.5 + 0.25) / 2)
    assert (score.num_frames, score.num_with_face, score.num_counted) == (5, 4, 2)


@pytest.mark.parametrize("cosines", [[None, None], [0.0], [-0.5, None]])
def test_where_no_frame_is_left_there_is_no_value(cosines):
    assert facesim_cur(cosines).value is None


@pytest.mark.parametrize("cosines", [[], [float("nan")], [0.5, float("inf")]])
def test_what_cannot_be_averaged_is_refused(cosines):
    with pytest.raises(ArgumentError):
        facesim_cur(cosines)


def test_each_reference_gets_its_own_face_in_any_order():
    score = facesim_multi([[[0.9, 0.2], [0.1, 0.8]], [[0.0, 0.6], [0.7, 0.1]]], 2)
    assert score.assignments == ((0, 1), (1, 0))
    assert score.similarities == ((0.9, 0.8), (0.7, 0.6))
    assert score.by_reference == pytest.approx((0.8, 0.7))
    assert score.value == pytest.approx(0.75)


def test_a_missing_reference_has_no_similarity_in_that_frame():
    everybody = [[0.8, 0.1], [0.1, 0.8]]
    assert facesim_multi([everybody] * 4, 2).value == pytest.approx(0.8)
    half_the_time = facesim_multi([everybody, [], everybody, []], 2)
    assert half_the_time.value == pytest.approx(0.4)
    assert half_the_time.frames_found == (2, 2)
    one_of_two = facesim_multi([[[0.8, 0.1]]] * 4, 2)
    assert one_of_two.by_reference == pytest.approx((0.8, 0.0))
    assert one_of_two.value == pytest.approx(0.4)


def test_one_face_on_everybody_counts_once():
    copied = [[0.9, 0.0]] * 3
    assert facesim_multi([copied], 2).value == pytest.approx(0.45)


def test_a_face_that_is_unlike_a_reference_costs_no_more_than_none():
    assert facesim_multi([[[-0.4, -0.2]]], 2).value == 0.0


def test_further_faces_of_strangers_change_nothing():
    score = facesim_multi([np.array([[0.1, 0.2], [0.9, 0.1], [0.2, 0.7], [0.3, 0.3]])], 2)
    assert score.assignments == ((1, 2),)
    assert score.value == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("cosines", "references"), [([], 1), ([[[0.5]]], 0), ([[[0.5, 0.5]]], 1), ([[[float("nan")]]], 1)]
)
def test_what_does_not_fit_is_refused(cosines, references):
    with pytest.raises(ArgumentError):
        facesim_multi(cosines, references)
