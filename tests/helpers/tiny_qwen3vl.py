"""A tiny Qwen3-VL with random weights, saved as a folder that loads like a Qwen3-VL-Embedding."""

from __future__ import annotations

from pathlib import Path

from helpers.tiny_qwen2vl import save_drawn, tiny_config
from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil


def save_tiny_qwen3vl(folder: Path, *, seed: int = 0, scale: float = 0.2, padding_side: str = "right") -> Path:
    """Write config, weights, a byte-level tokenizer and the image processor (patches of 16 px)."""
    config, tokenizer = tiny_config(
        Qwen3VLConfig,
        padding_side,
        text={
            "num_hidden_layers": 3, "head_dim": 16, "max_position_embeddings": 9000,
            "rope_parameters": {
                "rope_type": "default", "rope_theta": 10000.0, "mrope_section": [4, 2, 2], "mrope_interleaved": True,
            },
        },
        vision={
            "depth": 3, "intermediate_size": 48, "patch_size": 16, "out_hidden_size": 32,
            "num_position_embeddings": 16, "deepstack_visual_indexes": [0, 1],
        },
    )  # fmt: skip
    processor = Qwen2VLImageProcessorPil(
        patch_size=16, image_mean=[0.5] * 3, image_std=[0.5] * 3, min_pixels=65536, max_pixels=16777216
    )
    save_drawn(folder, Qwen3VLForConditionalGeneration(config), tokenizer, processor, seed=seed, scale=scale)
    return folder
