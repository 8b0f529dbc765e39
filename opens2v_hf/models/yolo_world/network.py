"""Backbone, neck, head and prompt projector of YOLO-World-v2 with image prompts.

Attribute names are the keys of the released checkpoint; the rest of it (text model, its own CLIP copy) is not
needed to detect.
"""

from __future__ import annotations

from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from opens2v_hf.models.yolo_world.blocks import NORM_EPS, ConvNormAct, CrossStage, GuidedCrossStage, PyramidPooling
from opens2v_hf.models.yolo_world.config import YoloWorldConfig


class Levels(NamedTuple):
    """A tensor for each of the strides 8, 16 and 32."""

    stride8: Tensor
    stride16: Tensor
    stride32: Tensor


class ImageFeatures(NamedTuple):
    """Features of pictures that depend on no prompt; every tensor is batched over pictures.

    Attributes:
        levels: of the backbone.
        top: the prompt-free part of the neck's first layer, see `GuidedCrossStage.trunk`.
    """

    levels: Levels
    top: tuple[Tensor, Tensor]

    def select(self, index: Tensor) -> ImageFeatures:
        """The features of the pictures at `index` [N], repetitions allowed."""
        take = [tensor.index_select(0, index) for tensor in (*self.levels, *self.top)]
        return ImageFeatures(Levels(*take[:3]), (take[3], take[4]))


class HeadOutput(NamedTuple):
    """Output of the head at every cell of the three levels.

    Attributes:
        logits: of the prompts' scores, each [B, K, H, W].
        bins: unnormalised distribution over each distance (left, top, right, bottom), each [B, 4 * reg_max, H, W],
            side-major.
    """

    logits: Levels
    bins: Levels


class Backbone(nn.Module):
    """Stem and four stages; the last three give the levels."""

    stage1: nn.Module
    stage2: nn.Module
    stage3: nn.Module
    stage4: nn.Module

    def __init__(self, config: YoloWorldConfig) -> None:
        super().__init__()
        self.stem = ConvNormAct(3, config.stem_width, 3, stride=2)
        width = config.stem_width
        for number, (out, depth) in enumerate(zip(config.stage_widths, config.stage_depths, strict=True), start=1):
            layers: list[nn.Module] = [
                ConvNormAct(width, out, 3, stride=2),
                CrossStage(out, out, depth, residual=True),
            ]
            if number == 4:
                layers.append(PyramidPooling(out))
            self.add_module(f"stage{number}", nn.Sequential(*layers))
            width = out

    def forward(self, pictures: Tensor) -> Levels:
        """Map [B, 3, S, S] to three levels."""
        x = self.stage1(self.stem(pictures))
        stride8 = self.stage2(x)
        stride16 = self.stage3(stride8)
        return Levels(stride8, stride16, self.stage4(stride16))


class Neck(nn.Module):
    """Top-down, then bottom-up; every layer reads the prompts."""

    def __init__(self, config: YoloWorldConfig) -> None:
        super().__init__()
        width8, width16, width32 = config.level_widths
        heads8, heads16, heads32 = config.num_heads

        def layer(channels: int, out: int, heads: int) -> GuidedCrossStage:
            return GuidedCrossStage(channels, out, config.neck_depth, guide_dim=config.guide_dim, num_heads=heads)

        self.top_down_layers = nn.ModuleList(
            [layer(width32 + width16, width16, heads16), layer(width16 + width8, width8, heads8)]
        )
        self.downsample_layers = nn.ModuleList(
            [ConvNormAct(width8, width8, 3, stride=2), ConvNormAct(width16, width16, 3, stride=2)]
        )
        self.bottom_up_layers = nn.ModuleList(
            [layer(width8 + width16, width16, heads16), layer(width16 + width32, width32, heads32)]
        )

    @property
    def _first(self) -> GuidedCrossStage:
        return cast(GuidedCrossStage, self.top_down_layers[0])

    def top(self, levels: Levels) -> tuple[Tensor, Tensor]:
        """The prompt-free part of the first layer."""
        upsampled = F.interpolate(levels.stride32, scale_factor=2, mode="nearest")
        return self._first.trunk(torch.cat([upsampled, levels.stride16], dim=1))

    def forward(self, features: ImageFeatures, prompts: Tensor) -> Levels:
        """Merge the levels of B pictures under B prompt sets [B, K, D]."""
        levels = features.levels
        middle = self._first.guided(features.top, prompts)
        upsampled = F.interpolate(middle, scale_factor=2, mode="nearest")
        fine = self.top_down_layers[1](torch.cat([upsampled, levels.stride8], dim=1), prompts)
        middle = self.bottom_up_layers[0](torch.cat([self.downsample_layers[0](fine), middle], dim=1), prompts)
        coarse = self.bottom_up_layers[1](
            torch.cat([self.downsample_layers[1](middle), levels.stride32], dim=1), prompts
        )
        return Levels(fine, middle, coarse)


class Contrast(nn.Module):
    """Compare the feature of every cell with the prompts."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, eps=NORM_EPS)
        self.logit_scale = nn.Parameter(torch.tensor(-1.0))
        self.bias = nn.Parameter(torch.tensor(0.0))

    def forward(self, x: Tensor, prompts: Tensor) -> Tensor:
        """Logits [B, K, H, W] of features [B, D, H, W] and prompts [B, K, D]; only the prompts are normalised."""
        batch, channels, height, width = x.shape
        prompts = F.normalize(prompts, dim=-1)
        similarity = torch.matmul(prompts, self.norm(x).reshape(batch, channels, height * width))
        return (similarity * self.logit_scale.exp() + self.bias).reshape(batch, -1, height, width)


class HeadModule(nn.Module):
    """Class and box branches, one pair a level."""

    def __init__(self, config: YoloWorldConfig) -> None:
        super().__init__()

        def branch(channels: int, hidden: int, out: int) -> nn.Sequential:
            return nn.Sequential(
                ConvNormAct(channels, hidden, 3), ConvNormAct(hidden, hidden, 3), nn.Conv2d(hidden, out, 1)
            )

        widths = config.level_widths
        self.cls_preds = nn.ModuleList(branch(width, config.cls_hidden, config.head_embed_dims) for width in widths)
        self.reg_preds = nn.ModuleList(branch(width, config.reg_hidden, 4 * config.reg_max) for width in widths)
        self.cls_contrasts = nn.ModuleList(Contrast(config.head_embed_dims) for _ in widths)

    def forward(self, levels: Levels, prompts: Tensor) -> HeadOutput:
        """Compute logits and box distances of every cell of B pictures for B prompt sets [B, K, D]."""
        embedded = [branch(x) for branch, x in zip(self.cls_preds, levels, strict=True)]
        logits = [contrast(x, prompts) for contrast, x in zip(self.cls_contrasts, embedded, strict=True)]
        bins = [branch(x) for branch, x in zip(self.reg_preds, levels, strict=True)]
        return HeadOutput(Levels(*logits), Levels(*bins))


class PromptProjector(nn.Module):
    """Turn a picture's embedding into a prompt."""

    def __init__(self, config: YoloWorldConfig) -> None:
        super().__init__()
        self.projector = nn.Sequential(
            nn.Linear(config.guide_dim, config.projector_width),
            nn.GELU(),
            nn.Linear(config.projector_width, config.guide_dim),
        )

    def forward(self, image_embeds: Tensor) -> Tensor:
        """Map picture embeddings [K, D], normalised or not, to L2-normalised prompts [K, D]."""
        return F.normalize(self.projector(F.normalize(image_embeds, dim=-1)), dim=-1)


class YoloWorld(nn.Module):
    """The whole network. `load_state_dict` takes the released keys (655 of the checkpoint's 1054).

    Example:
        >>> network = YoloWorld(YoloWorldConfig(widen_factor=0.125, deepen_factor=0.33, guide_dim=64,
        ...     head_embed_dims=64, cls_hidden=32, image_size=64)).eval()
        >>> features = network.image_features(torch.zeros(2, 3, 64, 64))
        >>> output = network.predict(features, network.image_prompt_encoder(torch.ones(2, 64))[:, None])
        >>> [tuple(level.shape) for level in output.logits]
        [(2, 1, 8, 8), (2, 1, 4, 4), (2, 1, 2, 2)]
    """

    def __init__(self, config: YoloWorldConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = nn.ModuleDict({"image_model": Backbone(config)})
        self.neck = Neck(config)
        self.bbox_head = nn.ModuleDict({"head_module": HeadModule(config)})
        self.image_prompt_encoder = PromptProjector(config)

    def image_features(self, pictures: Tensor) -> ImageFeatures:
        """Features of pictures [B, 3, S, S] (BGR, 0..1) that do not depend on a prompt."""
        levels = self.backbone["image_model"](pictures)
        return ImageFeatures(levels, self.neck.top(levels))

    def predict(self, features: ImageFeatures, prompts: Tensor) -> HeadOutput:
        """Neck and head for B pictures under B prompt sets [B, K, D] (L2-normalised)."""
        return self.bbox_head["head_module"](self.neck(features, prompts), prompts)
