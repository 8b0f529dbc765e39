import numpy as np
import pytest

from opens2v_hf.errors import ArgumentError
from opens2v_hf.models.yolo_world.preprocess import fit, letterbox


@pytest.mark.parametrize(
    ("height", "width", "expected"),  # resized height and width, top, left
    [
        (480, 832, (369, 640, 135, 0)),  # 369.23 truncated
        (832, 480, (640, 369, 0, 135)),
        (640, 640, (640, 640, 0, 0)),
        (320, 160, (640, 320, 0, 160)),  # enlarged
        (1, 3000, (1, 640, 319, 0)),  # 0.21 px high would be nothing
    ],
)
def test_place_in_the_square(height, width, expected):
    place = fit(height, width, 640)
    assert (place.height, place.width, place.top, place.left) == expected
    assert place.scale == (place.width / width, place.height / height)


def test_the_network_gets_bgr_on_grey_padding():
    frame = np.zeros((32, 64, 3), np.uint8)
    frame[..., 0], frame[..., 1], frame[..., 2] = 200, 100, 50
    picture, _ = letterbox(frame, 64)
    assert picture[:16].min() == picture[:16].max() == picture[48:].min() == picture[48:].max() == 114
    assert (picture[16:48] == [50, 100, 200]).all()


def test_shrinking_averages_areas_and_enlarging_interpolates():
    frame = np.zeros((4, 4, 3), np.uint8)
    frame[::2] = 200
    assert (letterbox(frame, 2)[0] == 100).all()
    ramp = np.repeat(np.array([[0, 100]], np.uint8), 2, axis=0)[..., None].repeat(3, axis=2)
    assert letterbox(ramp, 4)[0][0, :, 0].tolist() == [0, 25, 75, 100]


@pytest.mark.parametrize(
    "frame",
    [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8)],
)
def test_what_is_no_frame_is_refused(frame):
    with pytest.raises(ArgumentError, match="a frame must be uint8"):
        letterbox(frame, 64)
