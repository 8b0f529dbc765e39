from dataclasses import replace
from pathlib import Path

import cv2
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
    assert any(clip.crop_xyxy is None for clip in output.kept), "one file has no border"


def test_an_earlier_crop_is_replaced(tmp_path: Path) -> None:
    frame = np.zeros((64, 96, 3), np.uint8)
    frame[16:48] = picture(0, 32, 96)
    clip = clip_of(write_video(tmp_path / "bars.mp4", [frame] * 4, 8))

    (found,) = Crop()([replace(clip, crop_xyxy=(40, 20, 60, 40))]).kept

    assert found.crop_xyxy == (0, 16, 96, 48)
    assert found.frame_size == (32, 96)


@pytest.fixture(scope="module")
def subtitled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A camera that pans over noise of 8x8 pixels, with bars of 12 rows and a line of text at the bottom."""
    noise = picture(3, 17, 60).repeat(8, axis=0).repeat(8, axis=1)
    frames = []
    for number in range(12):
        frame = np.zeros((160, 320, 3), np.uint8)
        frame[12:148] = noise[:, 13 * number : 13 * number + 320]
        cv2.putText(frame, "these are the words", (60, 142), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 3, cv2.LINE_AA)
        cv2.putText(frame, "these are the words", (60, 142), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255,) * 3, 1, cv2.LINE_AA)
        frames.append(frame)
    return write_video(tmp_path_factory.mktemp("overlay") / "subtitled.mp4", frames, 8)


def test_a_subtitle_is_cut_off_and_counted(subtitled: Path) -> None:
    whole = clip_of(subtitled)
    output = Crop()([whole])

    (clip,) = output.kept
    x0, y0, x1, y1 = clip.crop_xyxy
    assert (x0, y0, x1) == (0, 12, 320)
    assert 122 <= y1 <= 132, "the letters are in the rows 130 to 146"
    (cut,) = output.dropped
    assert (cut.rule, cut.subject) == ("overlay_cut", "overlay")
    assert (cut.clip_id, cut.record) == (clip.id, whole)


def test_a_clip_that_would_lose_too_much_with_its_overlays_is_dropped(subtitled: Path) -> None:
    output = Crop(overlays={"max_loss": 0.05})([clip_of(subtitled)])

    assert not output.kept
    (dropped,) = output.dropped
    assert dropped.rule == "overlay"
    assert dropped.reason.endswith("of the picture, at most 0.05")


def test_overlays_stay_where_the_search_is_off(subtitled: Path) -> None:
    output = Crop(overlays=False)([clip_of(subtitled)])

    assert [clip.crop_xyxy for clip in output.kept] == [(0, 12, 320, 148)]
    assert output.dropped == []
    assert output.kept[0].provenance["crop"]["overlays"] is None


def test_the_real_clips_have_no_overlay(shared_data: Path) -> None:
    for folder, name in (("real-s2v/videos", "multihuman.mp4"), ("eval-demo/videos", "singleface_3.mp4")):
        output = Crop()([clip_of(shared_data / folder / name)])

        assert [clip.crop_xyxy for clip in output.kept] == [None], name
        assert not output.dropped


def test_arguments_out_of_range() -> None:
    with pytest.raises(ArgumentError, match=r"max_part must be in \[0, 0\.5\)"):
        Crop(max_part=0.5)
