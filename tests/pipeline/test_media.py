"""Frames of clips: the right ones, after the crop, each clip decoded once."""

import os
from dataclasses import replace
from pathlib import Path

import fsspec
import numpy as np
import pytest
from helpers.clips import clip_of, count_decodes, count_opens
from helpers.videos import encode, number_of, numbered_frames, numbers_of

from opens2v_hf.errors import ArgumentError, VideoError
from opens2v_hf.pipeline import media


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return encode(tmp_path_factory.mktemp("media") / "numbers.mp4", numbered_frames(101), options={"g": "10"})


def test_frames_are_counted_from_the_clip(path: Path) -> None:
    clip = replace(clip_of(path), start=20, end=61)

    assert numbers_of(media.frames(clip, (40, 0, 7, 0))) == [60, 20, 27, 20]
    assert numbers_of(media.stream(clip)) == list(range(20, 61))


def test_the_standard_frames_are_those_at_5_50_and_95_percent_and_the_annotated_one(path: Path) -> None:
    clip = replace(clip_of(path), start=0, end=101, frame_index=9)

    assert media.sampled_indices(clip) == (5, 50, 95)
    assert media.standard_indices(clip) == (5, 9, 50, 95)
    assert numbers_of(media.sampled(clip)) == [5, 50, 95]
    assert number_of(media.annotated(clip)) == 9


def test_a_clip_of_one_frame_has_one_standard_frame(path: Path) -> None:
    clip = replace(clip_of(path), start=33, end=34)

    assert media.standard_indices(clip) == (0,)
    assert numbers_of(media.sampled(clip)) == [33]


def test_standard_frames_of_a_clip_are_decoded_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened, passes = count_opens(monkeypatch), count_decodes(monkeypatch)
    clip = replace(clip_of(path), start=10, end=50)

    media.sampled(clip)
    media.annotated(clip)
    media.frames(replace(clip, crop_xyxy=(8, 8, 40, 40)), media.standard_indices(clip))
    media.frames(clip, (0, 19))

    assert opened == ["numbers.mp4"]
    assert passes == [[10, 11, 29, 47]]


def test_a_pass_over_other_frames_caches_the_standard_ones(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = replace(clip_of(path), start=10, end=50)
    passes = count_decodes(monkeypatch)

    assert numbers_of(media.stream(clip, (3, 4))) == [13, 14]
    media.sampled(clip)
    assert passes == [[10, 11, 13, 14, 29, 47]]

    assert numbers_of(media.frames(clip, (0, 5))) == [10, 15], "only what is not held is decoded besides"
    assert passes[1:] == [[10, 15]]


def test_two_clips_of_a_file_read_its_packets_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = count_opens(monkeypatch)
    clip = clip_of(path)

    for start in (0, 50):
        media.sampled(replace(clip, start=start, end=start + 50))

    assert len(opened) == 1


def test_the_crop_is_cut_out(path: Path) -> None:
    clip = clip_of(path)
    whole = media.frames(clip, (3,))[0]

    cropped = media.frames(replace(clip, crop_xyxy=(10, 4, 74, 60)), (3,))[0]

    assert cropped.shape == (56, 64, 3)
    np.testing.assert_array_equal(cropped, whole[4:60, 10:74])


def test_the_cache_is_bounded_and_not_changed_by_callers(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = clip_of(path)
    frame_bytes = 96 * 64 * 3
    monkeypatch.setenv("OPENS2V_FRAME_CACHE_BYTES", str(5 * frame_bytes))
    clips = [replace(clip, start=start, end=start + 40) for start in (0, 60)]
    passes = count_decodes(monkeypatch)

    for each in clips:
        media.sampled(each)[:] = 0
    assert media._cache.num_bytes == sum(frame.nbytes for frame in media._cache.frames.values()) == 5 * frame_bytes

    assert numbers_of(media.sampled(clips[1])) == [61, 79, 97], "held, and not overwritten"
    assert len(passes) == 2
    assert numbers_of(media.sampled(clips[0])) == [1, 19, 37], "decoded anew"
    assert len(passes) == 3


def test_an_index_outside_the_clip_is_refused(path: Path) -> None:
    clip = replace(clip_of(path), start=20, end=40)

    with pytest.raises(ArgumentError, match=r"frames are 0\.\.19 \(got 20 to 20\)"):
        media.frames(clip, (20,))
    with pytest.raises(ArgumentError, match="apply the stage 'probe' first"):
        media.sampled(replace(clip, start=0, end=0))


def test_a_file_that_changes_while_a_dataset_is_made_is_an_error(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mp4", numbered_frames(24))
    clip = clip_of(path)
    encode(path, numbered_frames(30))

    with pytest.raises(VideoError, match=r"a\.mp4: has \d+ bytes now, and had \d+ when it was probed"):
        media.sampled(clip)
    path.unlink()
    with pytest.raises(VideoError, match=r"a\.mp4: cannot be read"):
        media.sampled(clip)


def test_a_remote_file_is_copied_once_and_the_copy_is_removed(path: Path) -> None:
    with fsspec.open("memory://clips/remote.mp4", "wb") as target:
        target.write(path.read_bytes())
    source = replace(clip_of(path).source, path="memory://clips/remote.mp4", num_bytes=0)

    copy = media.local_path(source)

    assert media.local_path(source) == copy
    assert numbers_of(media.frames(replace(clip_of(path), source=source), (2, 90))) == [2, 90]
    media.forget()
    assert not copy.exists()
    with pytest.raises(VideoError, match=r"numbers\.mp4: cannot be fetched"):
        media.local_path(replace(source, path="memory://clips/absent.mp4"))


def test_a_source_may_be_longer_than_a_clip_and_the_variable_still_bounds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENS2V_MAX_VIDEO_PIXELS", raising=False)
    media.limits().check("hour.mp4", 25 * 3600, 1920, 1080)

    monkeypatch.setenv("OPENS2V_MAX_VIDEO_PIXELS", "1000")
    with pytest.raises(VideoError, match="OPENS2V_MAX_VIDEO_PIXELS"):
        media.limits().check("hour.mp4", 2, 1920, 1080)


def test_a_forked_process_does_not_remove_copies_of_its_parent(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with fsspec.open("memory://clips/shared.mp4", "wb") as target:
        target.write(path.read_bytes())
    copy = media.local_path(replace(clip_of(path).source, path="memory://clips/shared.mp4"))
    folder = media._cache.folder
    process = os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: process + 1)

    media.forget()

    assert copy.exists()
    folder.cleanup()
