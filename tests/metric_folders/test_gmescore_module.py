from __future__ import annotations

import json

import evaluate
import pytest
from helpers.tiny_qwen2vl import save_tiny_qwen2vl

from opens2v_hf.errors import ArgumentError, ModelError
from opens2v_hf.models.gme import RETRIEVAL_INSTRUCTION, GmeEmbedder
from opens2v_hf.video.clip import Clip
from opens2v_hf.video.sampling import linspace

PROMPTS = ["a number", "another number"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return str(save_tiny_qwen2vl(tmp_path_factory.mktemp("module") / "model"))


@pytest.fixture(scope="module")
def expected(model, videos):
    """Scores frame by frame, without the metric's own code."""
    embedder = GmeEmbedder.from_pretrained(model, device="cpu")
    scores = []
    for video, prompt in zip(videos, PROMPTS, strict=True):
        vector = embedder.embed_texts([prompt], RETRIEVAL_INSTRUCTION)[0]
        frames = Clip(video, rules=(linspace(4),)).frames(linspace(4))
        scores.append(sum(float(embedder.embed_images([frame])[0] @ vector) for frame in frames) / 4)
    return scores


@pytest.fixture
def gmescore(load):
    return load("gmescore")


def test_compute_takes_paths_and_bytes_mixed(gmescore, model, videos, expected):
    result = gmescore.compute(
        predictions=[str(videos[0]), videos[1].read_bytes()], references=PROMPTS, embedder=model, num_frames=4,
        device="cpu", batch_tokens=64,
    )  # fmt: skip
    assert result["scores"] == pytest.approx(expected, abs=1e-5)
    assert result["gmescore"] == pytest.approx(sum(expected) / 2, abs=1e-5)
    assert result["summary"]["num_scored"] == 2
    assert result["models"][0]["revision"].startswith("sha256:")
    assert not result["comparable"]
    json.dumps(result)


def test_examples_can_be_added_one_by_one_and_in_batches(gmescore, model, videos, expected):
    gmescore.add(prediction=videos[0], reference=PROMPTS[0])
    gmescore.add_batch(predictions=[videos[1].read_bytes()], references=PROMPTS[1:])
    result = gmescore.compute(embedder=model, num_frames=4, device="cpu")
    assert result["scores"] == pytest.approx(expected, abs=1e-5)


def test_it_can_be_combined(gmescore, model, videos, expected):
    combined = evaluate.combine([gmescore])
    result = combined.compute(predictions=videos, references=PROMPTS, embedder=model, num_frames=4, device="cpu")
    assert result["scores"] == pytest.approx(expected, abs=1e-5)


def test_a_loaded_embedder_will_do(gmescore, model, videos, expected):
    embedder = GmeEmbedder.from_pretrained(model, device="cpu")
    result = gmescore.compute(predictions=videos, references=PROMPTS, embedder=embedder, num_frames=4, details=True)
    assert result["scores"] == pytest.approx(expected, abs=1e-5)
    assert [len(details["similarities"]) for details in result["details"]] == [4, 4]
    with pytest.raises(ArgumentError, match="takes no dtype"):
        gmescore.compute(predictions=videos, references=PROMPTS, embedder=embedder, dtype="float32")


def test_options_of_loading_reach_the_model(gmescore, model, videos, expected, tmp_path):
    """Half of the layers lie on the disk, as they would where a GPU is too small; the numbers stay the same."""
    parts = ("embed_tokens", "layers.1", "norm", "rotary_emb")
    places = {"visual": "cpu", "language_model.layers.0": "disk"} | {f"language_model.{part}": "cpu" for part in parts}
    result = gmescore.compute(
        predictions=videos, references=PROMPTS, embedder=model, num_frames=4, device_map=places,
        offload_folder=str(tmp_path),
    )  # fmt: skip
    assert result["scores"] == pytest.approx(expected, abs=1e-5)
    network = gmescore._kept._kept["embedder"][1].model
    assert network.language_model.layers[0].mlp.up_proj.weight.device.type == "meta"
    assert network.language_model.layers[1].mlp.up_proj.weight.device.type == "cpu"
    assert result["models"][0]["quantization"] is None


def test_a_broken_video_is_counted_and_explained(gmescore, model, videos, expected):
    result = gmescore.compute(
        predictions=[videos[0], "/absent/video.mp4", b"no video"], references=[PROMPTS[0]] * 3, embedder=model,
        num_frames=4, device="cpu",
    )  # fmt: skip
    assert result["scores"] == [pytest.approx(expected[0], abs=1e-5), None, None]
    assert "/absent/video.mp4" in result["reasons"][1]
    assert result["summary"]["num_failed"] == 2


def test_the_model_is_kept_until_another_one_is_asked_for(gmescore, model, videos, monkeypatch):
    loaded = []
    original = GmeEmbedder.from_pretrained.__func__

    def counting(cls, *args, **kwargs):
        loaded.append(args)
        return original(cls, *args, **kwargs)

    monkeypatch.setattr(GmeEmbedder, "from_pretrained", classmethod(counting))
    arguments = {"predictions": videos[:1], "references": PROMPTS[:1], "embedder": model, "device": "cpu"}
    first = gmescore.compute(**arguments, num_frames=1)
    gmescore.compute(**arguments, num_frames=2)
    assert len(loaded) == 1
    with pytest.raises(ModelError):
        gmescore.compute(**{**arguments, "embedder": "no-such-folder"})
    assert gmescore.compute(**arguments, num_frames=1)["scores"] == pytest.approx(first["scores"], abs=1e-6)
    assert len(loaded) == 1  # a missing model is noticed before the loaded one is let go
    gmescore.compute(**{**arguments, "embedder": "embedded"})
    gmescore.compute(**arguments)
    assert len(loaded) == 3


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"references": [" "]}, "there is none"),
        ({"num_frames": 0}, "number of frames"),
        ({"predictions": [3]}, "a video is a path"),
        ({"embedder": "no-such-folder"}, "neither a folder that exists nor a Hub id"),
        ({"embedder": "org/unreachable"}, "without a network"),
        ({"embedder_revision": "main"}, "belongs to a Hub id"),
        ({"dtype": "int8"}, "dtype must be"),
    ],
)
def test_bad_arguments_are_explained(gmescore, model, videos, changed, message):
    arguments = {"predictions": videos[:1], "references": PROMPTS[:1], "embedder": model, "device": "cpu"}
    with pytest.raises((ArgumentError, ModelError), match=message):
        gmescore.compute(**{**arguments, **changed})


def test_the_numbers_of_videos_and_prompts_must_agree(gmescore, model, videos):
    with pytest.raises(ArgumentError, match="got 2 videos, 1 references"):
        gmescore.compute(predictions=videos, references=PROMPTS[:1], embedder=model)


def test_the_released_embedder_is_the_default(gmescore, videos):
    with pytest.raises(ModelError, match="Alibaba-NLP/gme-Qwen2-VL-7B-Instruct"):
        gmescore.compute(predictions=videos[:1], references=PROMPTS[:1], device="cpu")


def test_the_released_number_of_a_real_video(gmescore, shared_data):
    prompts = json.loads((shared_data / "opens2v-eval" / "Open-Domain_Eval.json").read_text())
    result = gmescore.compute(
        predictions=[shared_data / "eval-demo" / "videos" / "singleface_3.mp4"],
        references=[prompts["singleface_3"]["prompt"]],
        embedder=str(shared_data / "tiny-gme"),
        dtype="float32",
        device="cpu",
    )
    assert result["gmescore"] == pytest.approx(0.0036437892, abs=1e-6)
