"""A tiny pipeline of the real `WanVACEPipeline` class with random weights, made in a second without a download.

It shows that every step works, from a model's name to its scorecard. It is not trained: its videos are noise.
"""

from __future__ import annotations

import os
import string
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from opens2v_hf.generators.diffusers_pipeline import PipelineGenerator
from opens2v_hf.generators.plan import plan_pipeline
from opens2v_hf.generators.recipe import Recipe
from opens2v_hf.models.info import EMBEDDED

RECIPE = Recipe(
    width=32, height=32, num_frames=9, fps=8, steps=2, guidance=5.0, source="the smallest video that the class makes"
)
SEED = 0


def build_embedded_pipeline(folder: str | os.PathLike[str]) -> Path:
    """Build the pipeline and save it as a diffusers folder of 0.4 MB."""
    import torch
    from diffusers import (
        AutoencoderKLWan,
        FlowMatchEulerDiscreteScheduler,
        WanVACEPipeline,
        WanVACETransformer3DModel,
    )
    from transformers import T5Tokenizer, UMT5Config, UMT5EncoderModel

    # one token for each printable character, so that no two prompts in ASCII have the same tokens
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0)]
    pieces += [(character, -3.0) for character in string.printable if not character.isspace()]
    with torch.random.fork_rng():
        torch.manual_seed(SEED)
        tokenizer = T5Tokenizer(vocab=pieces, extra_ids=0)
        text_encoder = UMT5EncoderModel(
            UMT5Config(
                vocab_size=len(tokenizer), d_model=32, d_kv=8, d_ff=37, num_layers=2, num_heads=4, dropout_rate=0.0
            )
        ).eval()
        vae = AutoencoderKLWan(
            base_dim=3, z_dim=16, dim_mult=[1] * 4, num_res_blocks=1, temperal_downsample=[False, True, True]
        )
        transformer = WanVACETransformer3DModel(
            patch_size=(1, 2, 2), num_attention_heads=2, attention_head_dim=12, in_channels=16, out_channels=16,
            text_dim=32, freq_dim=32, ffn_dim=32, num_layers=3, rope_max_seq_len=64, vace_layers=[0, 2],
            vace_in_channels=96,
        )  # fmt: skip
    pipeline: Any = WanVACEPipeline(
        tokenizer=tokenizer,
        text_encoder=text_encoder,
        vae=vae,
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
        transformer=transformer,
    )
    pipeline.save_pretrained(os.fspath(folder))
    return Path(folder)


def load_embedded(device: str | None = None) -> PipelineGenerator:
    """Build the pipeline and load it. Its name in results is "embedded"; no folder is part of its videos' keys."""
    from diffusers.utils.logging import disable_progress_bar, enable_progress_bar

    disable_progress_bar()  # it loads in a moment
    try:
        with tempfile.TemporaryDirectory() as temporary:
            folder = build_embedded_pipeline(Path(temporary, "pipeline"))
            plan = plan_pipeline(str(folder), device=device, dtype="float32")
            generator = PipelineGenerator(plan)
    finally:
        enable_progress_bar()
    generator.plan = replace(
        plan,
        index=replace(plan.index, name=EMBEDDED),
        family=replace(plan.family, recipe=RECIPE),
        notes=("made by the embedded pipeline, whose weights are random: the videos are noise and show no reference",),
    )
    return generator
