from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.clips import clip_of

from opens2v_hf.errors import ArgumentError
from opens2v_hf.pipeline.stages.crop import Crop
from opens2v_hf.video.writer import write_video


def picture(seed: int, height: int = 60, width: int = 90) -> np.ndarray:
    return np.random.default_rng(seed).integers(60, 256, (height, width, 3), np.uint8)


def test_bars_are_found_on_all_four_sides() -> None:
    frames = np.full((3, 100, 120, 3), 16, np.uint8)
    for index in range(3):
        frames[index, 12:72, 20:110] = picture(index)

    assert Crop().picture_box(frames) == (20, 12, 110, 72)


def test_a_dark_picture_a_bright_backdrop_and_a_moving_edge_are_no_bars() -> None:
    dark = np.full((2, 40, 60, 3), 8, np.uint8)
    bright = np.full((2, 40, 60, 3), 250, np.uint8)
    bright[:, 10:30, 20:40] = picture(0, 20, 20)
    moving = np.full((2, 40, 60, 3), 0, np.uint8)
    moving[0] = picture(1, 40, 60)
    mostly_dark = dark.copy()
    mostly_dark[:, 30:, :] = picture(2, 10, 60)

    for frames in (dark, bright, moving, mostly_dark):
        assert Crop().picture_box(frames) == (0, 0, 60, 40)


def test_the_borders_of_compressed_files_are_found_to_a_pixel(world) -> None:
    records = [replace(record, crop_xyxy=None) for record in world.records]

    output = Crop()(records)

    assert not output.dropped
    for clip, truth in zip(output.kept, world.records, strict=True):
        found = clip.crop_xyxy or (0, 0, *clip.source.size[::-1])
        assert np.abs(np.subtract(found, truth.crop_xyxy)).max() <= 1, (found, truth.crop_xyxy)
        assert clip.provenance["crop"]["watermarks"] == "not looked for"
    assert any(clip.crop_xyxy is None for clip in output.kept), "one file has no border"


def test_a_crop_is_found_anew(tmp_path: Path) -> None:
    frame = np.zeros((64, 96, 3), np.uint8)
    frame[16:48] = picture(0, 32, 96)
    clip = clip_of(write_video(tmp_path / "bars.mp4", [frame] * 4, 8))

    (found,) = Crop()([replace(clip, crop_xyxy=(40, 20, 60, 40))]).kept

    assert found.crop_xyxy == (0, 16, 96, 48)
    assert found.frame_size == (32, 96)


def test_arguments_out_of_range() -> None:
    with pytest.raises(ArgumentError, match=r"max_part lies in \[0, 0\.5\)"):
        Crop(max_part=0.5)
