import cv2
import numpy as np
import pytest

from opens2v_hf.errors import ArgumentError
from opens2v_hf.models.faces.align import TEMPLATE, align_face, similarity_transform


def umeyama(source, target):
    """Umeyama 1991, by singular values: an independent way to the same matrix."""
    source_mean, target_mean = source.mean(axis=0), target.mean(axis=0)
    a, b = source - source_mean, target - target_mean
    u, singular, vt = np.linalg.svd(b.T @ a / len(source))
    sign = np.array([1.0, np.sign(np.linalg.det(u) * np.linalg.det(vt))])
    rotation = u @ np.diag(sign) @ vt
    scale = (singular * sign).sum() / a.var(axis=0).sum()
    return np.column_stack([scale * rotation, target_mean - scale * rotation @ source_mean])


def test_a_turned_scaled_and_shifted_template_comes_back():
    angle, scale, shift = np.deg2rad(25), 3.0, np.array([40.0, -7.0])
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = similarity_transform(TEMPLATE, scale * TEMPLATE @ rotation.T + shift)
    assert np.allclose(matrix, np.column_stack([scale * rotation, shift]))


@pytest.mark.parametrize("seed", range(5))
def test_points_that_fit_no_transform_get_the_one_of_least_squares(seed):
    rng = np.random.default_rng(seed)
    source = TEMPLATE * rng.uniform(0.5, 4) + rng.normal(0, 6, (5, 2))
    matrix = similarity_transform(source, TEMPLATE)
    assert np.allclose(matrix, umeyama(source, TEMPLATE))

    def error(candidate):
        return float(((source @ candidate[:, :2].T + candidate[:, 2] - TEMPLATE) ** 2).sum())

    for _ in range(20):  # no similarity transform nearby is closer
        a, b, x, y = rng.normal(0, 1e-3, 4)
        assert error(matrix + np.array([[a, -b, x], [b, a, y]])) >= error(matrix)


def test_a_face_is_aligned_to_the_template():
    colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (0, 255, 255)]
    marks = list(zip(TEMPLATE * 2, colours, strict=True))
    upright = np.zeros((224, 224, 3), np.uint8)
    for (x, y), colour in marks:
        cv2.circle(upright, (round(x), round(y)), 9, colour, -1)
    turn = cv2.getRotationMatrix2D((112, 112), 30, 0.6)
    turned = cv2.warpAffine(upright, turn, (224, 224))
    landmarks = np.round(TEMPLATE * 2) @ turn[:, :2].T + turn[:, 2]
    crop = align_face(turned, landmarks)
    assert crop.shape == (224, 224, 3)
    for (x, y), colour in marks:
        assert crop[round(y), round(x)].tolist() == pytest.approx(list(colour), abs=8)


def test_the_crop_of_a_face_at_the_border_is_black_outside():
    crop = align_face(np.full((60, 60, 3), 200, np.uint8), TEMPLATE / 2 + [-20, 0], size_px=112)
    # template px x lies at x / 2 - 20 in the picture: left of 40 there is no picture
    assert crop[56, 37].tolist() == [0, 0, 0]
    assert crop[56, 43].tolist() == [200, 200, 200]


@pytest.mark.parametrize(
    ("source", "message"),
    [(np.ones((5, 2)), "coincide"), (np.full((5, 2), np.nan), "finite"), (np.ones((4, 2)), "as many")],
)
def test_points_that_cannot_be_aligned_are_refused(source, message):
    with pytest.raises(ArgumentError, match=message):
        similarity_transform(source, TEMPLATE)
