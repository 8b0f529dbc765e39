"""GME in an engine: against `GmeEmbedder` on the same weights, by servers on loopback and a module in vLLM's place."""

from __future__ import annotations

import re
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from helpers.gme_server import ServedGme
from helpers.judge_endpoint import fails, judge_endpoint, raw
from helpers.tiny_qwen2vl import save_tiny_qwen2vl

from opens2v_hf.errors import ArgumentError, EndpointError, MissingDependencyError, ModelError, ServiceUnavailableError
from opens2v_hf.metrics.base import score_clip
from opens2v_hf.metrics.gmescore import GmeScore
from opens2v_hf.models.embedder_loading import load_embedder
from opens2v_hf.models.endpoint.engine_names import EngineName, engine_name
from opens2v_hf.models.gme import RETRIEVAL_INSTRUCTION, GmeEmbedder
from opens2v_hf.models.roles import ModelChoice, check_models, load_model
from opens2v_hf.models.served_embedder import EnginePrompt
from opens2v_hf.models.subject_embedder import load_subject_embedder
from opens2v_hf.models.vllm_engine import VllmEngine
from opens2v_hf.video.frames_in_memory import ArrayVideo

BOUNDS = {"min_pixels": 4 * 784, "max_pixels": 16 * 784}  # those of the tiny network's processor
PICTURES = [
    np.random.default_rng(i).integers(0, 256, (*size, 3), np.uint8)
    for i, size in enumerate([(90, 61), (200, 130), (5, 9)])
]
TEXTS = ["a red square", "zwei Häuschen", "a red square"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_tiny_qwen2vl(tmp_path_factory.mktemp("served") / "gme")


@pytest.fixture(scope="module")
def here(folder):
    return GmeEmbedder.from_pretrained(folder, device="cpu")


@pytest.fixture(scope="module")
def networks(folder):
    return {grid: ServedGme(folder, grid_positions=grid) for grid in (False, True)}


def served(endpoint, engine="vllm", **arguments):
    server = endpoint.base_url.removesuffix("/v1")
    return load_embedder(f"{engine}:{server}/org/gme", **{**BOUNDS, "max_attempts": 1, **arguments})


@pytest.mark.parametrize("engine", ["vllm", "sglang"])
def test_a_server_with_the_released_positions_gives_the_vectors_of_transformers(engine, here, networks):
    with judge_endpoint(getattr(networks[False], engine)()) as endpoint:
        embedder = served(endpoint, engine)
        images, texts = embedder.embed_images(PICTURES), embedder.embed_texts(TEXTS, RETRIEVAL_INSTRUCTION)
        torch.testing.assert_close(images, here.embed_images(PICTURES), atol=2e-6, rtol=0)
        torch.testing.assert_close(texts, here.embed_texts(TEXTS, RETRIEVAL_INSTRUCTION), atol=2e-6, rtol=0)
        # a prompt without a picture tells the length of the rest; equal texts are one request
        assert len(endpoint.requests) == 1 + len(PICTURES) + 2
        assert set(endpoint.paths) == {{"vllm": "/v1/embeddings", "sglang": "/encode"}[engine]}
        assert all(request["model"] == "org/gme" for request in endpoint.requests)
        embedder.embed_images(PICTURES[:1])
        assert len(endpoint.requests) == 7
        assert embedder.embed_images([]).shape[0] == embedder.embed_texts([]).shape[0] == 0


def test_the_positions_of_engines_move_pictures_and_no_texts(here, networks):
    with judge_endpoint(networks[True].vllm()) as endpoint:
        embedder = served(endpoint)
        torch.testing.assert_close(embedder.embed_texts(TEXTS), here.embed_texts(TEXTS), atol=2e-6, rtol=0)
        apart = (embedder.embed_images(PICTURES) - here.embed_images(PICTURES)).abs().amax(dim=1)
    assert apart.min() > 1e-3
    assert "other positions" in embedder.edition


def test_a_server_that_resizes_pictures_is_refused(networks):
    # 61x90 px become 28-px blocks of 5x7 within the bounds, and the server's own allow 16 blocks: 3x4, 23 fewer
    with judge_endpoint(networks[False].vllm()) as endpoint:
        embedder = served(endpoint, min_pixels=25 * 784, max_pixels=100 * 784)
        with pytest.raises(ModelError, match=r"reads 140x196 px as 72 tokens, and GME as 95"):
            embedder.embed_images(PICTURES[:1])


def test_a_text_loses_its_end_at_the_same_token(here, networks):
    with judge_endpoint(networks[False].vllm()) as endpoint:
        [cut] = served(endpoint, max_length=70).embed_texts(["word " * 40])
    shorter = GmeEmbedder(here.model, here.tokenizer, here.image_processor, here.info, max_length=70)
    torch.testing.assert_close(cut, shorter.embed_texts(["word " * 40])[0], atol=2e-6, rtol=0)


def test_a_long_text_that_a_server_does_not_shorten_has_no_vector(networks):
    with judge_endpoint(networks[False].sglang()) as endpoint:
        embedder = served(endpoint, "sglang", max_length=70)
        with pytest.raises(EndpointError, match="more than max_length=70"):
            embedder.embed_texts(["word " * 40])
        assert embedder.embed_texts(["a"]).shape == (1, 32)


def test_gmescore_by_a_server_names_its_engine_and_is_not_the_leaderboards(networks):
    frames = ArrayVideo(np.stack([PICTURES[0], PICTURES[0][::-1]]), 8)
    with judge_endpoint(networks[False].vllm()) as endpoint:
        name = f"vllm:{endpoint.base_url}/Alibaba-NLP/gme-Qwen2-VL-7B-Instruct"
        check_models({"embedder": ModelChoice(name)})
        assert endpoint.requests == []
        metric = GmeScore(load_model("embedder", ModelChoice(name, BOUNDS)), num_frames=2)
        assert score_clip(metric, frames, "a cup").status.value == "scored"
    [model] = metric.models
    assert (model.name, model.engine, model.device) == ("Alibaba-NLP/gme-Qwen2-VL-7B-Instruct", "vllm", None)
    assert model.to_dict()["engine"] == "vllm"
    assert any("vllm" in caveat for caveat in metric.caveats)


def test_subjects_are_embedded_by_a_server_too(here, networks):
    with judge_endpoint(networks[False].sglang()) as endpoint:
        server = endpoint.base_url.removesuffix("/v1")
        embedder = load_subject_embedder(f"sglang:{server}/gme", **BOUNDS)
        torch.testing.assert_close(embedder.embed(PICTURES[:1]), here.embed_images(PICTURES[:1]), atol=2e-6, rtol=0)
    assert embedder.options == {"kind": "qwen2_vl", **BOUNDS, "max_length": 1800}


@pytest.mark.parametrize(
    "answer",
    [b"[]", b"{}", b'{"data": []}', b'{"data": [{"embedding": [0.0, 0.0]}]}', b'{"data": [{"embedding": [1, "2"]}]}',
     b'{"data": [{"embedding": [1e400]}]}', b"[" * 100_000],
)  # fmt: skip
def test_answers_without_a_vector_are_no_vectors(answer):
    with judge_endpoint(raw(answer)) as endpoint, pytest.raises(EndpointError, match="is no list of vectors"):
        served(endpoint).embed_texts(["a"])


def test_a_refused_key_ends_all_calls_and_is_not_shown(monkeypatch):
    monkeypatch.setenv("VLLM_API_KEY", "secret-of-the-server")
    monkeypatch.setenv("OPENAI_API_KEY", "secret-of-another")
    with judge_endpoint(fails(401, "no secret-of-the-server")) as endpoint:
        with pytest.raises(ServiceUnavailableError, match="VLLM_API_KEY") as refused:
            served(endpoint).embed_texts(["a"])
        assert endpoint.headers[0]["Authorization"] == "Bearer secret-of-the-server"
    assert "secret" not in str(refused.value)


def test_a_wrong_address_names_what_sets_it():
    with judge_endpoint(fails(404)) as endpoint, pytest.raises(ServiceUnavailableError, match="no such model") as gone:
        served(endpoint).embed_texts(["a"])
    assert "OPENAI" not in str(gone.value)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("vllm:http://host:8000/org/gme", EngineName("vllm", "org/gme", "http://host:8000")),
        ("vllm:http://host:8000/v1/org/gme/", EngineName("vllm", "org/gme", "http://host:8000")),
        ("sglang:https://host/proxy/v1/gme", EngineName("sglang", "gme", "https://host/proxy")),
        ("vllm:http://host:8000//models/gme", EngineName("vllm", "/models/gme", "http://host:8000")),
        ("vllm:models/gme", EngineName("vllm", "models/gme", None)),
        ("vllm/gme", None),
        ("openai:gpt", None),
    ],
)
def test_names_of_engines(name, expected):
    assert engine_name(name) == expected


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("vllm:", {}, "must be vllm:http"),
        ("sglang:org/gme", {}, "must be sglang:http"),
        ("vllm:http://host:8000/", {}, "name of the model is missing"),
        ("vllm:http://host:8000/v1", {}, "name of the model is missing"),
        ("vllm:http://me:passphrase@host/gme", {}, "holds a user"),
        ("vllm:HTTP://me:passphrase@host/gme", {}, "holds a user"),
        ("vllm:http://host/Qwen/Qwen3-VL-Embedding-2B", {}, "GME's prompt"),
        ("vllm:http://host/gme", {"revision": "main"}, "no revision"),
        ("vllm:http://host/gme", {"dtype": "float16"}, "takes no dtype"),
        ("vllm:http://host/gme", {"device": "cuda:1"}, "takes no device"),
        ("vllm:http://host/gme", {"device_map": "auto"}, "knows no device_map"),
        ("vllm:http://host/gme", {"concurrency": 0}, "^concurrency must be"),
        ("vllm:http://host/gme", {"api_key": 314159265}, "api_key must be a text"),
        ("vllm:http://host/gme", {"min_pixels": 1}, "pixel bounds"),
        ("vllm:http://host/gme", {"max_pixels": "many"}, "pixel bounds"),
        ("vllm:http://host/gme", {"max_length": 0}, "max_length must be"),
    ],
)
def test_names_and_arguments_that_cannot_be_used(name, arguments, message):
    with pytest.raises(ArgumentError, match=message) as refused:
        load_embedder(name, **arguments)
    assert not {"passphrase", "314159265"} & set(re.findall(r"\w+", str(refused.value)))


@pytest.mark.parametrize("role", ["embedder", "subject_embedder"])
def test_vllm_that_is_not_installed_is_named_before_anything_is_loaded(folder, role):
    with pytest.raises(MissingDependencyError, match="pip install vllm"):
        check_models({role: ModelChoice(f"vllm:{folder}")})


@pytest.mark.parametrize("role", ["embedder", "judge"])
def test_vllm_in_one_of_several_processes_is_refused(folder, role, monkeypatch):
    for variable, value in {"WORLD_SIZE": "2", "RANK": "0", "LOCAL_RANK": "0"}.items():
        monkeypatch.setenv(variable, value)
    with pytest.raises(ArgumentError, match="2 were launched; launch one, or start a server"):
        check_models({role: ModelChoice(f"vllm:{folder}")})


@pytest.mark.parametrize("values", [[0.0, 0.0], [float("nan"), 1.0]])
def test_a_vector_of_vllm_that_is_none_is_an_error_of_its_input(monkeypatch, values):
    module = ModuleType("vllm")
    output = SimpleNamespace(outputs=SimpleNamespace(embedding=values), prompt_token_ids=[0])
    module.LLM = lambda **_arguments: SimpleNamespace(embed=lambda _prompts, use_tqdm: [output])
    monkeypatch.setitem(sys.modules, "vllm", module)
    engine = VllmEngine("gme", lambda _text: {"input_ids": [0]}, revision=None, dtype="float16")
    with pytest.raises(EndpointError, match="not finite, or all zeros"):
        list(engine.embed([EnginePrompt("be brief", "a cup")], 10))


def test_vllm_in_this_process_is_given_token_ids_and_pictures(folder, here, networks, monkeypatch):
    """vLLM itself is not installed: a class in its place takes what `vllm.LLM` does and runs the tiny network."""

    class LLM:
        def __init__(self, model, **arguments):
            self.arguments = {"model": model, **arguments}
            started.append(self.arguments)

        def embed(self, prompts, *, use_tqdm):
            for prompt in prompts:
                picture = prompt.get("multi_modal_data", {}).get("image")
                values, num_tokens = networks[False].vector(prompt["prompt_token_ids"], picture)
                yield SimpleNamespace(outputs=SimpleNamespace(embedding=values), prompt_token_ids=[0] * num_tokens)

    started: list[dict[str, object]] = []
    module = ModuleType("vllm")
    module.LLM = LLM
    module.__spec__ = SimpleNamespace(name="vllm")
    monkeypatch.setitem(sys.modules, "vllm", module)
    embedder = load_embedder(f"vllm:{folder}", **BOUNDS, dtype="float32", max_length=70, tensor_parallel_size=2)
    assert started == [
        {"model": str(folder), "revision": None, "dtype": "float32", "runner": "pooling",
         "limit_mm_per_prompt": {"image": 1}, "tensor_parallel_size": 2}
    ]  # fmt: skip
    torch.testing.assert_close(embedder.embed_images(PICTURES[2:]), here.embed_images(PICTURES[2:]), atol=2e-6, rtol=0)
    shorter = GmeEmbedder(here.model, here.tokenizer, here.image_processor, here.info, max_length=70)
    texts = ["a cup", "word " * 40]
    torch.testing.assert_close(embedder.embed_texts(texts), shorter.embed_texts(texts), atol=2e-6, rtol=0)
    assert (embedder.info.engine, embedder.info.dtype, embedder.info.revision) == (
        "vllm",
        "float32",
        here.info.revision,
    )
