"""The metrics of subjects as modules of `evaluate`, with models whose every answer is known beforehand."""

import json

import pytest
from helpers.subjects import models, picture
from helpers.videos import encode
from PIL import Image

from opens2v_hf.errors import ArgumentError

CUP, HAT = picture((30, 10, 40, 60)), picture((20, 10, 40, 150))


@pytest.fixture
def given(tmp_path):
    video = encode(tmp_path / "both.mp4", [picture((4, 4, 30, 60), (50, 20, 30, 150))] * 2, options={"qp": "0"})
    roles = ("detector", "prompt_encoder", "subject_embedder")
    return {"predictions": [str(video)], "num_frames": 2, **dict(zip(roles, models(), strict=True))}


def test_subject_identity(given, load):
    reference = {"images": [CUP, Image.fromarray(HAT)], "labels": ["Cup", "Hat"]}
    result = load("subject_identity").compute(references=[reference], **given)
    assert result["subject_identity"] == pytest.approx(1.0, abs=0.02)
    assert [one["label"] for one in result["references"][0]] == ["Cup", "Hat"]
    assert not result["comparable"]
    json.dumps(result)


def test_copypaste_with_views_of_each_kind(load, given, tmp_path):
    Image.fromarray(HAT).save(tmp_path / "hat.png")
    reference = {"images": [CUP, HAT], "labels": ["Cup", "Hat"]}
    module = load("copypaste")
    result = module.compute(references=[reference], **given)
    assert result["statuses"] == ["not_applicable"]
    assert "reference_views" in result["reasons"][0]
    views = [[str(tmp_path / "hat.png"), (tmp_path / "hat.png").read_bytes()], []]
    own = module.compute(references=[{**reference, "views": views}], **given)
    assert own["statuses"] == ["scored"]
    assert [one["label"] for one in own["references"][0]] == ["Cup"]
    by_id = module.compute(references=[reference], ids=["a"], reference_views={"a": views}, **given)
    assert by_id["scores"] == own["scores"]


@pytest.mark.parametrize(
    ("views", "message"),
    [(3, "'views' must be a list"), ([3], "'views' must be a list"), ([[3]], "view 0 of image 0 is a path")],
)
def test_views_that_are_none(given, load, views, message):
    reference = {"images": [CUP], "labels": ["Cup"], "views": views}
    with pytest.raises(ArgumentError, match=message):
        load("copypaste").compute(references=[reference], **given)
