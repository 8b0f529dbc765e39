import numpy as np
import pytest
from PIL import Image

from opens2v_hf.errors import GenerationError
from opens2v_hf.generators.checks import checked_frames
from opens2v_hf.generators.references import as_rgb, choose, collage, on_canvas


def moving(count: int = 3, height: int = 4, width: int = 6) -> np.ndarray:
    frames = np.zeros((count, height, width, 3), np.uint8)
    for number in range(count):
        frames[number, :, number] = 200
    return frames


def test_frames_of_the_right_kind_pass_unchanged():
    assert checked_frames(moving(), num_frames=3, width=6, height=4).tolist() == moving().tolist()


def test_float_frames_are_rounded():
    frames = moving().astype(np.float32) / 255
    frames[0, 0, 5, 0] = 0.6 / 255  # truncating would give 0
    assert checked_frames(frames)[0, 0, 5, 0] == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda f: f[..., :2], "shape"),
        (lambda f: f[:2], "3 frames (got 2)"),
        (lambda f: f[:, :, :4], "6x4 pixels (got 4x4)"),
        (lambda f: np.where(f == 200, np.nan, 0.0), "NaN"),
        (lambda f: f.astype(np.float32), "[0, 1]"),
        (lambda f: f.astype(np.int32), "uint8 or float"),
        (lambda f: np.zeros_like(f), "mean 0 of 255"),
        (lambda f: np.repeat(f[:1], 3, axis=0), "all 3 frames are equal"),
    ],
)
def test_frames_that_are_no_video_of_the_request_are_refused(change, words):
    with pytest.raises(GenerationError) as raised:
        checked_frames(change(moving()), num_frames=3, width=6, height=4)
    assert words in str(raised.value)


def test_transparent_parts_become_white():
    image = Image.new("RGBA", (20, 20), (255, 0, 0, 0))
    image.putpixel((3, 3), (10, 20, 30, 255))
    flat = as_rgb(image, "x")
    assert (flat.mode, flat.getpixel((0, 0)), flat.getpixel((3, 3))) == ("RGB", (255, 255, 255), (10, 20, 30))


def test_pictures_without_a_subject_are_refused():
    with pytest.raises(GenerationError, match="at least 16 pixels"):
        as_rgb(Image.new("L", (1, 1)), "x")


def test_a_picture_is_centred_on_white():
    canvas = on_canvas(Image.new("RGB", (20, 10), "blue"), 40, 40)
    assert [canvas.getpixel((20, row)) for row in (0, 9, 20, 39)] == [(255,) * 3, (255,) * 3, (0, 0, 255), (255,) * 3]


def test_a_collage_has_a_column_for_each():
    made = collage([Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")], 32, 16)
    assert [made.getpixel((column, 8)) for column in (8, 24)] == [(255, 0, 0), (0, 0, 255)]


def test_too_many_references():
    images = [Image.new("RGB", (20, 20), colour) for colour in ("red", "blue", "white")]
    assert choose(images, None, "fail", 32, 32) == (tuple(images), None)
    assert choose(images, 3, "fail", 32, 32) == (tuple(images), None)
    assert choose(images, 2, "first", 32, 32) == (tuple(images[:2]), "first")
    made, change = choose(images, 1, "collage", 48, 16)
    assert (len(made), made[0].size, change) == (1, (48, 16), "collage")
    with pytest.raises(GenerationError, match="3 references and the model takes 2"):
        choose(images, 2, "fail", 32, 32)
