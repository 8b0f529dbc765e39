"""The convolutional blocks of backbone, neck and head.

Attribute names are the keys of the released checkpoint.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

NORM_EPS = 1e-3


class ConvNormAct(nn.Module):
    """Convolution without bias, batch norm, and SiLU by default."""

    def __init__(
        self, channels: int, out_channels: int, kernel: int, *, stride: int = 1, activate: bool = True
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, out_channels, kernel, stride, kernel // 2, bias=False)
        self.bn = nn.BatchNorm2d(out_channels, eps=NORM_EPS)
        self.activate = activate

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, C, H, W] to [B, C', H / stride, W / stride]."""
        x = self.bn(self.conv(x))
        return F.silu(x, inplace=not self.training) if self.activate else x


class Bottleneck(nn.Module):
    """Two 3x3 convolutions of one width, with or without a residual."""

    def __init__(self, channels: int, *, residual: bool) -> None:
        super().__init__()
        self.conv1 = ConvNormAct(channels, channels, 3)
        self.conv2 = ConvNormAct(channels, channels, 3)
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, C, H, W] to the same shape."""
        out = self.conv2(self.conv1(x))
        return x + out if self.residual else out


class CrossStage(nn.Module):
    """Split in two, a chain of bottlenecks on the second half, a 1x1 convolution over all that came about ("C2f")."""

    def __init__(self, channels: int, out_channels: int, depth: int, *, residual: bool, extra: int = 0) -> None:
        super().__init__()
        width = out_channels // 2
        self.main_conv = ConvNormAct(channels, 2 * width, 1)
        self.blocks = nn.ModuleList(Bottleneck(width, residual=residual) for _ in range(depth))
        self.final_conv = ConvNormAct((2 + depth + extra) * width, out_channels, 1)

    def parts(self, x: Tensor) -> list[Tensor]:
        """The two halves and every bottleneck's output, each [B, C' / 2, H, W]."""
        found = list(self.main_conv(x).chunk(2, dim=1))
        for block in self.blocks:
            found.append(block(found[-1]))
        return found

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, C, H, W] to [B, C', H, W]."""
        return self.final_conv(torch.cat(self.parts(x), dim=1))


class PyramidPooling(nn.Module):
    """Max-pooling over windows of 5, 9 and 13 cells, made as a chain of 5-cell poolings ("SPPF")."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = ConvNormAct(channels, channels // 2, 1)
        self.conv2 = ConvNormAct(channels * 2, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, C, H, W] to the same shape."""
        pooled = [self.conv1(x)]
        for _ in range(3):
            pooled.append(F.max_pool2d(pooled[-1], kernel_size=5, stride=1, padding=2))
        return self.conv2(torch.cat(pooled, dim=1))


class PromptAttention(nn.Module):
    """Weigh each head's channels at each cell by the cell's best match with the prompts ("max-sigmoid attention")."""

    def __init__(self, channels: int, guide_dim: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.guide_fc = nn.Linear(guide_dim, channels)
        self.bias = nn.Parameter(torch.zeros(num_heads))
        self.project_conv = ConvNormAct(channels, channels, 3, activate=False)

    def weights(self, x: Tensor, prompts: Tensor) -> Tensor:
        """Attention of B prompt sets over B feature maps.

        Args:
            x: [B, C, H, W].
            prompts: [B, K, D]; the maximum over K mixes the prompts of a set.

        Returns:
            [B, heads, H, W] in (0, 1).
        """
        batch, channels, height, width = x.shape
        size = channels // self.num_heads
        guide = self.guide_fc(prompts).reshape(batch, -1, self.num_heads, size).transpose(1, 2)  # [B, heads, K, size]
        cells = x.reshape(batch, self.num_heads, size, height * width)
        match = torch.matmul(guide, cells).amax(dim=2) / size**0.5
        return torch.sigmoid(match + self.bias[:, None]).reshape(batch, self.num_heads, height, width)

    def apply_weights(self, projected: Tensor, weights: Tensor) -> Tensor:
        """Multiply `project_conv`'s output [B, C, H, W] with [B, heads, H, W], head by head."""
        batch, channels, height, width = projected.shape
        heads = projected.reshape(batch, self.num_heads, channels // self.num_heads, height, width)
        return (heads * weights[:, :, None]).reshape(batch, channels, height, width)


class GuidedCrossStage(CrossStage):
    """A `CrossStage` without residuals that also concatenates its last part, attended by the prompts.

    The part that does not depend on the prompts (`trunk`) and the part that does (`guided`) are apart, so that the
    first is computed once where one picture is searched for several prompts.
    """

    def __init__(self, channels: int, out_channels: int, depth: int, *, guide_dim: int, num_heads: int) -> None:
        super().__init__(channels, out_channels, depth, residual=False, extra=1)
        self.attn_block = PromptAttention(out_channels // 2, guide_dim, num_heads)

    def trunk(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """All parts concatenated [B, (2 + depth) C' / 2, H, W], and the last one projected [B, C' / 2, H, W]."""
        parts = self.parts(x)
        return torch.cat(parts, dim=1), self.attn_block.project_conv(parts[-1])

    def guided(self, trunk: tuple[Tensor, Tensor], prompts: Tensor) -> Tensor:
        """Finish from `trunk`'s output and prompts [B, K, D]: [B, C', H, W]."""
        parts, projected = trunk
        weights = self.attn_block.weights(parts[:, -projected.shape[1] :], prompts)
        return self.final_conv(torch.cat([parts, self.attn_block.apply_weights(projected, weights)], dim=1))

    def forward(self, x: Tensor, prompts: Tensor) -> Tensor:  # type: ignore[override]
        """Map [B, C, H, W] and prompts [B, K, D] to [B, C', H, W]."""
        return self.guided(self.trunk(x), prompts)
