"""Real pipeline classes of diffusers with random weights of less than a megabyte, built without a download."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from helpers.tiny_hunyuan import hunyuan15_image_to_video, hunyuan_image_to_video
from helpers.tiny_minimax import minimax_h3
from helpers.tiny_tokenizers import gemma_tokenizer, t5_tokenizer

SIZE = 32
"""Of the sides of the videos."""


def build(name: str, folder: Path) -> Path:
    """Save the pipeline of one of `BUILDERS` as a diffusers folder."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        BUILDERS[name]().save_pretrained(str(folder))
    return folder


def _t5(tokenizer: Any, *, umt5: bool = False) -> Any:
    from transformers import T5Config, T5EncoderModel, UMT5Config, UMT5EncoderModel

    config, model = (UMT5Config, UMT5EncoderModel) if umt5 else (T5Config, T5EncoderModel)
    shape = {"d_model": 32, "d_kv": 8, "d_ff": 37, "num_layers": 2, "num_heads": 4, "dropout_rate": 0.0}
    return model(config(vocab_size=len(tokenizer), **shape)).eval()


def _wan_parts() -> dict[str, Any]:
    from diffusers import AutoencoderKLWan, FlowMatchEulerDiscreteScheduler

    tokenizer = t5_tokenizer()
    return {
        "tokenizer": tokenizer,
        "text_encoder": _t5(tokenizer, umt5=True),
        "vae": AutoencoderKLWan(
            base_dim=3, z_dim=16, dim_mult=[1] * 4, num_res_blocks=1, temperal_downsample=[False, True, True]
        ),
        "scheduler": FlowMatchEulerDiscreteScheduler(shift=3.0),
    }


_WAN = {
    "patch_size": (1, 2, 2), "num_attention_heads": 2, "attention_head_dim": 12, "out_channels": 16, "text_dim": 32,
    "freq_dim": 32, "ffn_dim": 32, "rope_max_seq_len": 64,
}  # fmt: skip


def wan_vace_two_experts() -> Any:
    from diffusers import WanVACEPipeline, WanVACETransformer3DModel

    def expert() -> Any:
        return WanVACETransformer3DModel(**_WAN, in_channels=16, num_layers=3, vace_layers=[0, 2], vace_in_channels=96)

    return WanVACEPipeline(**_wan_parts(), transformer=expert(), transformer_2=expert(), boundary_ratio=0.875)


def wan_image_to_video() -> Any:
    from diffusers import WanImageToVideoPipeline, WanTransformer3DModel
    from transformers import CLIPImageProcessorPil, CLIPVisionConfig, CLIPVisionModel

    vision = CLIPVisionConfig(
        hidden_size=16, intermediate_size=32, num_attention_heads=2, num_hidden_layers=2, image_size=32, patch_size=8,
        projection_dim=16,
    )  # fmt: skip
    return WanImageToVideoPipeline(
        **_wan_parts(),
        image_encoder=CLIPVisionModel(vision).eval(),
        image_processor=CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}),
        transformer=WanTransformer3DModel(**_WAN, in_channels=36, num_layers=2, image_dim=16),
    )


def cogvideox_image_to_video() -> Any:
    from diffusers import CogVideoXDDIMScheduler, CogVideoXImageToVideoPipeline, CogVideoXTransformer3DModel

    tokenizer = t5_tokenizer()
    transformer = CogVideoXTransformer3DModel(**_COGVIDEOX)
    return CogVideoXImageToVideoPipeline(
        tokenizer=tokenizer, text_encoder=_t5(tokenizer), vae=_cogvideox_vae(), transformer=transformer,
        scheduler=CogVideoXDDIMScheduler(),
    )  # fmt: skip


_COGVIDEOX = {
    "num_attention_heads": 2, "attention_head_dim": 16, "in_channels": 8, "out_channels": 4, "time_embed_dim": 2,
    "text_embed_dim": 32, "num_layers": 1, "sample_width": 4, "sample_height": 4, "sample_frames": 9, "patch_size": 2,
    "temporal_compression_ratio": 4, "max_text_seq_length": 32, "use_rotary_positional_embeddings": True,
    "use_learned_positional_embeddings": True,
}  # fmt: skip


def _cogvideox_vae() -> Any:
    from diffusers import AutoencoderKLCogVideoX

    return AutoencoderKLCogVideoX(
        down_block_types=("CogVideoXDownBlock3D",) * 4, up_block_types=("CogVideoXUpBlock3D",) * 4,
        block_out_channels=(8,) * 4, latent_channels=4, layers_per_block=1, norm_num_groups=2,
        temporal_compression_ratio=4,
    )  # fmt: skip


def consisid() -> Any:
    from diffusers import CogVideoXDPMScheduler, ConsisIDPipeline, ConsisIDTransformer3DModel

    tokenizer = t5_tokenizer()
    transformer = ConsisIDTransformer3DModel(
        **_COGVIDEOX, cross_attn_interval=1, is_kps=False, is_train_face=True, cross_attn_dim_head=1,
        cross_attn_num_heads=1, LFE_id_dim=2, LFE_vit_dim=2, LFE_depth=5, LFE_dim_head=8, LFE_num_heads=2,
        LFE_num_id_token=1, LFE_num_querie=1, LFE_output_dim=21, LFE_ff_mult=1, LFE_num_scale=1,
    )  # fmt: skip
    scheduler = CogVideoXDPMScheduler(
        rescale_betas_zero_snr=True, prediction_type="v_prediction", timestep_spacing="trailing"
    )
    return ConsisIDPipeline(
        tokenizer=tokenizer, text_encoder=_t5(tokenizer), vae=_cogvideox_vae(), transformer=transformer,
        scheduler=scheduler,
    )  # fmt: skip


def _ltx_parts() -> dict[str, Any]:
    from diffusers import AutoencoderKLLTXVideo, FlowMatchEulerDiscreteScheduler, LTXVideoTransformer3DModel

    tokenizer = t5_tokenizer()
    scaling = (True, True, False, False)
    vae = AutoencoderKLLTXVideo(
        latent_channels=8, block_out_channels=(8,) * 4, decoder_block_out_channels=(8,) * 4,
        layers_per_block=(1,) * 5, decoder_layers_per_block=(1,) * 5, spatio_temporal_scaling=scaling,
        decoder_spatio_temporal_scaling=scaling, decoder_inject_noise=(False,) * 5, upsample_residual=(False,) * 4,
        upsample_factor=(1,) * 4, timestep_conditioning=False, patch_size=1, patch_size_t=1, encoder_causal=True,
        decoder_causal=False,
    )  # fmt: skip
    transformer = LTXVideoTransformer3DModel(
        in_channels=8, out_channels=8, patch_size=1, patch_size_t=1, num_attention_heads=4, attention_head_dim=8,
        cross_attention_dim=32, num_layers=1, caption_channels=32,
    )  # fmt: skip
    return {
        "tokenizer": tokenizer, "text_encoder": _t5(tokenizer), "vae": vae, "transformer": transformer,
        "scheduler": FlowMatchEulerDiscreteScheduler(),
    }  # fmt: skip


def ltx_condition() -> Any:
    from diffusers import LTXConditionPipeline

    return LTXConditionPipeline(**_ltx_parts())


def ltx_image_to_video() -> Any:
    from diffusers import LTXImageToVideoPipeline

    return LTXImageToVideoPipeline(**_ltx_parts())


def _ltx2_parts() -> dict[str, Any]:
    from diffusers import (
        AutoencoderKLLTX2Audio,
        AutoencoderKLLTX2Video,
        FlowMatchEulerDiscreteScheduler,
        LTX2VideoTransformer3DModel,
    )
    from diffusers.pipelines.ltx2 import LTX2TextConnectors, LTX2Vocoder
    from transformers import Gemma3Config, Gemma3ForConditionalGeneration

    tokenizer = gemma_tokenizer()
    text_encoder = Gemma3ForConditionalGeneration(
        Gemma3Config(
            text_config={
                "vocab_size": len(tokenizer), "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 2,
                "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 8,
            },
            vision_config={
                "hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1,
                "image_size": 16, "patch_size": 8,
            },
            mm_tokens_per_image=4, image_token_index=5,
        )
    ).eval()  # fmt: skip
    transformer = LTX2VideoTransformer3DModel(
        in_channels=4, out_channels=4, patch_size=1, patch_size_t=1, num_attention_heads=2, attention_head_dim=8,
        cross_attention_dim=16, audio_in_channels=4, audio_out_channels=4, audio_num_attention_heads=2,
        audio_attention_head_dim=4, audio_cross_attention_dim=8, num_layers=2, qk_norm="rms_norm_across_heads",
        caption_channels=16, rope_double_precision=False, rope_type="split",
    )  # fmt: skip
    connector = {"num_attention_heads": 4, "attention_head_dim": 4, "num_layers": 1, "num_learnable_registers": None}
    connectors = LTX2TextConnectors(
        caption_channels=16, text_proj_in_factor=3, connector_rope_base_seq_len=32, rope_theta=10000.0,
        rope_double_precision=False, causal_temporal_positioning=False, rope_type="split",
        **{f"{kind}_connector_{name}": value for kind in ("video", "audio") for name, value in connector.items()},
    )  # fmt: skip
    vae = AutoencoderKLLTX2Video(
        latent_channels=4, block_out_channels=(8,), decoder_block_out_channels=(8,), layers_per_block=(1,),
        decoder_layers_per_block=(1, 1), spatio_temporal_scaling=(True,), decoder_spatio_temporal_scaling=(True,),
        decoder_inject_noise=(False, False), downsample_type=("spatial",), upsample_residual=(False,),
        upsample_factor=(1,), timestep_conditioning=False, patch_size=1, patch_size_t=1, encoder_causal=True,
        decoder_causal=False,
    )  # fmt: skip
    audio_vae = AutoencoderKLLTX2Audio(
        base_channels=4, output_channels=2, ch_mult=(1,), num_res_blocks=1, attn_resolutions=None, in_channels=2,
        resolution=32, latent_channels=2, norm_type="pixel", causality_axis="height", dropout=0.0,
        mid_block_add_attention=False, sample_rate=16000, mel_hop_length=160, is_causal=True, mel_bins=8,
    )  # fmt: skip
    vocoder = LTX2Vocoder(
        in_channels=16, hidden_channels=32, out_channels=2, upsample_kernel_sizes=[4, 4], upsample_factors=[2, 2],
        resnet_kernel_sizes=[3], resnet_dilations=[[1, 3, 5]], leaky_relu_negative_slope=0.1,
        output_sampling_rate=16000,
    )  # fmt: skip
    return {
        "scheduler": FlowMatchEulerDiscreteScheduler(), "vae": vae, "audio_vae": audio_vae, "tokenizer": tokenizer,
        "text_encoder": text_encoder, "connectors": connectors, "transformer": transformer, "vocoder": vocoder,
    }  # fmt: skip


def ltx2_condition() -> Any:
    from diffusers import LTX2ConditionPipeline

    return LTX2ConditionPipeline(**_ltx2_parts())


def ltx2_image_to_video() -> Any:
    from diffusers import LTX2ImageToVideoPipeline

    return LTX2ImageToVideoPipeline(**_ltx2_parts())


def ltx2_in_context() -> Any:
    from diffusers import LTX2InContextPipeline

    return LTX2InContextPipeline(**_ltx2_parts())


def echo() -> Any:
    from diffusers.modular_pipelines import EchoBlocks

    pipeline = EchoBlocks().init_pipeline()
    pipeline.update_components(**{name: part for name, part in _ltx2_parts().items() if name != "scheduler"})
    return pipeline


BUILDERS: dict[str, Callable[[], Any]] = {
    build.__name__: build
    for build in (
        wan_vace_two_experts,
        wan_image_to_video,
        cogvideox_image_to_video,
        consisid,
        hunyuan_image_to_video,
        hunyuan15_image_to_video,
        ltx_condition,
        ltx_image_to_video,
        ltx2_condition,
        ltx2_image_to_video,
        ltx2_in_context,
        echo,
        minimax_h3,
    )
}
