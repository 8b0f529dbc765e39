"""What a local captioner writes is what transformers' own generation gives from inputs laid out by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from helpers.tiny_qwen2vl import save_tiny_qwen2vl
from PIL import Image
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from opens2v_hf.errors import ArgumentError, CaptionError, ModelError
from opens2v_hf.models.captioner.local import LocalCaptioner
from opens2v_hf.models.roles import ModelChoice, load_model

FRAMES = [np.random.default_rng(seed).integers(0, 256, (56, 84, 3), dtype=np.uint8) for seed in range(2)]
PROMPT = "What happens?"
LENGTH = 6


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_qwen2vl(tmp_path_factory.mktemp("captioner") / "tiny")


@torch.inference_mode()
def by_generation(folder: Path, frames: list[np.ndarray], prompt: str, length: int) -> list[int]:
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    processor = transformers.AutoImageProcessor.from_pretrained(folder, backend="pil")
    inputs = {}
    text = "<|im_start|>user\n"
    if frames:
        inputs = dict(processor(images=[Image.fromarray(frame) for frame in frames], return_tensors="pt"))
        for time, height, width in inputs["image_grid_thw"].tolist():
            text += "<|vision_start|>" + "<|image_pad|>" * (time * height * width // 4) + "<|vision_end|>"
    text += f"{prompt}<|im_end|>\n<|im_start|>assistant\n"
    inputs |= tokenizer(text, return_tensors="pt")
    image_id = tokenizer.convert_tokens_to_ids("<|image_pad|>")
    inputs["mm_token_type_ids"] = (inputs["input_ids"] == image_id).int()
    network = transformers.AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32)
    output = network.generate(**inputs, do_sample=False, max_new_tokens=length, min_new_tokens=length)
    return output[0, inputs["input_ids"].shape[1] :].tolist()


def ending_with(folder: Path, token: int, to: Path) -> Path:
    """The same model, for which a token ends the answer."""
    to.mkdir()
    for path in folder.iterdir():
        (to / path.name).write_bytes(path.read_bytes())
    settings = json.loads((to / "generation_config.json").read_text())
    (to / "generation_config.json").write_text(json.dumps(settings | {"eos_token_id": token}))
    return to


@pytest.mark.parametrize("frames", [FRAMES, []], ids=["frames", "text alone"])
def test_the_answer_is_the_likeliest_one(folder: Path, tmp_path: Path, frames: list[np.ndarray]) -> None:
    tokens = by_generation(folder, frames, PROMPT, LENGTH)
    end = next(token for token in tokens[2:] if token not in tokens[: tokens.index(token)])
    expected = tokens[: tokens.index(end) + 1]
    captioner = LocalCaptioner.from_pretrained(ending_with(folder, end, tmp_path / "ends"), device="cpu")
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    assert captioner.caption(frames, PROMPT) == tokenizer.decode(expected, skip_special_tokens=True).strip() != ""


def test_an_answer_that_is_cut_off_is_no_caption(folder: Path) -> None:
    captioner = LocalCaptioner.from_pretrained(folder, device="cpu", max_new_tokens=2)
    with pytest.raises(CaptionError, match="more than max_new_tokens=2 tokens"):
        captioner.caption(FRAMES, PROMPT)


def test_an_empty_answer_is_no_caption(folder: Path, tmp_path: Path) -> None:
    [first] = by_generation(folder, FRAMES, PROMPT, 1)
    ends = ending_with(folder, first, tmp_path / "ends")
    tokenizer = transformers.AutoTokenizer.from_pretrained(ends)
    tokenizer.add_special_tokens({"additional_special_tokens": [tokenizer.convert_ids_to_tokens(first)]})
    tokenizer.save_pretrained(ends)
    with pytest.raises(CaptionError, match="the answer is empty"):
        LocalCaptioner.from_pretrained(ends, device="cpu").caption(FRAMES, PROMPT)


def test_frames_of_a_form_that_is_none(folder: Path) -> None:
    captioner = LocalCaptioner.from_pretrained(folder, device="cpu", max_new_tokens=2)
    with pytest.raises(ArgumentError, match="uint8"):
        captioner.caption([FRAMES[0][..., :2]], PROMPT)
    with pytest.raises(CaptionError, match="captioner cannot take a frame of 2000×2"):
        captioner.caption([np.zeros((2, 2000, 3), np.uint8)], PROMPT)
    with pytest.raises(ArgumentError, match="the token of a picture"):
        captioner.caption(FRAMES, "<|image_pad|>")


def test_pixels_are_bounded_where_the_user_says_so(folder: Path) -> None:
    few = LocalCaptioner.from_pretrained(folder, device="cpu", max_pixels=4 * 28 * 28)
    inputs = few._chat.encode([Image.fromarray(np.zeros((280, 280, 3), np.uint8))], PROMPT)
    assert inputs["image_grid_thw"].tolist() == [[1, 4, 4]]
    with pytest.raises(ArgumentError, match="max_pixels must be a whole number from 3136"):
        LocalCaptioner.from_pretrained(folder, device="cpu", max_pixels=1)


def test_it_loads_by_its_role_with_provenance(folder: Path) -> None:
    captioner = load_model("captioner", ModelChoice(folder, {"device": "cpu", "max_new_tokens": 9}))
    assert captioner.info.role == "captioner"
    assert captioner.info.revision.startswith("sha256:")
    assert captioner.options == {"max_new_tokens": 9, "sampling": "greedy"}
    with pytest.raises(ArgumentError, match="max_new_tokens must be a whole number from 1"):
        LocalCaptioner.from_pretrained(folder, device="cpu", max_new_tokens=0)


@pytest.fixture(scope="module")
def llava(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Path:
    """A model of another family, asked by its own processor."""
    to = tmp_path_factory.mktemp("llava")
    torch.manual_seed(0)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    text = transformers.LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2,
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    vision = transformers.CLIPVisionConfig(
        hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2, image_size=28, patch_size=14
    )
    image_id = tokenizer.convert_tokens_to_ids("<|image_pad|>")
    config = transformers.LlavaConfig(vision_config=vision, text_config=text, image_token_index=image_id)
    network = transformers.LlavaForConditionalGeneration(config)
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim > 1:
                parameter.normal_(0, 0.3)
    network.save_pretrained(to)
    image_processor = CLIPImageProcessorPil(size={"shortest_edge": 28}, crop_size={"height": 28, "width": 28})
    transformers.LlavaProcessor(
        image_processor, tokenizer, patch_size=14, vision_feature_select_strategy="default",
        image_token="<|image_pad|>", num_additional_image_tokens=1, chat_template=tokenizer.chat_template,
    ).save_pretrained(to)  # fmt: skip
    return to


@torch.inference_mode()
def test_other_families_are_asked_by_their_own_processor(llava: Path, tmp_path: Path) -> None:
    tokenizer = transformers.AutoTokenizer.from_pretrained(llava)
    square = CLIPImageProcessorPil(size={"shortest_edge": 28}, crop_size={"height": 28, "width": 28})
    pixels = square([Image.fromarray(frame) for frame in FRAMES], return_tensors="pt")["pixel_values"]
    # four patches of 14 px in a picture of 28
    picture = "<|vision_start|>" + "<|image_pad|>" * 4 + "<|vision_end|>"
    ids = tokenizer(f"<|im_start|>user\n{picture * 2}{PROMPT}<|im_end|>\n<|im_start|>assistant\n", return_tensors="pt")
    network = transformers.LlavaForConditionalGeneration.from_pretrained(llava)
    output = network.generate(**ids, pixel_values=pixels, do_sample=False, max_new_tokens=LENGTH, min_new_tokens=LENGTH)
    tokens = output[0, ids["input_ids"].shape[1] :].tolist()
    end = next(token for token in tokens[1:] if token not in tokens[: tokens.index(token)])
    captioner = LocalCaptioner.from_pretrained(ending_with(llava, end, tmp_path / "ends"), device="cpu")
    expected = tokenizer.decode(tokens[: tokens.index(end) + 1], skip_special_tokens=True).strip()
    assert captioner.caption(FRAMES, PROMPT) == expected != ""


def test_what_is_no_image_text_model_is_refused(llava: Path, tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="max_pixels is for models of qwen2_vl"):
        LocalCaptioner.from_pretrained(llava, device="cpu", max_pixels=10**6)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    (tmp_path / "model.safetensors").write_bytes((llava / "model.safetensors").read_bytes())
    with pytest.raises(ModelError, match="captioner"):
        LocalCaptioner.from_pretrained(tmp_path, device="cpu")
