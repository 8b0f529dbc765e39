"""The embedded detector and prompt encoder: the architectures of the released ones, small.

`models.yolo_world` and `models.clip_prompt` load what is trained here as they load any other weights.
"""

from __future__ import annotations

import math

import torch
from torch import nn
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection, PreTrainedModel
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from opens2v_hf.models.yolo_world.config import YoloWorldConfig
from opens2v_hf.models.yolo_world.network import Contrast, HeadOutput, ImageFeatures, Levels, YoloWorld

PROMPT_DIM = 64
PROMPT_PX = 64
"""Side of a reference picture as the prompt encoder sees it."""

CONFIG = YoloWorldConfig(
    widen_factor=0.125,
    deepen_factor=0.33,
    guide_dim=PROMPT_DIM,
    num_heads=(2, 4, 4),
    head_embed_dims=PROMPT_DIM,
    cls_hidden=48,
    reg_hidden=32,
    image_size=192,
)
"""Frames of the sample, 168 px wide, are a little enlarged in an input of 192 px."""

_PRIOR = 0.02
"""Score of every cell before training. Almost all cells show nothing; from an even chance, learning that alone takes
the first hundred steps."""

_LOGIT_SCALE, _NORM_WEIGHT = 5.0, 0.3
"""Prompts of subjects that differ in one attribute are close, and only a large product of these two can give them
unlike scores. The scale is one number, which learns slowly; the norm's weights grow fast enough from a start at which
no cell is sure of anything."""


class DetectorWithEncoder(nn.Module):
    """The jointly trained networks: detector and prompt encoder."""

    def __init__(self) -> None:
        super().__init__()
        self.detector = build_detector()
        self.encoder: PreTrainedModel = build_prompt_encoder()

    def prompts(self, pixels: torch.Tensor) -> torch.Tensor:
        """L2-normalised prompts [Q, D] of pictures as `build_image_processor` gives them, [Q, 3, side, side]."""
        return self.detector.image_prompt_encoder(self.encoder(pixel_values=pixels).image_embeds)

    def forward(
        self, pictures: torch.Tensor, prompts: torch.Tensor, picture_of_prompt: torch.Tensor
    ) -> tuple[HeadOutput, Levels]:
        """Search each prompt's picture, and compare what is found with all prompts.

        Args:
            pictures: [P, 3, S, S], BGR, 0..1.
            prompts: [Q, D], L2-normalised.
            picture_of_prompt: int64 [Q].

        Returns:
            Logits [Q, Q, H, W]: in row i, neck and head were guided by prompt i; column j is compared with prompt j.
            The diagonal is what detection gives. Bins [Q, 4 * reg_max, H, W]. And what each cell is compared by: its
            feature in the prompts' space, [Q, D, H, W] a level, times the level's scale.
        """
        features: ImageFeatures = self.detector.image_features(pictures)
        levels = self.detector.neck(features.select(picture_of_prompt), prompts[:, None])
        head = self.detector.bbox_head["head_module"]
        # compared with the unit vectors, a feature shows itself
        compared = torch.cat([prompts, torch.eye(prompts.shape[1])])
        output = head(levels, compared[None].expand(len(prompts), -1, -1))
        count = len(prompts)
        contrasts = (module for module in head.modules() if isinstance(module, Contrast))
        cells = [level[:, count:] - contrast.bias for level, contrast in zip(output.logits, contrasts, strict=True)]
        return HeadOutput(Levels(*(level[:, :count] for level in output.logits)), output.bins), Levels(*cells)


def build_detector() -> YoloWorld:
    """The detector with weights drawn from torch's current seed."""
    network = YoloWorld(CONFIG)
    for module in network.modules():
        if not isinstance(module, Contrast):
            continue
        nn.init.constant_(module.logit_scale, math.log(_LOGIT_SCALE))
        nn.init.constant_(module.norm.weight, _NORM_WEIGHT)
        nn.init.constant_(module.bias, math.log(_PRIOR / (1 - _PRIOR)))
    return network


def build_prompt_encoder() -> CLIPVisionModelWithProjection:
    """The prompt encoder with weights drawn from torch's current seed.

    Patches of 16 px and twice the usual spread of the first weights: with smaller ones, or patches of 8 px, so narrow a
    tower still takes all shapes for one after the steps in which this one has learnt them.
    """
    return CLIPVisionModelWithProjection(
        CLIPVisionConfig(
            hidden_size=128,
            intermediate_size=256,
            num_hidden_layers=3,
            num_attention_heads=4,
            image_size=PROMPT_PX,
            patch_size=16,
            projection_dim=PROMPT_DIM,
            initializer_range=0.05,
            initializer_factor=2.0,
        )
    )


def build_image_processor() -> CLIPImageProcessorPil:
    """The processor of the prompt encoder."""
    return CLIPImageProcessorPil(size={"shortest_edge": PROMPT_PX}, crop_size={"height": PROMPT_PX, "width": PROMPT_PX})
