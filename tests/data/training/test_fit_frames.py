import numpy as np
import pytest

from opens2v_hf.data.training.fit_frames import Resize, letterbox
from opens2v_hf.errors import ArgumentError
from opens2v_hf.video.fast_resize import resize


def test_cropping_keeps_the_middle_in_its_proportions() -> None:
    # Columns 0..11 of value 10 * column; a square of 6 keeps the columns 3..8.
    picture = np.broadcast_to(np.arange(12, dtype=np.uint8)[None, :, None] * 10, (6, 12, 3))
    assert Resize(6, 6).apply(picture)[0, :, 0].tolist() == [30, 40, 50, 60, 70, 80]
    # Halved by area, each pixel is the mean of two.
    assert Resize(3, 3).apply(np.ascontiguousarray(picture))[2, :, 1].tolist() == [35, 55, 75]


def test_every_pixel_counts_where_a_picture_shrinks() -> None:
    # Stripes of one pixel: a picture that is sampled here and there would keep some stripes whole.
    for width in (100, 97, 60, 33, 10):
        picture = np.zeros((100, 240, 3), np.uint8)
        picture[:, ::2] = 200
        assert np.abs(resize(picture, 40, width)[:, 1:-1].astype(int) - 100).max() <= 34
    # To a third: means of blocks of 3 x 3; the 7th row and column go, half of the rest on either side.
    picture = np.repeat(np.arange(49, dtype=np.uint8).reshape(7, 7, 1), 3, axis=2)
    assert resize(picture, 2, 2)[..., 0].tolist() == [[8, 11], [29, 32]]
    out = np.zeros((2, 2, 3), np.uint8)
    resize(picture, 2, 2, out)
    assert out[..., 0].tolist() == [[8, 11], [29, 32]]


def test_stretching_keeps_all() -> None:
    picture = np.zeros((2, 4, 3), np.uint8)
    picture[:, 2:] = 200
    assert Resize(2, 2, "stretch").apply(picture)[:, :, 0].tolist() == [[0, 200], [0, 200]]


def test_a_picture_of_the_right_size_is_not_touched() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    assert np.array_equal(Resize(5, 7).apply(picture), picture)


def test_a_letterbox_holds_the_whole_picture_in_the_middle() -> None:
    picture = np.full((4, 8, 3), 50, np.uint8)
    boxed = letterbox(picture, 8, 8, 255)
    assert boxed[:, 3, 0].tolist() == [255, 255, 50, 50, 50, 50, 255, 255]
    boxed = letterbox(picture, 8, 4, 0)  # halved: 2 rows of 4
    assert boxed[:, 3, 2].tolist() == [0, 0, 0, 50, 50, 0, 0, 0]
    assert letterbox(np.zeros((500, 1, 4), np.uint8), 10, 10, 0).shape == (10, 10, 4)


@pytest.mark.parametrize("values", [(0, 5, "crop"), (5, 0, "crop"), (5, 5, "squeeze")])
def test_values_out_of_range(values) -> None:
    with pytest.raises(ArgumentError):
        Resize(*values)
