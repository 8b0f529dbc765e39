"""FaceSim as modules of `evaluate`, with models whose every answer is known beforehand."""

from __future__ import annotations

import json

import numpy as np
import pytest
from helpers.faces import LevelEmbedder, SquareDetector, cosine, picture
from helpers.videos import encode
from PIL import Image

from opens2v_hf.errors import ArgumentError, MissingDependencyError, ModelError

HE, SHE, CUP = (picture((20, 10, 40, level)) for level in (60, 120, 200))


@pytest.fixture
def videos(tmp_path):
    """One of him and her, one of him alone."""
    both, alone = picture((8, 8, 30, 60), (50, 8, 36, 120)), picture((8, 8, 30, 60))
    return [
        encode(tmp_path / f"{name}.mp4", [frame] * 3, options={"qp": "0"})
        for name, frame in (("both", both), ("alone", alone))
    ]


@pytest.fixture
def models():
    return {"face_detector": SquareDetector(), "face_embedder": LevelEmbedder()}


def reference(*images, labels):
    return {"images": list(images), "labels": labels}


def test_facesim_cur_compares_the_first_person_with_the_largest_face(videos, models, load):
    couple = reference(CUP, HE, SHE, labels=["Cup", "Man", "Woman"])
    result = load("facesim_cur").compute(
        predictions=[str(videos[0]), videos[1].read_bytes()], references=[couple, couple], num_frames=2, **models
    )
    # in the first video the larger face is hers
    assert result["scores"] == pytest.approx([cosine(60, 120), 1.0], abs=0.03)
    assert result["facesim_cur"] == pytest.approx((cosine(60, 120) + 1) / 2, abs=0.03)
    assert result["statuses"] == ["scored", "scored"]
    assert not result["comparable"]
    assert "2 frames" in result["note"]
    assert [model["role"] for model in result["models"]] == ["face_detector", "face_embedder"]
    json.dumps(result)


def test_facesim_multi_compares_everybody(videos, models, load):
    couple = reference(CUP, HE, SHE, labels=["Cup", "Man", "Woman"])
    result = load("facesim_multi").compute(
        predictions=videos, references=[couple, couple], num_frames=2, details=True, **models
    )
    assert result["scores"] == pytest.approx([1.0, 0.5], abs=0.02)
    assert [[one["label"] for one in people] for people in result["references"]] == [["Man", "Woman"]] * 2
    assert [one["frames_found"] for one in result["references"][1]] == [2, 0]
    assert result["details"][0]["faces_found"] == [2, 2]
    json.dumps(result)


def test_examples_can_be_added_one_by_one_with_pictures_of_any_kind(load, videos, models, tmp_path):
    path = tmp_path / "she.png"
    Image.fromarray(SHE).save(path)
    module = load("facesim_multi")
    module.add(prediction=videos[0], reference=reference(Image.fromarray(HE), labels=["Man"]))
    module.add_batch(predictions=videos[1:], references=[reference(path.read_bytes(), labels=["Woman"])])
    result = module.compute(num_frames=1, **models)
    assert result["scores"] == pytest.approx([1.0, cosine(60, 120)], abs=0.03)


@pytest.mark.parametrize("name", ["facesim_cur", "facesim_multi"])
def test_what_cannot_be_scored_is_explained(load, name, videos, models, tmp_path):
    module = load(name)
    nobody, faceless = reference(CUP, labels=["Cup"]), reference(np.zeros((8, 8, 3), np.uint8), labels=["Man"])
    result = module.compute(
        predictions=[videos[0], videos[0], tmp_path / "absent.mp4"],
        references=[nobody, faceless, reference(HE, labels=["Man"])],
        ids=["singleobj_1", "singleface_2", "singleface_3"],
        num_frames=1,
        **models,
    )
    assert result["statuses"] == ["not_applicable", "failed", "failed"]
    assert result[name] is None
    assert "picture 0 of singleface_2" in result["reasons"][1]
    assert "absent.mp4" in result["reasons"][2]


@pytest.mark.parametrize("name", ["facesim_cur", "facesim_multi"])
@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"num_frames": 0}, "number of frames"),
        ({"ids": ["only", "two"]}, "ids must have one value"),
        ({"dtype": "float32"}, "takes no dtype"),
        ({"face_detector_revision": "main"}, "takes no revision"),
        ({"face_embedder": "no-such-folder"}, "neither a folder that exists nor a Hub id"),
        ({"face_embedder": "embedded", "batch_size": 0}, "batch_size must be"),
    ],
)
def test_bad_arguments_are_explained(name, changed, message, videos, models, load):
    arguments = {"predictions": videos[:1], "references": [reference(HE, labels=["Man"])], **models}
    with pytest.raises((ArgumentError, ModelError), match=message):
        load(name).compute(**{**arguments, **changed})


def test_the_released_models_are_the_default(videos, load):
    arguments = {"predictions": videos[:1], "references": [reference(HE, labels=["Man"])], "device": "cpu"}
    with pytest.raises((MissingDependencyError, ModelError), match=r"opens2v-hf\[faces\]|BestWishYsh/OpenS2V-Weight"):
        load("facesim_cur").compute(**arguments)
    with pytest.raises(ModelError, match="BestWishYsh/OpenS2V-Weight"):
        load("facesim_multi").compute(**arguments, face_detector=SquareDetector())
