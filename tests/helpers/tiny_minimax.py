"""MiniMax-H3 with random weights, and a substitute for the one of its parts that needs torchvision."""

from __future__ import annotations

from typing import Any

from helpers.tiny_tokenizers import qwen_tokenizer


def minimax_h3() -> Any:
    """Its workflow from references to video."""
    from diffusers import (
        AutoencoderKLMiniMaxH3,
        AutoencoderKLMiniMaxH3Audio,
        MiniMaxH3Scheduler,
        MiniMaxH3Transformer3DModel,
    )
    from diffusers.modular_pipelines import MiniMaxH3Blocks
    from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration

    tokenizer = qwen_tokenizer()
    ids = {name: tokenizer.convert_tokens_to_ids(f"<|{name}|>") for name in ("image_pad", "video_pad")}
    ids |= {name: tokenizer.convert_tokens_to_ids(f"<|{name}|>") for name in ("vision_start", "vision_end")}
    rope = {"mrope_section": [2, 1, 1], "rope_type": "default", "rope_theta": 1e6, "mrope_interleaved": True}
    text_encoder = Qwen3VLForConditionalGeneration(
        Qwen3VLConfig(
            text_config={
                "vocab_size": len(tokenizer), "hidden_size": 8, "intermediate_size": 16,
                "num_hidden_layers": 51,  # the pipeline reads hidden state 50
                "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 8, "rope_parameters": rope,
            },
            vision_config={
                "depth": 2, "hidden_size": 8, "intermediate_size": 16, "num_heads": 2, "out_hidden_size": 8,
                "patch_size": 16, "spatial_merge_size": 2, "temporal_patch_size": 2, "num_position_embeddings": 16,
                "deepstack_visual_indexes": [0],
            },
            image_token_id=ids["image_pad"], video_token_id=ids["video_pad"],
            vision_start_token_id=ids["vision_start"], vision_end_token_id=ids["vision_end"],
        )
    ).eval()  # fmt: skip
    vae = AutoencoderKLMiniMaxH3(
        latent_channels=4, block_out_channels=(8,) * 4, layers_per_block=1,
        spatial_downsample_factors=(2,) * 4, temporal_downsample_factors=(2, 2, 1, 1), norm_num_groups=4,
        decoder_num_layers=1, decoder_num_attention_heads=2, decoder_attention_head_dim=8,
        decoder_num_register_tokens=2, decoder_ffn_mult=2, latents_mean=(0.0,) * 4, latents_std=(1.0,) * 4,
    )  # fmt: skip
    audio_vae = AutoencoderKLMiniMaxH3Audio(
        encoder_dim=4, encoder_rates=(2, 2), latent_dim=32, latent_channels=8, num_attention_heads=2, decoder_dim=16,
        decoder_rates=(2, 2), decoder_kernel_sizes=(4, 4), resblock_kernel_sizes=(3, 7),
        resblock_dilation_sizes=((1, 3), (1, 3)), sampling_rate=32000, latents_mean=[0.0] * 8, latents_std=[1.0] * 8,
    )  # fmt: skip
    transformer = MiniMaxH3Transformer3DModel(
        num_attention_heads=2, attention_head_dim=16, hidden_size=24, num_layers=2, num_refiner_layers=2, ffn_dim=32,
        in_channels=4, audio_in_channels=8, patch_size=(1, 2, 2), text_dim=8, freq_dim=8, time_embed_hidden_dim=24,
        time_embed_dim=16, rope_freq_dim=2,
    )  # fmt: skip
    pipeline = MiniMaxH3Blocks().get_workflow("ref2va").init_pipeline()
    pipeline.update_components(
        text_encoder=text_encoder, tokenizer=tokenizer, processor=PicturesOnly(tokenizer), vae=vae,
        audio_vae=audio_vae, transformer_ref=transformer, scheduler=MiniMaxH3Scheduler(shift=12.0),
        audio_scheduler=MiniMaxH3Scheduler(shift=3.0),
    )  # fmt: skip
    pipeline.update_components(reference_image_short_edge=32)
    return pipeline


class PicturesOnly:
    """Replaces Qwen3VLProcessor, whose video half needs torchvision."""

    def __init__(self, tokenizer: Any) -> None:
        from transformers import Qwen2VLImageProcessorPil

        self.tokenizer = tokenizer
        self.image_processor = Qwen2VLImageProcessorPil(
            patch_size=16,
            merge_size=2,
            temporal_patch_size=2,
            size={"shortest_edge": 32 * 32, "longest_edge": 64 * 64},
        )
        self._image_id = tokenizer.convert_tokens_to_ids("<|image_pad|>")

    def create_mm_token_type_ids(self, rows: Any) -> list[list[int]]:
        return [[int(token == self._image_id) for token in row] for row in rows]

    def save_pretrained(self, *_: object, **__: object) -> None:
        """It is made anew where the pipeline is loaded."""
