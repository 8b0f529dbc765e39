"""Judges in engines: against `LocalJudge` on the same weights, by a server on loopback and a class in vLLM's place."""

from __future__ import annotations

import base64
import dataclasses
import io
import math
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from helpers.judge_endpoint import fails, judge_endpoint, says, says_token
from helpers.tiny_qwen2vl import save_tiny_qwen2vl
from PIL import Image
from transformers import AutoImageProcessor, AutoModelForImageTextToText, AutoTokenizer

from opens2v_hf.errors import ArgumentError, MissingDependencyError, ModelError
from opens2v_hf.metrics.base import score_clip
from opens2v_hf.metrics.naturalscore import NaturalScore
from opens2v_hf.models.judge import editions
from opens2v_hf.models.judge.loading import load_judge
from opens2v_hf.models.judge.local import LocalJudge
from opens2v_hf.models.judge.rubric import Rubric
from opens2v_hf.models.roles import ModelChoice, check_models, load_model
from opens2v_hf.video.frames_in_memory import ArrayVideo

RUBRIC = Rubric("test", "How real is it, from 1 to 5?")
FRAMES = [
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8))
    for seed, size in enumerate([(90, 61), (200, 130), (56, 84)])
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_qwen2vl(tmp_path_factory.mktemp("engines") / "tiny")


@pytest.fixture
def vllm(folder: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """vLLM itself is not installed: a class in its place takes what `vllm.LLM` does and runs the tiny network."""
    seen = SimpleNamespace(started=[], sizes=[], listed=None, pad_more=0)

    class LLM:
        def __init__(self, model: str, **arguments: Any) -> None:
            seen.started.append({"model": model, **arguments})
            self.network = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32).eval()
            self.tokenizer = AutoTokenizer.from_pretrained(folder)
            self.processor = AutoImageProcessor.from_pretrained(folder, backend="pil")
            self.limit = arguments["limit_mm_per_prompt"]["image"]

        @torch.inference_mode()
        def generate(self, prompts: list[dict[str, Any]], sampling: Any, *, use_tqdm: bool) -> list[Any]:
            [prompt] = prompts
            pictures = prompt["multi_modal_data"]["image"]
            if len(pictures) > self.limit:
                raise ValueError(f"At most {self.limit} image(s) may be provided in one prompt.")
            seen.sizes.append([picture.size for picture in pictures])
            pixels = self.processor(pictures, return_tensors="pt")
            cells = iter(pixels["image_grid_thw"].prod(dim=1).tolist())
            pad = self.network.config.image_token_id
            ids = [one for token in prompt["prompt_token_ids"]
                   for one in ([pad] * (next(cells) // 4) if token == pad else [token])]  # fmt: skip
            row = torch.tensor([ids])
            logits = self.network(input_ids=row, mm_token_type_ids=(row == pad).int(), **pixels).logits[0, -1]
            top = logits.double().log_softmax(0).topk(min(seen.listed or sampling.logprobs, logits.numel()))
            found = {int(i): SimpleNamespace(logprob=float(v)) for v, i in zip(*top, strict=True)}
            reply = SimpleNamespace(text=self.tokenizer.decode([int(top.indices[0])]), logprobs=[found])
            return [SimpleNamespace(outputs=[reply], prompt_token_ids=[0] * (len(ids) + seen.pad_more))]

    module = ModuleType("vllm")
    module.LLM = LLM  # type: ignore[attr-defined]
    module.SamplingParams = lambda **given: SimpleNamespace(**given)  # type: ignore[attr-defined]
    module.__spec__ = SimpleNamespace(name="vllm")  # type: ignore[assignment]
    monkeypatch.setitem(sys.modules, "vllm", module)
    return seen


def test_vllm_in_this_process_reads_what_the_judge_here_reads(folder: Path, vllm: SimpleNamespace) -> None:
    vllm.listed = 300  # all tokens, so that no digit is missing
    judge = load_judge(f"vllm:{folder}", dtype="float32", gpu_memory_utilization=0.4)
    assert vllm.started == [
        {"model": str(folder), "revision": None, "dtype": "float32", "limit_mm_per_prompt": {"image": 16},
         "max_logprobs": 20, "gpu_memory_utilization": 0.4}
    ]  # fmt: skip
    ratings = judge.rate(FRAMES, RUBRIC, runs=2)
    [expected] = LocalJudge.from_pretrained(folder, device="cpu").rate(FRAMES, RUBRIC)
    assert ratings[0] == ratings[1]
    assert ratings[0].score == pytest.approx(expected.score, abs=1e-5)
    assert ratings[0].details["digit_mass"] == pytest.approx(expected.details["digit_mass"], rel=1e-4)
    assert ratings[0].reply == expected.reply
    # 90x61 and 56x84 px in blocks of 28; 200x130 px holds 33 blocks, and 16 are allowed
    assert vllm.sizes == [[(56, 84), (84, 112), (84, 56)]]
    assert len(vllm.sizes) == 1, "two runs are one pass"
    assert (judge.info.engine, judge.info.dtype, judge.info.name) == ("vllm", "float32", str(folder))


def test_a_digit_that_vllm_does_not_list_is_bounded(folder: Path, vllm: SimpleNamespace) -> None:
    judge = load_judge(f"vllm:{folder}", dtype="float32")
    [expected] = LocalJudge.from_pretrained(folder, device="cpu").rate(FRAMES, RUBRIC)
    moved = []
    for vllm.listed in (250, 100, 50, 20):  # the digits are the 4th, 28th, 71st, 210th and 260th likeliest tokens
        [rating] = judge.rate(FRAMES, RUBRIC)
        moved.append(abs(rating.score - expected.score))
        assert moved[-1] <= rating.details["uncertainty"] + 1e-5
    assert moved[-1] > 0.1
    vllm.listed = 1
    [none] = judge.rate(FRAMES, RUBRIC)
    assert none.score is None
    assert list(none.details["logprobs"]) == [expected.reply]


def test_faults_of_a_video_are_in_its_rating(folder: Path, vllm: SimpleNamespace) -> None:
    vllm.listed = 300
    judge = load_judge(f"vllm:{folder}", limit_mm_per_prompt={"image": 2}, min_digit_mass=0.999)
    assert "At most 2 image" in judge.rate(FRAMES, RUBRIC)[0].error
    assert "below min_digit_mass=0.999" in judge.rate(FRAMES[:1], RUBRIC)[0].error
    vllm.pad_more = 3
    with pytest.raises(ModelError, match="it resizes frames again"):
        judge.rate(FRAMES[:1], RUBRIC)
    with pytest.raises(ArgumentError, match="token of a picture"):
        judge.rate(FRAMES[:1], Rubric("test", "<|image_pad|>"))


def test_the_open_judge_in_vllm_is_another_edition(
    folder: Path, vllm: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = dataclasses.replace(
        editions.judge_edition(editions.OPEN_1), model=str(folder), revision=None, dtype="float32",
        long_side_px=84, side_multiple_px=28,
    )  # fmt: skip
    monkeypatch.setattr("opens2v_hf.models.judge.loading.judge_edition", lambda _name: tiny)
    vllm.listed = 300
    clip = ArrayVideo(np.random.default_rng(0).integers(0, 256, (20, 56, 84, 3), np.uint8), 8)
    metric = NaturalScore(load_model("judge", ModelChoice("vllm:naturalscore-open-1", {"max_model_len": 9000})))
    score = score_clip(metric, clip)
    assert score.value == pytest.approx(score_clip(NaturalScore(editions.load_edition(tiny, device="cpu")), clip).value)
    assert vllm.sizes == [[(84, 56)] * 16]
    [model] = metric.models
    assert (model.name, model.engine) == (str(folder), "vllm")
    assert metric.options["edition"] == "naturalscore-open-1"
    assert any("judge in vllm" in caveat for caveat in metric.caveats)
    with pytest.raises(ArgumentError, match="takes no min_pixels"):
        load_judge("vllm:naturalscore-open-1", min_pixels=1)


@pytest.mark.parametrize("engine", ["vllm", "sglang"])
def test_a_server_is_asked_as_the_judge_here(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret-of-another")
    monkeypatch.setenv(f"{engine.upper()}_API_KEY", "secret-of-the-server")
    with judge_endpoint(says_token({"4": math.log(0.5), "2": math.log(0.25)})) as endpoint:
        name = f"{engine}:{endpoint.base_url.removesuffix('/v1')}/org/judge"
        check_models({"judge": ModelChoice(name)})
        assert endpoint.requests == []
        judge = load_model("judge", ModelChoice(name))
        [rating, _] = judge.rate(FRAMES[:2], RUBRIC, runs=2)
        assert rating.score == pytest.approx((4 * 0.5 + 2 * 0.25) / 0.75)
        assert endpoint.headers[0]["Authorization"] == "Bearer secret-of-the-server"
        request = endpoint.requests[0]
    assert (request["model"], request["max_tokens"], request["top_logprobs"]) == ("org/judge", 1, 20)
    content = request["messages"][0]["content"]
    assert content[2] == {"type": "text", "text": RUBRIC.text}
    sent = Image.open(io.BytesIO(base64.b64decode(content[1]["image_url"]["url"].partition(";base64,")[2])))
    np.testing.assert_array_equal(np.asarray(sent), np.asarray(FRAMES[1]))
    assert (judge.info.name, judge.info.engine, judge.deterministic) == ("org/judge", engine, True)


def test_a_server_may_be_read_by_its_reply() -> None:
    with judge_endpoint(says("Score: 3")) as endpoint:
        server = endpoint.base_url.removesuffix("/v1")
        judge = load_judge(f"vllm:{server}/m", reading="reply", temperature=0)
        assert [rating.score for rating in judge.rate(FRAMES[:1], RUBRIC, runs=2)] == [3, 3]
    assert not judge.deterministic


def test_a_refused_key_names_the_engines_variable() -> None:
    with judge_endpoint(fails(401)) as endpoint:
        judge = load_judge(f"sglang:{endpoint.base_url.removesuffix('/v1')}/m", max_attempts=1)
        [rating] = judge.rate(FRAMES[:1], RUBRIC)
    assert rating.stopped
    assert "SGLANG_API_KEY" in rating.error


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("vllm:http://host/m", {"revision": "main"}, "no revision"),
        ("vllm:http://host/m", {"base_url": "http://other/v1"}, "in its name"),
        ("vllm:http://host/m", {"batch": "folder"}, "batches are for"),
        ("vllm:http://host/m", {"device_map": "auto"}, "knows no device_map"),
        ("sglang:org/m", {}, "must be sglang:http"),
        ("vllm:org/m", {"max_calls": 3}, "max_calls belong to a judge behind an endpoint"),
    ],
)
def test_names_and_options_that_cannot_be_used(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        load_judge(name, **options)


def test_a_device_is_no_option_of_vllm(folder: Path, vllm: SimpleNamespace) -> None:
    with pytest.raises(ArgumentError, match="takes no device"):
        load_judge(f"vllm:{folder}", device="cuda:1")
    with pytest.raises(ArgumentError, match="min_digit_mass must be"):
        load_judge(f"vllm:{folder}", min_digit_mass=2)
    assert vllm.started == []


def test_vllm_that_is_not_installed_is_named_before_anything_is_loaded(folder: Path) -> None:
    with pytest.raises(MissingDependencyError, match="pip install vllm"):
        check_models({"judge": ModelChoice(f"vllm:{folder}")})
