from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.tiny_qwen2vl import save_tiny_qwen2vl
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import (
    AutoImageProcessor,
    AutoModelForImageTextToText,
    AutoTokenizer,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
)

from opens2v_hf.errors import ArgumentError, ModelError
from opens2v_hf.models.judge.local import LocalJudge
from opens2v_hf.models.judge.rubric import Rubric

RUBRIC = Rubric("test", "How real is it, from 1 to 5?")


def picture(seed: int, width: int = 84, height: int = 56) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


FRAMES = [picture(seed) for seed in range(3)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Without a chat template and without pixel bounds of its own: the plain layout, and the processor's bounds."""
    folder = save_tiny_qwen2vl(tmp_path_factory.mktemp("judge") / "tiny")
    (folder / "chat_template.jinja").unlink()
    (folder / "opens2v.json").unlink()
    return folder


@pytest.fixture(scope="module")
def judge(folder: Path) -> LocalJudge:
    return LocalJudge.from_pretrained(folder, device="cpu")


def expectation_by_generation(folder: Path, frames: list[Image.Image], text: str) -> tuple[float, float]:
    """Expectation and digit mass, with transformers' own generation in place of a forward pass of ours."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    processor = AutoImageProcessor.from_pretrained(folder, backend="pil")
    pixels = processor(images=frames, return_tensors="pt")
    turns = "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n"
    for time, height, width in pixels["image_grid_thw"].tolist():
        turns += "<|vision_start|>" + "<|image_pad|>" * (time * height * width // 4) + "<|vision_end|>"
    turns += f"{text}<|im_end|>\n<|im_start|>assistant\n"
    inputs = tokenizer(turns, return_tensors="pt")
    model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32)
    image_id = tokenizer.convert_tokens_to_ids("<|image_pad|>")
    generated = model.generate(
        input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"], pixel_values=pixels["pixel_values"],
        image_grid_thw=pixels["image_grid_thw"], mm_token_type_ids=(inputs["input_ids"] == image_id).int(),
        do_sample=False, max_new_tokens=1, return_dict_in_generate=True, output_logits=True,
    )  # fmt: skip
    logits = generated.logits[0][0].double().tolist()
    highest = max(logits)
    weights = [math.exp(value - highest) for value in logits]
    digits = [weights[tokenizer.convert_tokens_to_ids(str(digit))] for digit in range(1, 6)]
    return sum(digit * w for digit, w in enumerate(digits, start=1)) / sum(digits), sum(digits) / sum(weights)


def test_the_score_is_the_expectation_over_the_digits(judge: LocalJudge, folder: Path) -> None:
    [rating] = judge.rate(FRAMES, RUBRIC)
    expected, mass = expectation_by_generation(folder, FRAMES, RUBRIC.text)
    assert rating.score == pytest.approx(expected, abs=1e-4)
    assert rating.details["digit_mass"] == pytest.approx(mass, rel=1e-3)
    assert sum(rating.details["probabilities"].values()) == pytest.approx(1.0, abs=1e-9)


def test_the_score_on_another_qwen2_vl(shared_data: Path) -> None:
    other = shared_data / "tiny-gme"
    [rating] = LocalJudge.from_pretrained(other, device="cpu").rate(FRAMES, RUBRIC)
    expected, mass = expectation_by_generation(other, FRAMES, RUBRIC.text)
    assert rating.score == pytest.approx(expected, abs=1e-4)
    assert rating.details["digit_mass"] == pytest.approx(mass, rel=1e-3)


TEXT = {
    "vocab_size": 300, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2,
    "num_key_value_heads": 1, "max_position_embeddings": 4096, "head_dim": 16,
}  # fmt: skip
VISION = {"depth": 2, "num_heads": 2, "in_channels": 3, "spatial_merge_size": 2, "temporal_patch_size": 2}
RELATIVES: dict[str, tuple[type, type, dict[str, Any], dict[str, Any]]] = {
    "qwen2_5_vl": (
        Qwen2_5_VLConfig,
        Qwen2_5_VLForConditionalGeneration,
        {
            "hidden_size": 32, "out_hidden_size": 32, "intermediate_size": 48, "patch_size": 14,
            "fullatt_block_indexes": [1],
        },
        {"rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 3, 3]}},
    ),
    "qwen3_vl": (
        Qwen3VLConfig,
        Qwen3VLForConditionalGeneration,
        {
            "hidden_size": 32, "out_hidden_size": 32, "intermediate_size": 48, "patch_size": 16,
            "num_position_embeddings": 16, "deepstack_visual_indexes": [0],
        },
        {"rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 3, 3]}},
    ),
}  # fmt: skip


@pytest.mark.parametrize("family", RELATIVES)
def test_the_score_on_its_relatives(family: str, folder: Path, tmp_path: Path) -> None:
    config_type, network_type, vision, text = RELATIVES[family]
    relative = copied(folder, tmp_path)
    ids = AutoTokenizer.from_pretrained(folder).get_vocab()
    names = {
        "image": "<|image_pad|>",
        "video": "<|video_pad|>",
        "vision_start": "<|vision_start|>",
        "vision_end": "<|vision_end|>",
    }
    config = config_type(
        text_config=TEXT | text,
        vision_config=VISION | vision,
        **{f"{key}_token_id": ids[token] for key, token in names.items()},
    )
    torch.manual_seed(1)
    network = network_type(config)
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim > 1:
                parameter.normal_(0.0, 0.2)
    network.save_pretrained(relative)
    preprocessor = json.loads((relative / "preprocessor_config.json").read_text())
    (relative / "preprocessor_config.json").write_text(json.dumps(preprocessor | {"patch_size": vision["patch_size"]}))
    [rating] = LocalJudge.from_pretrained(relative, device="cpu").rate(FRAMES, RUBRIC)
    expected, _ = expectation_by_generation(relative, FRAMES, RUBRIC.text)
    assert rating.score == pytest.approx(expected, abs=1e-4)
    [other] = LocalJudge.from_pretrained(relative, device="cpu").rate(FRAMES[::-1], RUBRIC)
    assert other.score != pytest.approx(expected, abs=1e-4)


def test_a_local_judge_is_deterministic_and_runs_once(judge: LocalJudge, monkeypatch: pytest.MonkeyPatch) -> None:
    passes = []
    once = judge.next_token_logits
    monkeypatch.setattr(judge, "next_token_logits", lambda *arguments: passes.append(1) or once(*arguments))
    ratings = judge.rate(FRAMES, RUBRIC, runs=3)
    assert len(ratings) == 3
    assert len(passes) == 1
    assert ratings == judge.rate(FRAMES, RUBRIC, runs=3)
    assert judge.deterministic


def test_frames_their_order_and_the_rubric_all_count(judge: LocalJudge) -> None:
    def score(frames: list[Image.Image], text: str = RUBRIC.text) -> float:
        return judge.rate(frames, Rubric("test", text))[0].score or 0.0

    scores = [score(FRAMES), score(FRAMES[::-1]), score(FRAMES[:2]), score(FRAMES, "How real is it?")]
    assert len({round(value, 6) for value in scores}) == 4


def test_a_chat_template_of_the_tokenizer_is_used(folder: Path, tmp_path: Path) -> None:
    copy = copied(folder, tmp_path)
    template = (
        "{% for message in messages %}{% for part in message['content'] %}"
        "{% if part['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
        "{% else %}{{ part['text'] }}{% endif %}"
        "{% endfor %}{% endfor %}{% if add_generation_prompt %}=>{% endif %}"
    )
    (copy / "chat_template.jinja").write_text(template)
    judge = LocalJudge.from_pretrained(copy, device="cpu")
    text = judge._tokenizer.decode(judge.encode(FRAMES, RUBRIC.text)["input_ids"][0])
    # 84×56 px are 6×4 patches, merged 2×2 to 6 tokens
    one = "<|vision_start|>" + "<|image_pad|>" * 6 + "<|vision_end|>"
    assert text == one * 3 + RUBRIC.text + "=>"
    assert judge.options["chat_template"] == "the tokenizer's"


def test_a_chat_template_without_pictures_is_refused(folder: Path, tmp_path: Path) -> None:
    copy = copied(folder, tmp_path)
    (copy / "chat_template.jinja").write_text("{% for message in messages %}{{ message['role'] }}{% endfor %}")
    with pytest.raises(ModelError, match="chat template"):
        LocalJudge.from_pretrained(copy, device="cpu")


def test_pixel_bounds_come_from_arguments_then_the_folder_then_the_processor(folder: Path, tmp_path: Path) -> None:
    def tokens(judge: LocalJudge) -> int:
        return int((judge.encode([picture(0, 280, 280)], "x")["mm_token_type_ids"] == 1).sum())

    assert tokens(LocalJudge.from_pretrained(folder, device="cpu")) == 16  # 112×112 px
    copy = copied(folder, tmp_path)
    (copy / "opens2v.json").write_text(json.dumps({"min_pixels": 28 * 28, "max_pixels": 56 * 56}))
    judge = LocalJudge.from_pretrained(copy, device="cpu")
    assert tokens(judge) == 4
    assert (judge.options["min_pixels"], judge.options["max_pixels"]) == (784, 3136)
    assert tokens(LocalJudge.from_pretrained(copy, device="cpu", max_pixels=84 * 84)) == 9


@pytest.mark.parametrize("bounds", [{"min_pixels": 0}, {"min_pixels": 9000, "max_pixels": 4000}, {"max_pixels": 0.5}])
def test_pixel_bounds_without_sense_are_refused(folder: Path, bounds: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError, match="min_pixels"):
        LocalJudge.from_pretrained(folder, device="cpu", **bounds)


def test_too_little_probability_on_the_digits_is_no_score(folder: Path) -> None:
    judge = LocalJudge.from_pretrained(folder, device="cpu", min_digit_mass=0.999)
    [rating] = judge.rate(FRAMES, RUBRIC)
    assert rating.score is None
    assert "probability" in rating.error
    assert len(rating.replies) == 1
    with pytest.raises(ArgumentError, match="min_digit_mass"):
        LocalJudge.from_pretrained(folder, device="cpu", min_digit_mass=1.5)


def test_weights_that_give_no_numbers_give_no_score(folder: Path, tmp_path: Path) -> None:
    copy = with_weights(folder, tmp_path, lambda weights: weights["lm_head.weight"].fill_(math.nan))
    [rating] = LocalJudge.from_pretrained(copy, device="cpu").rate(FRAMES, RUBRIC)
    assert rating.score is None
    assert "finite" in rating.error


def test_missing_weights_are_named_and_never_drawn_at_random(folder: Path, tmp_path: Path) -> None:
    copy = with_weights(folder, tmp_path, lambda weights: weights.pop("lm_head.weight"))
    with pytest.raises(ModelError, match=r"lm_head\.weight"):
        LocalJudge.from_pretrained(copy, device="cpu")


def test_a_frame_of_extreme_shape_fails_and_does_not_crash(judge: LocalJudge) -> None:
    [rating] = judge.rate([picture(0, 2000, 2)], RUBRIC)
    assert rating.score is None
    assert "2000×2" in rating.error


def test_too_little_memory_fails_and_does_not_crash(judge: LocalJudge, monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*_: Any) -> torch.Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(judge, "next_token_logits", exhausted)
    [rating] = judge.rate(FRAMES, RUBRIC)
    assert rating.score is None
    assert "max_pixels" in rating.error


def test_a_rubric_cannot_smuggle_in_pictures(judge: LocalJudge) -> None:
    with pytest.raises(ArgumentError, match="image_pad"):
        judge.rate(FRAMES, Rubric("test", "<|image_pad|> 5"))


def test_frames_and_runs_are_needed(judge: LocalJudge) -> None:
    for frames, runs in (([], 1), (FRAMES, 0)):
        with pytest.raises(ArgumentError, match="at least one"):
            judge.rate(frames, RUBRIC, runs=runs)


def test_a_tokenizer_without_single_digits_is_refused(judge: LocalJudge) -> None:
    class Numbers:
        chat_template = None

        def encode(self, text: str, **_: Any) -> list[int]:
            return [1, 2] if text.isdigit() else [3]

        def decode(self, ids: list[int]) -> str:
            return "4"

    with pytest.raises(ModelError, match="no single token for '1'"):
        LocalJudge(judge._model, Numbers(), judge._image_processor, info=judge.info)


def test_another_architecture_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    save_file({"x": torch.zeros(1)}, tmp_path / "model.safetensors")
    with pytest.raises(ModelError, match="'bert'"):
        LocalJudge.from_pretrained(tmp_path)


def test_a_broken_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    copy = copied(folder, tmp_path)
    (copy / "tokenizer.json").unlink()
    with pytest.raises(ModelError, match="cannot be loaded"):
        LocalJudge.from_pretrained(copy)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError):
        LocalJudge.from_pretrained(tmp_path / "empty")


def test_provenance(judge: LocalJudge, folder: Path) -> None:
    assert judge.info.role == "judge"
    assert judge.info.name == str(folder)
    assert (judge.info.revision or "").startswith("sha256:")
    assert (judge.info.dtype, judge.info.device) == ("float32", "cpu")


def copied(folder: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in folder.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    return copy


def with_weights(folder: Path, tmp_path: Path, change: Callable[[dict[str, torch.Tensor]], Any]) -> Path:
    copy = copied(folder, tmp_path)
    weights = load_file(copy / "model.safetensors")
    change(weights)
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    return copy
