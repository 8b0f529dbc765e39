"""A tiny Qwen2-VL with random weights, saved as a folder that loads like a real one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, Qwen2VLConfig, Qwen2VLForConditionalGeneration
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

SPECIAL_TOKENS = (
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>",
    "<|image_pad|>", "<|video_pad|>",
)  # fmt: skip
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def save_tiny_qwen2vl(
    folder: Path,
    *,
    seed: int = 0,
    min_pixels: int = 4 * 28 * 28,
    max_pixels: int = 16 * 28 * 28,
    padding_side: str = "right",
    scale: float = 0.25,
) -> Path:
    """Write config, weights, a byte-level tokenizer, the image processor and `opens2v.json` with the pixel bounds.

    Weights are drawn with a standard deviation of `scale`, so that vectors depend visibly on picture, text and
    positions; those of a fresh transformers model hardly do.
    """
    config, tokenizer = tiny_config(
        Qwen2VLConfig,
        padding_side,
        text={
            "num_hidden_layers": 2, "max_position_embeddings": 4096,
            "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [1, 1, 2]},
        },
        vision={"depth": 2, "embed_dim": 32, "mlp_ratio": 2, "patch_size": 14},
    )  # fmt: skip
    processor = Qwen2VLImageProcessorPil(min_pixels=min_pixels, max_pixels=max_pixels)
    save_drawn(folder, Qwen2VLForConditionalGeneration(config), tokenizer, processor, seed=seed, scale=scale)
    (folder / "opens2v.json").write_text(json.dumps({"min_pixels": min_pixels, "max_pixels": max_pixels}))
    return folder


def save_wide_qwen2vl(folder: Path, width: int, **bounds: int) -> Path:
    """As `save_tiny_qwen2vl`, with a fresh language model of 24 layers of so many channels."""
    save_tiny_qwen2vl(folder, **bounds)
    config: Any = Qwen2VLConfig.from_pretrained(folder)
    config.text_config.update(
        {
            "hidden_size": width, "intermediate_size": 3 * width, "num_hidden_layers": 24,
            "num_attention_heads": width // 64, "num_key_value_heads": width // 256,
            "layer_types": ["full_attention"] * 24,
            "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [8, 12, 12]},
        }
    )  # fmt: skip
    config.vision_config.hidden_size = width
    Qwen2VLForConditionalGeneration(config).save_pretrained(folder)
    return folder


def tiny_config(
    kind: Any, padding_side: str, *, text: dict[str, Any], vision: dict[str, Any]
) -> tuple[Any, PreTrainedTokenizerFast]:
    """Configuration of a network of the Qwen-VL family, 32 channels wide, and its tokenizer."""
    tokenizer = byte_tokenizer(padding_side)
    ids = {token: tokenizer.convert_tokens_to_ids(token) for token in SPECIAL_TOKENS}
    config = kind(
        text_config={
            "vocab_size": len(tokenizer), "hidden_size": 32, "intermediate_size": 48, "num_attention_heads": 4,
            "num_key_value_heads": 2, "rms_norm_eps": 1e-6, "bos_token_id": ids["<|endoftext|>"],
            "eos_token_id": ids["<|im_end|>"], "pad_token_id": ids["<|endoftext|>"], **text,
        },
        vision_config={
            "hidden_size": 32, "num_heads": 2, "spatial_merge_size": 2, "temporal_patch_size": 2, "in_channels": 3,
            **vision,
        },
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
        tie_word_embeddings=False,
    )  # fmt: skip
    return config, tokenizer


def save_drawn(
    folder: Path, model: Any, tokenizer: PreTrainedTokenizerFast, processor: Any, *, seed: int, scale: float
) -> None:
    """Draw the weights of a network, parameter by parameter in order of their names, and write all files."""
    folder.mkdir(parents=True, exist_ok=True)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in sorted(model.named_parameters()):
            noise = torch.randn(weight.shape, generator=generator) * scale
            is_norm = weight.ndim == 1 and name.endswith("weight")
            weight.copy_(1 + 0.1 * noise if is_norm else noise)
    for part in (model, tokenizer, processor):
        part.save_pretrained(folder)


def byte_tokenizer(padding_side: str) -> PreTrainedTokenizerFast:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    backend = Tokenizer(models.BPE(vocab={symbol: index for index, symbol in enumerate(alphabet)}, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token="<|endoftext|>",
        eos_token="<|im_end|>",
        additional_special_tokens=list(SPECIAL_TOKENS),
        padding_side=padding_side,
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer
