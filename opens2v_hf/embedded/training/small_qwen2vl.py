"""A Qwen2-VL of a million weights: what the embedded embedder and the embedded judge are made of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer
from transformers import (
    PreTrainedTokenizerFast,
    Qwen2VLConfig,
    Qwen2VLForConditionalGeneration,
    Qwen2VLImageProcessorPil,
)

UNKNOWN = "<unk>"
SPECIAL_TOKENS = (
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>",
    "<|video_pad|>", UNKNOWN,
)  # fmt: skip

_INITIALIZER_RANGE = 0.08
"""About 1 / sqrt(width). With the architecture's usual 0.02 so narrow a network hardly passes on what it sees: all
vectors start out alike, and learning takes several times as long."""


def as_tokenizer(tokenizer: Tokenizer) -> PreTrainedTokenizerFast:
    """A tokenizer that knows `SPECIAL_TOKENS`, with their roles in Qwen2-VL."""
    roles = {"pad_token": "<|endoftext|>", "eos_token": "<|im_end|>", "unk_token": UNKNOWN}
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **roles)
    fast.add_special_tokens({"additional_special_tokens": list(SPECIAL_TOKENS[:-1])})
    return fast


def small_network(
    tokenizer: PreTrainedTokenizerFast, *, text_layers: int, vision_layers: int
) -> Qwen2VLForConditionalGeneration:
    """The network with weights drawn from torch's current seed."""
    ids = tokenizer.get_vocab()
    config = Qwen2VLConfig(
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": 128,
            "intermediate_size": 320,
            "num_hidden_layers": text_layers,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "max_position_embeddings": 4096,
            "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [4, 6, 6]},
            "bos_token_id": ids["<|endoftext|>"],
            "eos_token_id": ids["<|im_end|>"],
            "pad_token_id": ids["<|endoftext|>"],
            "initializer_range": _INITIALIZER_RANGE,
        },
        vision_config={
            "depth": vision_layers,
            "embed_dim": 80,
            "hidden_size": 128,
            "num_heads": 4,
            "mlp_ratio": 3,
            "initializer_range": _INITIALIZER_RANGE,
        },
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
        tie_word_embeddings=True,
    )
    return Qwen2VLForConditionalGeneration(config)


def save(network: Any, tokenizer: Any, processor: Qwen2VLImageProcessorPil, folder: Path) -> None:
    """Write a folder that the package's Qwen2-VL loaders read: float16 weights, tokenizer, pixel bounds."""
    folder.mkdir(parents=True, exist_ok=True)
    network.half().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    processor.save_pretrained(folder)
    bounds = {"min_pixels": processor.size["shortest_edge"], "max_pixels": processor.size["longest_edge"]}
    (folder / "opens2v.json").write_text(json.dumps(bounds, indent=2) + "\n", encoding="utf-8")
