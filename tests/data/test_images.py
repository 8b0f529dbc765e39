import io

import numpy as np
import pytest
from PIL import Image

from opens2v_hf.data.images import check_image, read_image
from opens2v_hf.errors import ImageError


def encoded(image, kind="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8))


def with_byte(content, place, value):
    return content[:place] + bytes([value]) + content[place + 1 :]


# what Pillow 12 raises for each, found by trying
@pytest.mark.parametrize(
    "content",
    [
        pytest.param(encoded(NOISE, "QOI")[:2000], id="qoi cut: IndexError or ValueError"),
        pytest.param(with_byte(encoded(NOISE, "QOI"), 6, 1), id="qoi larger than its data: IndexError"),
        pytest.param(with_byte(encoded(NOISE, "DDS"), 80, 0), id="dds of no format: NotImplementedError"),
        pytest.param(encoded(NOISE, "DDS")[:2000], id="dds cut: ValueError"),
        pytest.param(with_byte(encoded(NOISE), 35, 0), id="png of no chunk: SyntaxError"),
        pytest.param(encoded(NOISE)[:2000], id="png cut: OSError"),
        pytest.param(b"", id="empty"),
    ],
)
def test_every_exception_of_pillow_names_the_image(content, tmp_path):
    with pytest.raises(ImageError, match="picture 3 of cup"):
        read_image(content, name="picture 3 of cup")
    (tmp_path / "cup.img").write_bytes(content)
    with pytest.raises(ImageError, match=r"cup\.img"):
        read_image(tmp_path / "cup.img")


@pytest.mark.parametrize("kind", ["AVIF", "BMP", "DDS", "GIF", "JPEG", "PNG", "QOI", "TIFF", "WEBP"])
def test_damaged_bytes_give_an_image_or_an_image_error(kind):
    if kind not in Image.SAVE and (Image.init() or kind not in Image.SAVE):
        pytest.skip(f"this Pillow writes no {kind}")
    content = encoded(NOISE, kind)
    rng = np.random.default_rng(0)
    failures = 0
    for _ in range(60):
        damaged = bytearray(content[: rng.integers(len(content) + 1)])
        for place in rng.integers(0, min(len(content), 200), 3):
            damaged[place : place + 1] = bytes([rng.integers(256)])
        for use in (check_image, read_image):
            try:
                use(bytes(damaged), name="damaged")
            except ImageError:
                failures += 1
    assert failures


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("x"), KeyError("x"), RecursionError("x")])
def test_any_exception_of_a_decoder_is_an_image_error(error, monkeypatch):
    def fail(*arguments, **options):
        raise error

    monkeypatch.setattr(Image, "open", fail)
    with pytest.raises(ImageError, match="cup is a broken image"):
        read_image(b"x", name="cup")


def test_a_decompression_bomb(monkeypatch):
    content = encoded(Image.new("RGB", (4, 3)))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 5)  # refused from twice as many on
    for use in (check_image, read_image):
        with pytest.raises(ImageError, match="too many pixels"):
            use(content)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 8)  # Pillow warns
    assert read_image(content).size == (4, 3)


def grey(values, dtype):
    return Image.fromarray(np.array(values, dtype))


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (grey([[0, 128, 255]], np.int32), [0, 128, 255]),
        (grey([[0, 128, 255]], np.uint16), [0, 128, 255]),
        (grey([[-7, 1]], np.int32), [0, 1]),
        (grey([[0, 257 * 90, 65535]], np.uint16), [0, 90, 255]),
        (grey([[0, 257 * 90, 65535]], np.int32), [0, 90, 255]),
        (grey([[0, 2**30, 2**31 - 1]], np.int32), [0, 128, 255]),  # 127.5 is rounded to even
        (grey([[0, 0.5, 1]], np.float32), [0, 128, 255]),
        (grey([[0, 128, 255]], np.float32), [0, 128, 255]),
    ],
)
def test_values_of_more_than_8_bits_are_scaled_by_their_range(image, expected):
    rgb = np.asarray(read_image(image))
    assert rgb.shape == (*np.asarray(image).shape, 3)
    assert rgb[0].tolist() == [[value] * 3 for value in expected]


@pytest.mark.parametrize(
    ("kind", "values"), [("PNG", [0, 128, 255]), ("TIFF", [0, 128, 255]), ("TIFF", [0, 257, 65535])]
)
def test_a_32_bit_image_in_a_file(kind, values):
    expected = [v if max(values) <= 255 else v // 257 for v in values]
    rgb = np.asarray(read_image(encoded(grey([values], np.int32), kind)))
    assert rgb[0, :, 0].tolist() == expected


def test_values_that_are_no_numbers():
    with pytest.raises(ImageError, match="no numbers"):
        read_image(grey([[0, np.nan]], np.float32), name="depth")


def test_the_orientation_in_exif_is_ignored():
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown rotated by 90 degrees
    assert read_image(encoded(Image.new("RGB", (4, 3)), "JPEG", exif=exif)).size == (4, 3)


def test_missing_files(tmp_path):
    for path in (tmp_path / "missing.png", tmp_path, "half\ud800"):
        with pytest.raises(ImageError, match="there is no image"):
            read_image(path)
