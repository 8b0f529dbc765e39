import numpy as np
import pytest

from opens2v_hf.errors import ArgumentError, MaskError
from opens2v_hf.masks.apply import cut_box, cut_out
from opens2v_hf.masks.rle import encode

IMAGE = np.arange(4 * 5 * 3, dtype=np.uint8).reshape(4, 5, 3)
MASK = np.zeros((4, 5), dtype=bool)
MASK[1, 2] = MASK[2, 3] = True


@pytest.mark.parametrize(("background", "level"), [("white", 255), ("black", 0)])
def test_on_one_colour(background, level):
    picture = cut_out(IMAGE, encode(MASK), background=background)
    assert picture.shape == (2, 2, 3)
    np.testing.assert_array_equal(picture[0, 0], IMAGE[1, 2])
    np.testing.assert_array_equal(picture[1, 1], IMAGE[2, 3])
    assert (picture[0, 1] == level).all()
    assert (picture[1, 0] == level).all()


def test_transparent():
    picture = cut_out(IMAGE, encode(MASK), background="transparent")
    assert picture.shape == (2, 2, 4)
    assert picture[:, :, 3].tolist() == [[255, 0], [0, 255]]
    np.testing.assert_array_equal(picture[1, 1, :3], IMAGE[2, 3])
    assert (picture[0, 1] == 0).all()


def test_whole_frame():
    picture = cut_out(IMAGE, encode(MASK), background="black", crop=False)
    assert picture.shape == IMAGE.shape
    assert int((picture.any(axis=2)).sum()) == 2
    empty = cut_out(IMAGE, encode(np.zeros((4, 5), dtype=bool)), crop=False)
    assert (empty == 255).all()


def test_empty_mask_has_no_subject():
    with pytest.raises(MaskError, match="empty"):
        cut_out(IMAGE, encode(np.zeros((4, 5), dtype=bool)))


def test_mask_of_another_picture():
    with pytest.raises(MaskError, match="does not fit"):
        cut_out(IMAGE, encode(MASK.T))


def test_box():
    np.testing.assert_array_equal(cut_box(IMAGE, (1.4, 0.5, 3.5, 2.2)), IMAGE[0:2, 1:4])  # 0.5 -> 0, 3.5 -> 4
    np.testing.assert_array_equal(cut_box(IMAGE, (-3, -3, 2, 99)), IMAGE[:, :2])


@pytest.mark.parametrize("corners", [(2, 2, 2, 3), (6, 0, 8, 2), (float("nan"), 0, 1, 1), (3, 0, 1, 2)])
def test_box_without_picture(corners):
    with pytest.raises(ArgumentError):
        cut_box(IMAGE, corners)


@pytest.mark.parametrize("image", [IMAGE[:, :, 0], IMAGE.astype(np.float32), np.dstack([IMAGE, IMAGE])])
def test_images_of_another_kind(image):
    with pytest.raises(ArgumentError, match="uint8"):
        cut_out(image, encode(MASK))
    with pytest.raises(ArgumentError, match="uint8"):
        cut_box(image, (0, 0, 1, 1))


def test_unknown_background():
    with pytest.raises(ArgumentError, match="white, black, transparent"):
        cut_out(IMAGE, encode(MASK), background="green")
