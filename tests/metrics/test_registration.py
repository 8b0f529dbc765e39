"""Pictures laid over frames, at places and sizes that are known."""

import numpy as np
import pytest
from PIL import Image

from opens2v_hf.metrics.registration import best_correlation

RNG = np.random.default_rng(3)
FRAME = np.kron(RNG.integers(0, 256, (14, 21, 3)), np.ones((8, 8, 1))).astype(np.uint8)  # 112 x 168
PICTURE = Image.fromarray(np.kron(RNG.integers(0, 256, (6, 6, 3)), np.ones((16, 16, 1))).astype(np.uint8))


@pytest.mark.parametrize(("side", "left", "top"), [(48, 60, 30), (64, 20, 40), (40, 128, 4)])
def test_a_pasted_picture_fits_and_another_one_does_not(side, left, top):
    frame = FRAME.copy()
    frame[top : top + side, left : left + side] = np.asarray(PICTURE.resize((side, side)))
    box = (left + side // 8, top + side // 8, left + side - side // 8, top + side - side // 8)
    assert best_correlation(PICTURE, frame, box) > 0.9
    assert best_correlation(PICTURE, FRAME, box) < 0.75
    other = Image.fromarray(np.asarray(PICTURE)[::-1, ::-1])
    assert best_correlation(other, frame, box) < 0.75


def test_brightness_and_contrast_do_not_count():
    frame = FRAME.copy()
    frame[30:78, 60:108] = (np.asarray(PICTURE.resize((48, 48))) * 0.4 + 90).astype(np.uint8)
    assert best_correlation(PICTURE, frame, (60, 30, 108, 78)) > 0.9


def test_a_picture_over_the_border_fits_as_far_as_it_is_seen():
    frame = FRAME.copy()
    frame[0:48, 0:36] = np.asarray(PICTURE.resize((48, 48)))[:, 12:]
    assert best_correlation(PICTURE, frame, (0, 0, 36, 48)) > 0.7


def test_one_colour_fits_nothing():
    assert best_correlation(Image.new("RGB", (20, 20), (9, 9, 9)), FRAME, (10, 10, 40, 40)) == 0.0
    plain = np.full((60, 60, 3), 7, np.uint8)
    assert best_correlation(PICTURE, plain, (10, 10, 40, 40)) == pytest.approx(0.0, abs=1e-6)
