from __future__ import annotations

import json

import pytest
from helpers.aesthetic_models import save_aesthetic_models
from PIL import Image

from opens2v_hf.errors import ArgumentError, ModelError
from opens2v_hf.models.aesthetic import AestheticEncoder, AestheticHead
from opens2v_hf.video.clip import Clip
from opens2v_hf.video.sampling import linspace


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return {role: str(folder) for role, folder in save_aesthetic_models(tmp_path_factory.mktemp("models")).items()}


@pytest.fixture(scope="module")
def expected(models, videos):
    """Frame by frame, without the metric's own code."""
    encoder = AestheticEncoder.from_pretrained(models["aesthetic_encoder"], device="cpu")
    head = AestheticHead.from_pretrained(models["aesthetic_head"], device="cpu")
    found = []
    for video in videos:
        frames = Clip(video, rules=(linspace(4),)).frames(linspace(4))
        found.append(sum(head.rate(encoder.embed([Image.fromarray(frame)]))[0] for frame in frames) / 4)
    return found


@pytest.fixture
def module(load):
    return load("aesthetics")


def test_compute_takes_paths_and_bytes_mixed(module, models, videos, expected):
    result = module.compute(
        predictions=[str(videos[0]), videos[1].read_bytes()], **models, num_frames=4, device="cpu", details=True
    )
    assert result["scores"] == pytest.approx(expected, abs=1e-3)
    assert result["aesthetics"] == pytest.approx(sum(expected) / 2, abs=1e-3)
    assert [model["role"] for model in result["models"]] == ["aesthetic_encoder", "aesthetic_head"]
    assert all(model["revision"].startswith("sha256:") for model in result["models"])
    assert [len(found["ratings"]) for found in result["details"]] == [4, 4]
    assert not result["comparable"]
    json.dumps(result)


def test_loaded_models_will_do(module, models, videos, expected):
    loaded = {
        "aesthetic_encoder": AestheticEncoder.from_pretrained(models["aesthetic_encoder"], device="cpu"),
        "aesthetic_head": AestheticHead.from_pretrained(models["aesthetic_head"], device="cpu"),
    }
    result = module.compute(predictions=videos, **loaded, num_frames=4)
    assert result["scores"] == pytest.approx(expected, abs=1e-3)
    with pytest.raises(ArgumentError, match="takes no dtype"):
        module.compute(predictions=videos, **loaded, dtype="float16")


def test_models_are_kept_until_others_are_asked_for(module, models, videos, monkeypatch):
    loaded = []
    original = AestheticHead.from_pretrained.__func__

    def counting(cls, *args, **kwargs):
        loaded.append(args)
        return original(cls, *args, **kwargs)

    monkeypatch.setattr(AestheticHead, "from_pretrained", classmethod(counting))
    arguments = {"predictions": videos[:1], **models, "device": "cpu", "num_frames": 1}
    first = module.compute(**arguments)
    module.compute(**{**arguments, "num_frames": 2})
    assert len(loaded) == 1
    with pytest.raises(ModelError, match="neither a folder"):
        module.compute(**{**arguments, "aesthetic_head": "no-such-folder"})
    again = module.compute(**arguments)
    assert again["scores"] == pytest.approx(first["scores"], abs=1e-5)
    assert (again["models"], again["options"]) == (first["models"], first["options"])
    assert len(loaded) == 1  # a missing model is noticed before the loaded one is let go
    module.compute(**{**arguments, "aesthetic_head": "embedded"})
    module.compute(**arguments)
    assert len(loaded) == 3


def test_the_embedded_models_say_what_they_are(module, videos):
    result = module.compute(
        predictions=videos[:1], aesthetic_encoder="embedded", aesthetic_head="embedded", num_frames=2, device="cpu"
    )
    assert result["statuses"] == ["scored"]
    assert "embedded" in result["note"]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"num_frames": 0}, "number of frames"),
        ({"predictions": [3]}, "a video is a path"),
        ({"aesthetic_encoder": "no-such-folder"}, "neither a folder that exists nor a Hub id"),
        ({"aesthetic_head": None}, r"BestWishYsh/OpenS2V-Weight.*without a network"),
        ({"aesthetic_encoder": None}, r"openai/clip-vit-large-patch14.*without a network"),
        ({"aesthetic_head_revision": "main"}, "belongs to a Hub id"),
        ({"dtype": "int8"}, "dtype must be"),
    ],
)
def test_bad_arguments_are_explained(module, models, videos, changed, message):
    arguments = {"predictions": videos[:1], **models, "device": "cpu"}
    with pytest.raises((ArgumentError, ModelError), match=message):
        module.compute(**{**arguments, **changed})
