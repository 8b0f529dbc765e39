import math
import re
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from helpers.clips import clip_of, count_decodes, rules
from torch import nn

from opens2v_hf.errors import ArgumentError
from opens2v_hf.models.aesthetic import AestheticHead
from opens2v_hf.models.info import ModelInfo
from opens2v_hf.pipeline.stages.quality import Quality, sharpness
from opens2v_hf.video.writer import write_video

NO_MODELS = {"aesthetic_encoder": None}


class Brightness:
    """Embeds a picture as its mean red and 1."""

    info = ModelInfo("aesthetic_encoder", "brightness", revision="r1")

    def embed(self, images):
        return torch.tensor([[np.asarray(image)[..., 0].mean(), 1.0] for image in images], dtype=torch.float32)


def head() -> AestheticHead:
    """Ten times the first part of the normalised embedding."""
    network = nn.Sequential(nn.Linear(2, 1))
    network.load_state_dict({"0.weight": torch.tensor([[10.0, 0.0]]), "0.bias": torch.tensor([0.0])})
    return AestheticHead(network, ModelInfo("aesthetic_head", "tens"))


def texture(height: int = 96, width: int = 160) -> np.ndarray:
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype(np.uint8)
    blurred = cv2.GaussianBlur(noise, (0, 0), 3)
    return cv2.normalize(blurred, None, 0, 255, cv2.NORM_MINMAX)


@pytest.fixture(scope="module")
def moving(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A texture that moves by (3, 4) pixels a frame: five pixels long."""
    big = texture(200, 260)
    frames = [big[60 - 4 * i : 156 - 4 * i, 60 - 3 * i : 220 - 3 * i] for i in range(12)]
    return write_video(tmp_path_factory.mktemp("quality") / "moving.mp4", frames, 8, quality=5)


def test_a_chessboard_of_pixels_and_a_plain_picture_are_the_ends_of_sharpness() -> None:
    board = (np.indices((64, 64)).sum(axis=0) % 2 * 255).astype(np.uint8)
    frames = np.repeat(board[None, ..., None], 3, axis=3)

    # four neighbours differ by 255 at every pixel: the Laplacian is 1020 or -1020, and its variance 1020 squared
    assert sharpness(frames) == pytest.approx(math.log10(1 + 1020**2))
    assert sharpness(np.full((2, 64, 64, 3), 90, np.uint8)) == 0


def test_blur_makes_a_picture_less_sharp() -> None:
    sharp = texture()
    values = [sharpness(cv2.GaussianBlur(sharp, (0, 0), sigma)[None]) for sigma in (0.5, 1, 2, 4)]

    assert values == sorted(values, reverse=True)


def test_motion_is_the_length_of_the_flow_in_pixels_a_frame(moving: Path) -> None:
    (clip,) = Quality(**NO_MODELS)([clip_of(moving)]).kept

    assert clip.motion == pytest.approx(5, abs=0.5)
    assert clip.aesthetic is None
    assert clip.technical > 0


def test_a_still_has_no_motion_and_a_frame_alone_no_score_of_it(tmp_path: Path) -> None:
    clip = clip_of(write_video(tmp_path / "still.mp4", [texture()] * 5, 8))

    still, alone = Quality(**NO_MODELS)([clip, replace(clip, end=1)]).kept

    assert still.motion == pytest.approx(0, abs=0.01)
    assert alone.motion is None


def test_few_pairs_of_frames_are_decoded_and_the_standard_frames_on_the_way(
    moving: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = clip_of(moving)
    passes = count_decodes(monkeypatch)

    Quality(motion_pairs=2, **NO_MODELS)([clip])

    # pairs (0, 1) and (10, 11); of 12 frames those at 5, 50 and 95 % are 0, 5 and 10
    assert passes == [[0, 1, 5, 10, 11]]


def test_the_aesthetic_score_is_the_mean_over_three_frames(tmp_path: Path) -> None:
    levels = np.linspace(40, 240, 21).astype(np.uint8)
    frames = [np.full((48, 64, 3), level, np.uint8) for level in levels]
    clip = clip_of(write_video(tmp_path / "brighter.mp4", frames, 8, quality=0))

    (rated,) = Quality(aesthetic_encoder=Brightness(), aesthetic_head=head())([clip]).kept

    # the rating is 10 b / sqrt(b² + 1), within 0.002 of 10 for b from 50 on
    expected = np.mean([10 * b / math.hypot(b, 1) for b in (50.0, 140.0, 230.0)])
    assert rated.aesthetic == pytest.approx(expected, abs=1e-3)
    facts = rated.provenance["quality"]
    assert facts["aesthetic_encoder"]["name"] == "brightness"
    assert facts["aesthetic_encoder"]["revision"] == "r1"
    assert "device" not in facts["aesthetic_encoder"]


def test_a_model_can_rate_the_technical_quality(moving: Path) -> None:
    class Scorer:
        info = ModelInfo("quality_scorer", "thirds")

        def score_frames(self, frames):
            return [index / 3 for index, _ in enumerate(frames)]

    (clip,) = Quality(technical=Scorer(), **NO_MODELS)([clip_of(moving)]).kept

    assert clip.technical == pytest.approx(1 / 3)  # the mean of 0, 1/3 and 2/3


def test_each_bound_drops_by_its_own_rule(moving: Path, tmp_path: Path) -> None:
    clips = [clip_of(moving), clip_of(write_video(tmp_path / "still.mp4", [texture()] * 5, 8))]

    output = Quality(min_motion=1, **NO_MODELS)(clips)
    assert [clip.source.name for clip in output.kept] == ["moving.mp4"]
    assert rules(output.dropped) == ["low_motion"]
    assert re.fullmatch(r"motion 0\.0\d\d, at least 1", output.dropped[0].reason)

    assert rules(Quality(max_motion=1, **NO_MODELS)(clips).dropped) == ["high_motion"]
    assert rules(Quality(min_technical=9, **NO_MODELS)(clips).dropped) == ["low_technical"] * 2
    bright = {"aesthetic_encoder": Brightness(), "aesthetic_head": head()}
    assert rules(Quality(min_aesthetic=10.5, **bright)(clips).dropped) == ["low_aesthetic"] * 2


def test_an_unreadable_clip_is_dropped_alone(moving: Path, tmp_path: Path) -> None:
    gone = clip_of(write_video(tmp_path / "gone.mp4", [texture()] * 3, 8))
    (tmp_path / "gone.mp4").unlink()

    output = Quality(**NO_MODELS)([gone, clip_of(moving)])

    assert [clip.source.name for clip in output.kept] == ["moving.mp4"]
    assert rules(output.dropped) == ["error"]
    assert "gone.mp4" in output.dropped[0].reason


def test_a_bound_on_a_score_that_is_not_made_is_refused() -> None:
    with pytest.raises(ArgumentError, match="min_aesthetic needs an aesthetic_encoder"):
        Quality(aesthetic_encoder=None, min_aesthetic=4)
    with pytest.raises(ArgumentError, match="at least two frames"):
        Quality(motion_pairs=0)
