"""Parts of frames in another size: colours, positions, and when luma and chroma are resized by themselves."""

import numpy as np
import pytest
from helpers.videos import encode, numbered_frames, rotated

from opens2v_hf.video.fast_resize import resize
from opens2v_hf.video.reader import open_video

LOSSLESS = {"crf": "0", "preset": "ultrafast"}


def resized(content, region, height, width) -> np.ndarray:
    """A part of the first frame."""
    out = np.zeros((height, width, 3), np.uint8)
    [frame] = open_video(content).iter_decoded([0])
    frame.write_resized(region, out)
    return out


@pytest.mark.parametrize("parameters", ["", "colormatrix=bt709", "colormatrix=bt2020nc", "interlaced=1:tff=1"])
@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuvj420p"])
def test_a_flat_colour_keeps_its_matrix_and_range(tmp_path, pix_fmt, parameters) -> None:
    options = {**LOSSLESS, "x264-params": parameters}
    flat = [np.full((64, 96, 3), (200, 90, 30), np.uint8)]
    path = encode(tmp_path / "flat.mp4", flat, pix_fmt=pix_fmt, options=options)
    expected = open_video(path).read([0])[0, 0, 0]  # ffmpeg's, by test_against_ffmpeg
    # ffmpeg itself gives a row or a column another value of up to two levels; another matrix or range changes more
    assert np.abs(resized(path, (0, 0, 96, 64), 30, 46).astype(int) - expected).max() <= 2


@pytest.mark.parametrize("size", [(36, 40), (20, 22), (40, 48), (10, 12), (120, 250)])
def test_luma_and_chroma_stay_where_they_were(tmp_path, size) -> None:
    """Red rises to the right and blue downwards, one level a pixel; the sides are no multiples of the blocks."""
    height, width = size
    ramps = np.zeros((142, 218, 3), np.uint8)
    ramps[..., 0] = 20 + np.arange(218)
    ramps[..., 1] = 100
    ramps[..., 2] = 60 + np.arange(142)[:, None]
    path = encode(tmp_path / "ramps.mp4", [ramps], options=LOSSLESS)
    found = resized(path, (4, 8, 206, 138), height, width).astype(float)
    columns = 20 + 4 + (np.arange(width) + 0.5) * 202 / width - 0.5
    rows = 60 + 8 + (np.arange(height) + 0.5) * 130 / height - 0.5
    # ffmpeg's own RGB is up to four levels from the ramps; one value of chroma serves two pixels
    inner = (slice(2, -2), slice(2, -2))
    assert np.abs(found[..., 0] - columns)[inner].max() <= 5 + 202 / width
    assert np.abs(found[..., 2] - rows[:, None])[inner].max() <= 5 + 130 / height
    whole = open_video(path).read([0])[0, 8:138, 4:206]
    assert np.abs(found.mean((0, 1)) - whole.mean((0, 1))).max() <= 1.5


def test_stripes_of_one_pixel_become_their_mean(tmp_path) -> None:
    stripes = np.zeros((64, 96, 3), np.uint8)
    stripes[:, ::2] = 200
    path = encode(tmp_path / "stripes.mp4", [stripes], options=LOSSLESS)
    for width in (48, 32, 10):
        assert np.abs(resized(path, (0, 0, 96, 64), 20, width)[:, 1:-1].astype(int) - 100).max() <= 34


@pytest.mark.parametrize(
    ("pix_fmt", "turns", "region", "size"),
    [
        ("yuv420p", 0, (1, 0, 81, 64), (20, 30)),
        ("yuv420p", 0, (0, 0, 80, 63), (20, 30)),
        ("yuv420p", 0, (0, 0, 80, 64), (21, 30)),
        ("yuv420p", 0, (2, 4, 32, 24), (20, 30)),  # cut, not resized
        ("yuv420p", 1, (0, 0, 64, 96), (20, 30)),
        ("yuv420p10le", 0, (0, 0, 96, 64), (20, 30)),
        ("yuv444p", 0, (0, 0, 96, 64), (20, 30)),
    ],
)
def test_all_else_is_resized_as_rgb(tmp_path, pix_fmt, turns, region, size) -> None:
    content = encode(tmp_path / "clip.mp4", numbered_frames(2), pix_fmt=pix_fmt).read_bytes()
    content = rotated(content, turns)
    x0, y0, x1, y1 = region
    expected = resize(open_video(content).read([0])[0][y0:y1, x0:x1], *size)
    assert np.array_equal(resized(content, region, *size), expected)


def test_rows_that_are_stored_from_the_bottom_up(tmp_path) -> None:
    """FFmpeg's decoder of AMV gives planes whose line size is negative."""
    path = encode(
        tmp_path / "a.avi", numbered_frames(1), codec="amv", pix_fmt="yuvj420p", options={"strict": "unofficial"}
    )
    expected = resize(open_video(path).read([0])[0], 20, 30)
    assert np.array_equal(resized(path, (0, 0, 96, 64), 20, 30), expected)
