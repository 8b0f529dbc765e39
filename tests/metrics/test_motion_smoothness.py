from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.tiny_q_align import save_tiny_q_align
from helpers.videos import encode, numbered_frames

from opens2v_hf.errors import ArgumentError
from opens2v_hf.metrics.base import answer, score_clip
from opens2v_hf.metrics.motion_smoothness import MotionSmoothness
from opens2v_hf.models.info import ModelInfo
from opens2v_hf.models.roles import ROLES
from opens2v_hf.scores.outcome import Status
from opens2v_hf.video.clip import Clip
from opens2v_hf.video.sampling import linspace


class BrightnessScorer:
    """Calls a frame as good as it is bright."""

    options = {"image_size": 448}  # noqa: RUF012

    def __init__(self, name: str = ROLES["quality_scorer"].released) -> None:
        self.info = ModelInfo("quality_scorer", name)
        self.seen = 0

    def score_frames(self, frames: Iterable[np.ndarray]) -> list[float]:
        scores = [float(frame.mean()) / 255 for frame in frames]
        self.seen += len(scores)
        return scores


def grey_video(path: Path, levels: Iterable[int]) -> Path:
    return encode(path, [np.full((64, 96, 3), level, np.uint8) for level in levels], options={"qp": "0"})


def metric_of(scorer: Any) -> MotionSmoothness:
    return MotionSmoothness(scorer)


def test_the_score_is_the_share_of_frames_that_touch_no_jump(tmp_path: Path) -> None:
    # steps of 3/255 = 0.012 are none, and the jump of 60/255 between frames 3 and 4 touches two of eight
    video = grey_video(tmp_path / "v.mp4", [100, 103, 106, 109, 169, 172, 175, 178])
    score = score_clip(metric_of(BrightnessScorer()), video)
    assert score.value == 0.75
    assert score.details["jump_frames"] == [3, 4]
    expected = np.array([100, 103, 106, 109, 169, 172, 175, 178]) / 255
    np.testing.assert_allclose(score.details["frame_scores"], expected, atol=0.01)


def test_one_frame_is_smooth(tmp_path: Path) -> None:
    assert score_clip(metric_of(BrightnessScorer()), grey_video(tmp_path / "v.mp4", [9])).value == 1.0


def test_all_frames_are_streamed_and_other_metrics_keep_theirs(tmp_path: Path) -> None:
    scorer = BrightnessScorer()
    metric = metric_of(scorer)
    clip = Clip(encode(tmp_path / "v.mp4", numbered_frames(23)), rules=(metric.sampling, linspace(4)))
    assert metric.score(clip).value is not None
    assert scorer.seen == 23
    assert clip.frames(linspace(4)).shape[0] == 4


def test_a_broken_video_fails_with_its_reason(tmp_path: Path) -> None:
    path = tmp_path / "broken.mp4"
    path.write_bytes(b"no video")
    score = score_clip(metric_of(BrightnessScorer()), path)
    assert score.status is Status.FAILED
    assert "broken.mp4" in score.reason


def test_a_quality_that_is_no_number_fails_and_says_what_to_do(tmp_path: Path) -> None:
    class Overflowing(BrightnessScorer):
        def score_frames(self, frames: Iterable[np.ndarray]) -> list[float]:
            raise ArgumentError("the logits of the levels are not finite numbers")

    score = score_clip(metric_of(Overflowing()), grey_video(tmp_path / "v.mp4", [9, 9]))
    assert score.status is Status.FAILED
    assert "not finite numbers; try dtype='float32'" in score.reason


def test_only_the_released_scorer_is_comparable() -> None:
    assert answer(metric_of(BrightnessScorer()), [])["comparable"]
    other = answer(metric_of(BrightnessScorer("org/other")), [])
    assert not other["comparable"]
    assert "org/other" in other["note"]


def test_what_decides_the_numbers_is_told() -> None:
    options = answer(metric_of(BrightnessScorer()), [])["options"]
    assert (options["window_size"], options["jump_threshold"], options["sampling"]) == (3, 0.025, "all")
    assert "<|image|>" in options["prompt"]


def test_a_folder_loads_and_scores(tmp_path: Path) -> None:
    save_tiny_q_align(tmp_path / "model")
    metric = MotionSmoothness.from_pretrained(tmp_path / "model", device="cpu")
    frames = list(numbered_frames(9))
    score = score_clip(metric, encode(tmp_path / "v.mp4", frames, options={"qp": "0"}))
    assert len(score.details["frame_scores"]) == 9
    np.testing.assert_allclose(score.details["frame_scores"], metric.quality_scorer.score_frames(frames), atol=0.02)
    [info] = metric.models
    assert (info.role, info.device) == ("quality_scorer", "cpu")


def test_an_unknown_argument_of_loading_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="colour"):
        MotionSmoothness.from_pretrained(tmp_path, colour=1)
