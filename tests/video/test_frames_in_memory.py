import hashlib

import numpy as np
import pytest
import torch
from helpers.videos import numbered_frames, numbers_of
from PIL import Image

from opens2v_hf.errors import ArgumentError, VideoError
from opens2v_hf.video.clip import Clip
from opens2v_hf.video.frames_in_memory import ArrayVideo
from opens2v_hf.video.reader import open_video
from opens2v_hf.video.sampling import every, linspace

COUNT = 20
FRAMES = list(numbered_frames(COUNT))


@pytest.mark.parametrize(
    "frames",
    [
        np.stack(FRAMES),
        FRAMES,
        tuple(FRAMES),
        [Image.fromarray(frame) for frame in FRAMES],
        torch.from_numpy(np.stack(FRAMES)),
        torch.from_numpy(np.stack(FRAMES).transpose(0, 3, 1, 2)).permute(0, 2, 3, 1),
        [torch.from_numpy(frame) for frame in FRAMES],
    ],
    ids=["array", "list", "tuple", "PIL", "tensor", "permuted tensor", "list of tensors"],
)
def test_every_form_gives_its_frames(frames):
    video = ArrayVideo(frames, fps=8)
    assert (video.num_frames, video.fps, video.width, video.height) == (COUNT, 8.0, 96, 64)
    assert np.array_equal(np.stack(list(video.iter_frames())), np.stack(FRAMES))
    assert np.array_equal(video.read([7, 3, 7]), np.stack([FRAMES[7], FRAMES[3], FRAMES[7]]))
    assert numbers_of(video.iter_frames([2, 19])) == [2, 19]
    assert video.sha256 == hashlib.sha256(b"8.0 20 64 96\n" + np.stack(FRAMES).tobytes()).hexdigest()


def test_pictures_in_other_modes_become_rgb():
    grey = Image.new("L", (8, 6), 77)
    palette = Image.new("RGB", (8, 6), (10, 20, 30)).convert("P", palette=Image.Palette.ADAPTIVE)
    read = ArrayVideo([grey, palette], 8).read([0, 1])
    assert (read[0] == 77).all()
    assert (read[1] == (10, 20, 30)).all()


def test_a_clip_and_open_video_take_it():
    video = ArrayVideo(FRAMES, 8, name="step 100, singleface_1")
    clip = Clip(video, rules=(linspace(4), every()))
    assert (clip.name, clip.sha256, clip.backend) == ("step 100, singleface_1", video.sha256, "memory")
    assert (clip.num_frames, clip.fps, clip.width, clip.height) == (COUNT, 8.0, 96, 64)
    assert numbers_of(clip.frames(linspace(4))) == [0, 6, 12, 19]  # 19 * i / 3, truncated
    for number, frame in enumerate(clip.stream()):
        assert numbers_of([frame]) == [number]
        frame[:] = 0  # the caller's own
    assert numbers_of(video.iter_frames()) == list(range(COUNT))
    assert open_video(video) is video
    assert Clip(video, name="other").name == "other"


@pytest.mark.parametrize(
    ("frames", "match"),
    [
        (np.zeros((4, 8, 8, 3), np.float32), r"uint8 \[T, H, W, 3\] \(got float32 \[4, 8, 8, 3\]\).*in \[0, 1\].*255"),
        (np.full((4, 8, 8, 3), -0.5, np.float32), r"in \[-1, 1\].*127\.5"),
        (np.full((4, 8, 8, 3), 200.0), r"got float64 \[4, 8, 8, 3\]"),
        (np.full((4, 8, 8, 3), np.nan), r"got float64 \[4, 8, 8, 3\]"),
        (torch.zeros(4, 8, 8, 3), r"got float32.*in \[0, 1\]"),
        (torch.zeros(4, 8, 8, 3, dtype=torch.bfloat16), "bfloat16"),
        (np.zeros((4, 3, 8, 10), np.uint8), r"looks like \[T, 3, H, W\]: move the channels"),
        ([np.zeros((3, 8, 10), np.uint8)], r"frame 0 must be uint8 \[H, W, 3\].*looks like \[3, H, W\]"),
        (np.zeros((4, 8, 8), np.uint8), r"got uint8 \[4, 8, 8\]"),
        (np.zeros((4, 8, 8, 4), np.uint8), r"got uint8 \[4, 8, 8, 4\]"),
        (np.zeros((4, 0, 8, 3), np.uint8), r"got uint8 \[4, 0, 8, 3\]"),
        (np.zeros((0, 8, 8, 3), np.uint8), r"got uint8 \[0, 8, 8, 3\]"),
        ([], "at least one frame"),
        ([np.zeros((8, 8, 3), np.uint8), np.zeros((8, 9, 3), np.uint8)], "frame 1 is 9x8, the first is 8x8"),
        ([np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8, 3), np.int64)], "frame 1 must be uint8"),
        ([[[1, 2], [3]]], "frames must be uint8"),
        (["a.mp4"], "frame 0 must be uint8"),
        ("a.mp4", "got str"),
        (b"content", "got bytes"),
        (3, "got int"),
        (iter(FRAMES), "got list_iterator"),
        ({"frames": FRAMES}, "got dict"),
        (np.uint8(3), "got uint8"),
        (torch.tensor(3), "must be uint8"),
    ],
)
def test_what_is_no_video_is_refused_with_what_to_do(frames, match):
    with pytest.raises(VideoError, match=rf"^step 3: .*{match}"):
        ArrayVideo(frames, 8, name="step 3")


@pytest.mark.parametrize("fps", [0, -1, float("nan"), float("inf"), None, "8", True, 1e7])
def test_rates_that_are_none_are_refused(fps):
    with pytest.raises(ArgumentError, match="fps must be a number above 0"):
        ArrayVideo(FRAMES, fps)


def test_indices_are_checked():
    with pytest.raises(ArgumentError, match="no frame 20; it has frames 0 to 19"):
        ArrayVideo(FRAMES, 8).read([COUNT])
    with pytest.raises(ArgumentError, match="ascending"):
        ArrayVideo(FRAMES, 8).iter_frames([3, 3])
    assert ArrayVideo(FRAMES, 8).read([]).shape == (0, 64, 96, 3)
