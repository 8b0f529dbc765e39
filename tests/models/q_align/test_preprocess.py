"""Preprocessing, bit for bit."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from transformers import CLIPImageProcessorPil

from opens2v_hf.errors import ArgumentError
from opens2v_hf.models.q_align.preprocess import FramePreprocessor, pad_to_square

PICTURES = ("832x480", "480x832", "333x222", "101x448", "448x448")


def picture(width: int, height: int) -> np.ndarray:
    """The fixture's picture of a size, by the recipe in it."""
    x, y = np.meshgrid(np.arange(width, dtype=np.int64), np.arange(height, dtype=np.int64))
    channels = []
    for c in range(3):
        value = (3 + 2 * c) * x + (7 - 2 * c) * y + 64 * (((x // (11 + c)) + (y // 13)) % 2)
        value = (value + (((x * 73856093) ^ (y * 19349663) ^ ((c + 1) * 83492791)) & 31)) % 512
        channels.append(np.where(value < 256, value, 511 - value))
    return np.stack(channels, axis=-1).astype(np.uint8)


def sha256(values: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()


@pytest.fixture(scope="module")
def folder(shared_data: Path) -> Path:
    return shared_data / "tiny-q-align"


@pytest.fixture(scope="module")
def preprocessor() -> FramePreprocessor:
    size = {"height": 448, "width": 448}
    return FramePreprocessor(CLIPImageProcessorPil(size={"shortest_edge": 448}, crop_size=size))


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_become_the_released_pixels(folder: Path, preprocessor: FramePreprocessor, name: str) -> None:
    record = json.loads((folder / "preprocess.json").read_text())
    width, height = (int(side) for side in name.split("x"))
    frame = picture(width, height)
    assert sha256(frame) == record[name]["sha256_input_rgb"]
    assert preprocessor.color == tuple(record["background"])
    assert sha256(np.asarray(pad_to_square(frame, preprocessor.color))) == record[name]["sha256_square_rgb"]
    [pixels] = preprocessor([frame]).numpy()
    assert pixels.shape == (3, 448, 448)
    assert sha256(pixels) == record[name]["sha256_pixel_values_f32_CHW"]
    stored = np.load(folder / "preprocess.npz")
    np.testing.assert_array_equal(pixels[:, ::7, ::7], stored[f"{name}/pixel_values_stride7_f32"])
    np.testing.assert_array_equal(pixels[:, ::7, ::7].astype(np.float16), stored[f"{name}/pixel_values_stride7_f16"])


@pytest.mark.parametrize("name", ["832x480", "480x832"])
def test_resized_pictures_are_the_stored_ones(folder: Path, preprocessor: FramePreprocessor, name: str) -> None:
    width, height = (int(side) for side in name.split("x"))
    pixels = preprocessor([picture(width, height)]).numpy()[0]
    mean, std = (np.array(values)[:, None, None] for values in (
        preprocessor.image_processor.image_mean, preprocessor.image_processor.image_std
    ))  # fmt: skip
    levels = np.rint((pixels * std + mean) * 255).astype(np.uint8).transpose(1, 2, 0)
    np.testing.assert_array_equal(levels, np.asarray(Image.open(folder / f"pre_{name}_resized448.png").convert("RGB")))


def test_frames_of_a_batch_are_the_fixtures(folder: Path) -> None:
    inputs = np.load(folder / "inputs.npz")
    preprocessor = FramePreprocessor(CLIPImageProcessorPil.from_pretrained(folder))
    assert preprocessor.size == (56, 56)
    for video in ("A", "B", "C"):
        pixels = preprocessor(list(inputs[f"frames_{video}"]))
        np.testing.assert_array_equal(pixels.numpy(), inputs[f"pixel_values_{video}"])


def test_an_odd_pixel_of_padding_goes_below() -> None:
    square = np.asarray(pad_to_square(np.full((2, 5, 3), 9, np.uint8), (1, 2, 3)))
    assert square.shape == (5, 5, 3)
    assert (square[1:3] == 9).all()
    assert (square[[0, 3, 4]] == (1, 2, 3)).all()


@pytest.mark.parametrize(
    "frame",
    [np.zeros((4, 4, 3)), np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8), np.zeros((0, 4, 3), np.uint8)],
)
def test_what_is_no_frame_is_refused(preprocessor: FramePreprocessor, frame: np.ndarray) -> None:
    with pytest.raises(ArgumentError, match="a frame must be uint8"):
        preprocessor([frame])


def test_narrow_frames_keep_their_channels(preprocessor: FramePreprocessor) -> None:
    # one or three px high, the channels could be taken for rows
    assert preprocessor([np.zeros((3, 3, 3), np.uint8), np.zeros((1, 1, 3), np.uint8)]).shape == (2, 3, 448, 448)
