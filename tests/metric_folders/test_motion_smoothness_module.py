from __future__ import annotations

import json

import pytest
from helpers.tiny_q_align import save_tiny_q_align

from opens2v_hf.errors import ArgumentError, ModelError
from opens2v_hf.models.q_align.scorer import QAlignScorer
from opens2v_hf.scores.motion_smoothness import motion_smoothness
from opens2v_hf.video.clip import Clip


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("module") / "model"
    save_tiny_q_align(folder)
    return str(folder)


@pytest.fixture(scope="module")
def expected(model, videos):
    scorer = QAlignScorer.from_pretrained(model, device="cpu")
    return [motion_smoothness(scorer.score_frames(Clip(video, rules=()).stream())) for video in videos]


@pytest.fixture
def metric(load):
    return load("motion_smoothness")


def test_compute_takes_paths_and_bytes_mixed(metric, model, videos, expected):
    result = metric.compute(
        predictions=[str(videos[0]), videos[1].read_bytes()], quality_scorer=model, device="cpu", details=True
    )
    assert result["scores"] == expected
    assert result["motion_smoothness"] == pytest.approx(sum(expected) / 2)
    assert [len(details["frame_scores"]) for details in result["details"]] == [9, 12]
    assert result["models"][0]["revision"].startswith("sha256:")
    assert not result["comparable"]
    json.dumps(result)


def test_a_loaded_scorer_will_do(metric, model, videos, expected):
    scorer = QAlignScorer.from_pretrained(model, device="cpu")
    assert metric.compute(predictions=videos, quality_scorer=scorer)["scores"] == expected
    with pytest.raises(ArgumentError, match="takes no dtype"):
        metric.compute(predictions=videos, quality_scorer=scorer, dtype="float32")


def test_a_broken_video_is_counted_and_explained(metric, model, videos, expected):
    result = metric.compute(predictions=[videos[0], "/absent/video.mp4"], quality_scorer=model, device="cpu")
    assert result["scores"] == [expected[0], None]
    assert "/absent/video.mp4" in result["reasons"][1]
    assert result["summary"]["num_failed"] == 1


def test_the_model_is_kept_until_another_one_is_asked_for(metric, model, videos, monkeypatch):
    loaded = []
    original = QAlignScorer.from_pretrained.__func__

    def counting(cls, *args, **kwargs):
        loaded.append(args)
        return original(cls, *args, **kwargs)

    monkeypatch.setattr(QAlignScorer, "from_pretrained", classmethod(counting))
    arguments = {"predictions": videos[:1], "quality_scorer": model, "device": "cpu"}
    first = metric.compute(**arguments)
    metric.compute(**arguments)
    assert len(loaded) == 1
    with pytest.raises(ModelError):
        metric.compute(**{**arguments, "quality_scorer": "no-such-folder"})
    assert metric.compute(**arguments)["scores"] == first["scores"]
    assert len(loaded) == 1  # a missing model is noticed before the loaded one is let go
    metric.compute(**{**arguments, "quality_scorer": "embedded"})
    metric.compute(**arguments)
    assert len(loaded) == 3


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"predictions": [3]}, "a video is a path"),
        ({"quality_scorer": "no-such-folder"}, "neither a folder that exists nor a Hub id"),
        ({"quality_scorer": "org/unreachable"}, "without a network"),
        ({"quality_scorer_revision": "main"}, "belongs to a Hub id"),
        ({"dtype": "int8"}, "dtype must be"),
        ({"batch_tokens": 0}, "batch_tokens must be"),
    ],
)
def test_bad_arguments_are_explained(metric, model, videos, changed, message):
    arguments = {"predictions": videos[:1], "quality_scorer": model, "device": "cpu"}
    with pytest.raises((ArgumentError, ModelError), match=message):
        metric.compute(**{**arguments, **changed})


def test_the_released_scorer_is_the_default(metric, videos):
    with pytest.raises(ModelError, match="q-future/one-align"):
        metric.compute(predictions=videos[:1], device="cpu")
