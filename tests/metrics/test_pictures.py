import io

import numpy as np
import pytest
from PIL import Image

from opens2v_hf.errors import ArgumentError, ImageError
from opens2v_hf.metrics.pictures import load_picture

RED = np.full((3, 4, 3), (200, 10, 20), np.uint8)


def png(picture):
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def red_file(tmp_path):
    (tmp_path / "red.png").write_bytes(png(Image.fromarray(RED)))
    return tmp_path / "red.png"


def test_every_kind_of_source_gives_the_same_pixels(red_file):
    content = red_file.read_bytes()
    sources = [
        red_file, str(red_file), content, bytearray(content), RED, Image.fromarray(RED),
        {"path": str(red_file), "bytes": None}, {"path": "elsewhere.png", "bytes": content},
    ]  # fmt: skip
    for source in sources:
        picture = load_picture(source)
        assert picture.mode == "RGB"
        np.testing.assert_array_equal(np.asarray(picture), RED)


@pytest.mark.parametrize(
    ("picture", "pixel"),
    [
        (Image.new("RGBA", (2, 2), (9, 8, 7, 0)), (9, 8, 7)),  # transparency is dropped
        (Image.new("LA", (2, 2), (50, 0)), (50, 50, 50)),
        (Image.new("L", (1, 1), 77), (77, 77, 77)),
        (Image.new("1", (2, 2), 1), (255, 255, 255)),
        (Image.new("P", (2, 2), 0), (0, 0, 0)),
        (Image.fromarray(np.full((2, 2), 257 * 90, np.uint16)), (90, 90, 90)),  # 16 bits
    ],
)
def test_every_mode_becomes_rgb(picture, pixel):
    assert load_picture(png(picture)).getpixel((0, 0)) == pixel


def test_missing_and_broken_files_are_named(tmp_path, red_file):
    with pytest.raises(ImageError, match=r"no image .*missing\.png"):
        load_picture(tmp_path / "missing.png")
    with pytest.raises(ImageError, match="no image"):
        load_picture(tmp_path)
    (tmp_path / "text.png").write_text("not a picture")
    with pytest.raises(ImageError, match=r"text\.png is no image"):
        load_picture(tmp_path / "text.png")
    (tmp_path / "cut.png").write_bytes(
        png(Image.fromarray(np.random.default_rng(0).integers(0, 9, (64, 64, 3), np.uint8)))[:900]
    )
    with pytest.raises(ImageError, match=r"cut\.png is a broken image"):
        load_picture(tmp_path / "cut.png")
    with pytest.raises(ImageError, match="picture 2 of cup is no image"):
        load_picture(b"", name="picture 2 of cup")


def test_a_picture_too_huge_to_be_one(tmp_path, red_file, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 5)  # refused from twice as many on
    with pytest.raises(ImageError, match="scale it down"):
        load_picture(red_file)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 8)  # warned of
    assert load_picture(red_file).size == (4, 3)


@pytest.mark.parametrize(
    "source", [None, 3, {"path": None, "bytes": None}, np.zeros((2, 2, 4), np.uint8), np.zeros((2, 2, 3))]
)
def test_what_is_no_source(source):
    with pytest.raises(ArgumentError, match="the picture"):
        load_picture(source)


def test_pictures_without_pixels():
    for source in (np.zeros((0, 2, 3), np.uint8), Image.new("RGB", (0, 2))):
        with pytest.raises(ImageError, match="no pixels"):
            load_picture(source)
