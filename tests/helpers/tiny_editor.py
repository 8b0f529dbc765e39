"""A pipeline of diffusers that edits pictures, with random weights of less than a megabyte."""

from __future__ import annotations

import json
from pathlib import Path

import torch


def build_editor(folder: Path) -> Path:
    """Save a StableDiffusionInstructPix2PixPipeline for pictures of 32x32 pixels."""
    from diffusers import (
        AutoencoderKL,
        DDIMScheduler,
        StableDiffusionInstructPix2PixPipeline,
        UNet2DConditionModel,
    )
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

    vocabulary = {token: number for number, token in enumerate(["<|startoftext|>", "<|endoftext|>", "!</w>"])}
    words = folder / "words"
    words.mkdir()
    (words / "vocab.json").write_text(json.dumps(vocabulary))
    (words / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = CLIPTokenizer(str(words / "vocab.json"), str(words / "merges.txt"), model_max_length=16)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        unet = UNet2DConditionModel(
            block_out_channels=(8, 16), layers_per_block=1, sample_size=16, in_channels=8, out_channels=4,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), cross_attention_dim=16,
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"), attention_head_dim=8, norm_num_groups=4,
        )  # fmt: skip
        vae = AutoencoderKL(
            block_out_channels=[8, 16], in_channels=3, out_channels=3, latent_channels=4, norm_num_groups=4,
            down_block_types=["DownEncoderBlock2D"] * 2, up_block_types=["UpDecoderBlock2D"] * 2,
        )  # fmt: skip
        text = CLIPTextModel(
            CLIPTextConfig(
                bos_token_id=0, eos_token_id=1, hidden_size=16, intermediate_size=16, num_attention_heads=2,
                num_hidden_layers=1, pad_token_id=1, vocab_size=3, max_position_embeddings=16,
            )
        )  # fmt: skip
        pipeline = StableDiffusionInstructPix2PixPipeline(
            vae=vae, text_encoder=text, tokenizer=tokenizer, unet=unet, scheduler=DDIMScheduler(),
            safety_checker=None, feature_extractor=None, image_encoder=None, requires_safety_checker=False,
        )  # fmt: skip
    pipeline.save_pretrained(str(folder / "pipeline"))
    return folder / "pipeline"
