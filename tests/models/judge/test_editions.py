"""The frozen open judge: its record, what may not be changed, and the same score here and behind a server."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.judge_endpoint import judge_endpoint, says_token
from helpers.tiny_qwen2vl import save_tiny_qwen2vl
from helpers.videos import encode, numbered_frames
from PIL import Image
from transformers import AutoImageProcessor, AutoModelForImageTextToText, AutoTokenizer

from opens2v_hf.errors import ArgumentError, ModelError
from opens2v_hf.metrics.base import score_clip
from opens2v_hf.metrics.naturalscore import NaturalScore
from opens2v_hf.models.judge import editions
from opens2v_hf.models.judge.editions import JudgeEdition, judge_edition, load_edition
from opens2v_hf.models.judge.loading import load_judge

COMMIT = "0c351dd01ed87e9c1b53cbc748cba10e6187ff3b"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> JudgeEdition:
    """The edition with a tiny random model in place of its own."""
    folder = save_tiny_qwen2vl(tmp_path_factory.mktemp("edition") / "tiny", max_pixels=64 * 28 * 28)
    return dataclasses.replace(
        judge_edition(editions.OPEN_1), model=str(folder), revision=None, long_side_px=112, side_multiple_px=28
    )


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return encode(tmp_path_factory.mktemp("video") / "v.mp4", numbered_frames(40, 104, 60))


def test_the_record_is_frozen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    edition = judge_edition("naturalscore-open-1")
    assert (edition.model, edition.revision) == ("Qwen/Qwen3-VL-8B-Instruct", COMMIT)
    path = Path(editions.__file__).with_name("naturalscore-open-1.json")
    canonical = json.dumps(json.loads(path.read_text()), sort_keys=True, separators=(",", ":"))
    assert edition.sha256 == hashlib.sha256(canonical.encode()).hexdigest()
    # to change the record is to make another edition: this checksum is never edited
    assert edition.sha256 == "e6479d607a02a418ee1254ad24e56cb3bf2a8cddc0ac1e8a5a93b9d17da33bdd"
    assert "looks pasted in" in edition.prompt
    changed = dataclasses.asdict(edition) | {"long_side_px": 448}
    (tmp_path / "naturalscore-open-1.json").write_text(json.dumps(changed))
    monkeypatch.setattr(editions, "__file__", str(tmp_path / "editions.py"))
    with pytest.raises(ModelError, match="was changed"):
        judge_edition("naturalscore-open-1")


def test_frames_are_multiples_that_processors_leave_alone() -> None:
    edition = judge_edition("naturalscore-open-1")
    # 480 / 832 * 512 = 295.4: 288 is the nearest multiple of 32
    assert edition.frame_size(832, 480) == (512, 288)
    assert edition.frame_size(480, 832) == (288, 512)
    assert edition.frame_size(2000, 10) == (512, 32)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"min_pixels": 3136}, "takes no min_pixels"),
        ({"dtype": "float16"}, "takes no dtype"),
        ({"revision": "main"}, f"at {COMMIT}"),
        ({"base_url": "http://127.0.0.1:9/v1"}, "does not say which revision"),
        ({"base_url": "http://127.0.0.1:9/v1", "revision": COMMIT, "temperature": 1.0}, "takes no temperature"),
    ],
)
def test_what_decides_scores_cannot_be_changed(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        load_judge("naturalscore-open-1", **options)


def test_protocol_and_rubric_are_its_own(tiny: JudgeEdition, tmp_path: Path) -> None:
    judge = load_edition(tiny, device="cpu")
    with pytest.raises(ArgumentError, match="leave protocol and rubric out"):
        NaturalScore(judge, protocol="released")
    metric = NaturalScore(judge)
    assert metric.sampling.name == "linspace-16"
    assert metric.options["edition"] == "naturalscore-open-1"
    assert metric.options["edition_sha256"] == tiny.sha256
    assert metric.options["runs"] == 1
    assert metric.models[0].dtype == "bfloat16"
    assert metric.caveats == ("by the judge naturalscore-open-1, whose numbers are ranked in an edition of their own",)


def test_the_score_is_the_expectation_over_the_digits(tiny: JudgeEdition, video: Path) -> None:
    """Against transformers alone: the chat template, the processor, one forward pass, a softmax by hand."""
    metric = NaturalScore(load_edition(tiny, device="cpu"))
    score = score_clip(metric, video)
    frames = frames_as_sent(tiny, video)
    assert frames[0].size == (112, 56), "104 x 60 with the long side 112, in multiples of 28"
    tokenizer = AutoTokenizer.from_pretrained(tiny.model)
    processor = AutoImageProcessor.from_pretrained(tiny.model, backend="pil")
    pixels = processor(images=frames, return_tensors="pt")
    content = [{"type": "image"}] * 16 + [{"type": "text", "text": tiny.prompt}]
    text = tokenizer.apply_chat_template(
        [{"role": "user", "content": content}], tokenize=False, add_generation_prompt=True
    )
    for cells in pixels["image_grid_thw"].prod(dim=1).tolist():
        text = text.replace("<|image_pad|>", "<placeholder>" * (cells // 4), 1)
    ids = tokenizer(text.replace("<placeholder>", "<|image_pad|>"), return_tensors="pt")["input_ids"]
    model = AutoModelForImageTextToText.from_pretrained(tiny.model, dtype=torch.bfloat16)
    image_id = tokenizer.convert_tokens_to_ids("<|image_pad|>")
    with torch.inference_mode():
        logits = model(
            input_ids=ids, attention_mask=torch.ones_like(ids), mm_token_type_ids=(ids == image_id).int(),
            pixel_values=pixels["pixel_values"], image_grid_thw=pixels["image_grid_thw"],
        ).logits[0, -1]  # fmt: skip
    weights = [math.exp(float(logits[tokenizer.convert_tokens_to_ids(str(digit))])) for digit in range(1, 6)]
    expected = sum(digit * weight for digit, weight in enumerate(weights, start=1)) / sum(weights)
    assert score.value == pytest.approx(expected, abs=1e-6)
    assert score_clip(metric, video).value == score.value


def frames_as_sent(edition: JudgeEdition, video: Path) -> list[Image.Image]:
    """The pictures in the request that a server gets for a video."""
    with judge_endpoint(says_token({"4": -0.1, "5": -2.5})) as endpoint:
        judge = load_edition(edition, base_url=endpoint.base_url)
        value = score_clip(NaturalScore(judge), video).value
    p4, p5 = math.exp(-0.1), math.exp(-2.5)
    assert value == pytest.approx((4 * p4 + 5 * p5) / (p4 + p5))
    [request] = endpoint.requests
    assert request["model"] == edition.model
    assert (request["max_tokens"], request["temperature"], request["top_logprobs"]) == (1, 0, 20)
    parts = request["messages"][0]["content"]
    assert parts[-1] == {"type": "text", "text": edition.prompt}
    urls = [part["image_url"]["url"] for part in parts[:-1]]
    assert all(url.startswith("data:image/png;base64,") for url in urls)
    return [Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))) for url in urls]


def test_a_server_is_sent_what_the_model_here_sees(
    tiny: JudgeEdition, video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge = load_edition(tiny, device="cpu")
    seen: list[Image.Image] = []
    rate = judge._judge.rate

    def watched(frames: Any, rubric: Any, *, runs: int = 1) -> Any:
        seen.extend(frames)
        return rate(frames, rubric, runs=runs)

    monkeypatch.setattr(judge._judge, "rate", watched)
    score_clip(NaturalScore(judge), video)
    sent = frames_as_sent(tiny, video)
    assert len(seen) == len(sent) == 16
    for mine, other in zip(seen, sent, strict=True):
        np.testing.assert_array_equal(np.asarray(mine), np.asarray(other))


def test_a_served_model_is_named_with_the_stated_revision() -> None:
    judge = load_judge("naturalscore-open-1", base_url="http://127.0.0.1:9/v1", revision=COMMIT, device="cuda")
    assert (judge.info.name, judge.info.revision) == ("Qwen/Qwen3-VL-8B-Instruct", COMMIT)
    assert judge.info.device is None
    assert judge.options["served"] == "the revision is as the user states it"
