from __future__ import annotations

import json

import numpy as np
import pytest
from helpers.videos import encode, numbered_frames

from opens2v_hf.errors import ArgumentError
from opens2v_hf.metrics.motion_amplitude import MotionAmplitude as Metric
from opens2v_hf.video.clip import Clip


@pytest.fixture
def module(load):
    return load("motion_amplitude")


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    return encode(tmp_path_factory.mktemp("videos") / "one.mp4", numbered_frames(5))


def test_a_video_is_scored_as_the_metric_scores_it(module, video):
    result = module.compute(predictions=[str(video), {"path": str(video), "bytes": None}])
    outcome = Metric().score(Clip(video, rules=(Metric.sampling,)))
    assert result["scores"] == [outcome.value] * 2
    assert result["motion_amplitude"] == outcome.value
    assert (result["comparable"], result["models"]) == (True, [])
    json.dumps(result)


def test_a_still_frame_and_a_broken_video_are_explained(module, video, tmp_path):
    one = encode(tmp_path / "one.mp4", [np.zeros((64, 96, 3), np.uint8)])
    result = module.compute(predictions=[str(one), b"no video", video.read_bytes()], details=True)
    assert result["statuses"] == ["failed", "failed", "scored"]
    assert "at least two" in result["reasons"][0]
    assert result["motion_amplitude"] == result["scores"][2]
    assert len(result["details"][2]["pair_means"]) == 4


def test_the_other_definition_is_not_the_leaderboards(module, video):
    released = module.compute(predictions=[video], details=True)
    magnitude = module.compute(predictions=[video], variant="magnitude")
    assert magnitude["scores"][0] == released["details"][0]["variants"]["magnitude"]
    assert not magnitude["comparable"]
    assert "magnitude" in magnitude["note"]
    with pytest.raises(ArgumentError, match="variants released, magnitude"):
        module.compute(predictions=[video], variant="none")
