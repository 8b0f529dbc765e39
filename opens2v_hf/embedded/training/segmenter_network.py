"""The embedded segmenter: a SAM 2 of 0.3 million weights.

`models.segmenter` loads what is trained here as it loads any other SAM 2.
"""

from __future__ import annotations

from transformers import (
    Sam2Config,
    Sam2HieraDetConfig,
    Sam2MaskDecoderConfig,
    Sam2Model,
    Sam2PromptEncoderConfig,
    Sam2VisionConfig,
)

_WIDTH = 64


def build_segmenter(image_size: int) -> Sam2Model:
    """The network with weights drawn from torch's current seed.

    Its weights do not depend on the size of its pictures: those learnt at one fit the network of another.

    Args:
        image_size: side in pixels of a picture as the network sees it, a multiple of 32; masks are a quarter of it.
    """
    backbone = Sam2HieraDetConfig(
        image_size=[image_size, image_size],
        hidden_size=16,
        num_attention_heads=1,
        blocks_per_stage=[1, 1, 2, 1],
        embed_dim_per_stage=[16, 32, 48, 64],
        num_attention_heads_per_stage=[1, 1, 2, 2],
        window_size_per_stage=[8, 4, 7, 7],
        global_attention_blocks=[3],
        window_positional_embedding_background_size=[7, 7],
    )
    return Sam2Model(
        Sam2Config(
            vision_config=Sam2VisionConfig(
                backbone_config=backbone,
                backbone_channel_list=[64, 48, 32, 16],
                backbone_feature_sizes=[[image_size // stride] * 2 for stride in (4, 8, 16)],
                fpn_hidden_size=_WIDTH,
            ),
            prompt_encoder_config=Sam2PromptEncoderConfig(
                hidden_size=_WIDTH, image_size=image_size, patch_size=16, mask_input_channels=8
            ),
            mask_decoder_config=Sam2MaskDecoderConfig(
                hidden_size=_WIDTH,
                mlp_dim=128,
                num_hidden_layers=2,
                num_attention_heads=4,
                iou_head_hidden_dim=_WIDTH,
                # the masks that it would choose from for points are not trained
                dynamic_multimask_via_stability=False,
            ),
        )
    )
