from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from helpers.videos import encode, numbered_frames

from opens2v_hf.errors import ArgumentError, JudgeError
from opens2v_hf.metrics.base import answer, score_many, video_source
from opens2v_hf.models.info import EMBEDDED_NOTE, ModelInfo
from opens2v_hf.scores.outcome import VideoScore
from opens2v_hf.video.sampling import SamplingRule, linspace


@dataclass
class FrameCount:
    """Scores a clip with its number of frames times the reference."""

    name: str = "framecount"
    sampling: SamplingRule = field(default_factory=lambda: linspace(2))
    models: tuple[ModelInfo, ...] = (ModelInfo("counter", "org/counter", revision="abc"),)
    options: dict[str, Any] = field(default_factory=lambda: {"unit": 1})
    caveats: tuple[str, ...] = ()

    def score(self, clip, reference):
        if reference == "refuse":
            raise JudgeError("the judge did not answer")
        return VideoScore.scored(clip.num_frames * (reference or 1), frames=clip.num_frames)


@pytest.fixture(scope="module")
def video(tmp_path_factory) -> Path:
    return encode(tmp_path_factory.mktemp("videos") / "five.mp4", numbered_frames(5))


def test_videos_come_as_paths_bytes_and_dicts(video):
    given = [str(video), video, video.read_bytes(), {"path": str(video), "bytes": None}, {"bytes": video.read_bytes()}]
    result = score_many(FrameCount(), given, [1, 2, 3, 4, 5])
    assert result["scores"] == [5, 10, 15, 20, 25]
    assert result["framecount"] == 15
    assert result["options"] == {"unit": 1, "sampling": "linspace-2"}
    assert result["models"][0]["revision"] == "abc"
    assert (result["comparable"], result["note"]) == (True, "")
    assert "details" not in result


def test_what_cannot_be_scored_is_counted_and_says_why(video, tmp_path, caplog):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(video.read_bytes()[:100])
    videos = [video, tmp_path / "absent.mp4", broken, video, b""]
    result = score_many(FrameCount(), videos, [1, 1, 1, "refuse", 1], details=True)
    assert result["scores"] == [5, None, None, None, None]
    assert result["statuses"] == ["scored", "failed", "failed", "failed", "failed"]
    assert result["framecount"] == 5
    assert (result["summary"]["num_scored"], result["summary"]["num_failed"]) == (1, 4)
    assert result["reasons"][0] == ""
    assert "absent.mp4" in result["reasons"][1]
    assert "broken.mp4" in result["reasons"][2]
    assert result["reasons"][3] == "the judge did not answer"
    assert result["details"][0] == {"frames": 5}
    assert "4 of 5 videos could not be scored" in caplog.text


def test_without_a_score_there_is_no_mean(tmp_path):
    result = score_many(FrameCount(), [tmp_path / "absent.mp4"])
    assert result["framecount"] is None


def test_each_video_needs_its_reference(video):
    with pytest.raises(ArgumentError, match="got 2 videos, 1 references"):
        score_many(FrameCount(), [video, video], [1])


def test_whatever_one_video_raises_costs_no_other(video):
    result = score_many(FrameCount(), [video, video, video], [1, object(), 3])
    assert result["scores"] == [5, None, 15]
    assert result["statuses"] == ["scored", "failed", "scored"]
    assert "five.mp4" in result["reasons"][1]
    assert "TypeError" in result["reasons"][1]


def test_caveats_and_embedded_models_make_numbers_incomparable():
    embedded = FrameCount(models=(ModelInfo("counter", "embedded", embedded=True),), caveats=("two frames",))
    result = answer(embedded, [VideoScore.scored(1.0)])
    assert not result["comparable"]
    assert result["note"] == f"{EMBEDDED_NOTE}; two frames"
    assert not answer(FrameCount(caveats=("two frames",)), [])["comparable"]


@pytest.mark.parametrize("value", [3, None, {}, {"path": None, "bytes": None}, ["a.mp4"]])
def test_what_is_no_video_is_refused(value):
    with pytest.raises(ArgumentError, match="a video is a path"):
        video_source(value)


def test_bytes_win_over_a_path():
    assert video_source({"path": "name.mp4", "bytes": b"content"}) == b"content"
    assert video_source(bytearray(b"content")) == b"content"
