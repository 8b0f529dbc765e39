"""The abstractor of Q-Align: learned queries that read a picture's tokens and replace them."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from opens2v_hf.models.q_align.config import QAlignConfig
from opens2v_hf.models.q_align.vision import Layers

_NORM_EPS = 1e-5
"""Epsilon of the norms around the attention; the configuration's own value holds for the norm inside the MLP only."""


def line_positions(positions: Tensor, width: int) -> Tensor:
    """Sines, then cosines, of positions on a line at width / 2 frequencies from 1 down to nearly 1 / 10000.

    Args:
        positions: [N].
        width: even.

    Returns:
        float32 [N, width].
    """
    frequencies = 10000.0 ** -(torch.arange(width // 2, dtype=torch.float64) / (width / 2))
    angles = positions.double()[:, None] * frequencies
    return torch.cat([angles.sin(), angles.cos()], dim=1).float()


def grid_positions(side: int, width: int) -> Tensor:
    """Positions of a class token (zeros) and of the cells of a square grid, row by row.

    Args:
        side: cells along a side.
        width: a multiple of 4; the first half encodes the column, the second the row.

    Returns:
        float32 [1 + side * side, width].
    """
    line = line_positions(torch.arange(side), width // 2)
    columns, rows = line.repeat(side, 1), line.repeat_interleave(side, dim=0)
    return torch.cat([torch.zeros(1, width), torch.cat([columns, rows], dim=1)])


class QueryAttention(nn.Module):
    """Attention of the queries on themselves and on a picture's tokens.

    Positions are added to what queries and keys are made from, and not to what values are made from.
    """

    q_pos_embed: Tensor
    k_pos_embed: Tensor

    def __init__(self, config: QAlignConfig) -> None:
        super().__init__()
        width = config.abstractor.hidden_size
        self.num_heads = config.abstractor.num_attention_heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        queries = torch.arange(config.abstractor.num_learnable_queries)
        self.register_buffer("q_pos_embed", line_positions(queries, width))
        self.register_buffer("k_pos_embed", grid_positions(config.vision.grid_size, width))

    def forward(self, queries: Tensor, picture: Tensor) -> Tensor:
        """[F, Q, D] queries and [F, N, D] tokens of pictures, both normed -> [F, Q, D]."""
        sources = torch.cat([queries, picture], dim=1)
        positions = torch.cat([self.q_pos_embed, self.k_pos_embed])
        query, key, value = (
            projected.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)
            for projected in (
                self.query(queries + self.q_pos_embed),
                self.key(sources + positions),
                self.value(sources),
            )
        )
        return F.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)


class GatedMlp(nn.Module):
    """Gated by SiLU, with a norm before the last layer."""

    def __init__(self, config: QAlignConfig) -> None:
        super().__init__()
        width, hidden = config.abstractor.hidden_size, config.abstractor.intermediate_size
        self.w1 = nn.Linear(width, hidden)
        self.w2 = nn.Linear(hidden, width)
        self.w3 = nn.Linear(width, hidden)
        self.ffn_ln = nn.LayerNorm(hidden, eps=config.abstractor.layer_norm_eps)

    def forward(self, tokens: Tensor) -> Tensor:
        """[F, Q, D] -> [F, Q, D]."""
        return self.w2(self.ffn_ln(F.silu(self.w1(tokens)) * self.w3(tokens)))


class AttentionOutput(nn.Module):
    """Projection of the attention, and the MLP behind a norm, each with a residual connection."""

    def __init__(self, config: QAlignConfig) -> None:
        super().__init__()
        width = config.abstractor.hidden_size
        self.out_proj = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width, eps=_NORM_EPS)
        self.mlp = GatedMlp(config)

    def forward(self, residual: Tensor, context: Tensor) -> Tensor:
        """Two of [F, Q, D] -> [F, Q, D]."""
        tokens = residual + self.out_proj(context)
        return tokens + self.mlp(self.norm2(tokens))


class CrossAttention(nn.Module):
    """One layer. The residual connection is from the normed queries, not from the queries."""

    def __init__(self, config: QAlignConfig) -> None:
        super().__init__()
        width = config.abstractor.hidden_size
        self.norm1 = nn.LayerNorm(width, eps=_NORM_EPS)
        self.normk = nn.LayerNorm(width, eps=_NORM_EPS)
        self.attention = QueryAttention(config)
        self.output = AttentionOutput(config)

    def forward(self, queries: Tensor, picture: Tensor) -> Tensor:
        """[F, Q, D] queries and [F, N, D] tokens of pictures -> [F, Q, D]."""
        normed = self.norm1(queries)
        return self.output(normed, self.attention(normed, self.normk(picture)))


class AbstractorLayer(nn.Module):
    """A layer under the name that the checkpoint has for it."""

    def __init__(self, config: QAlignConfig) -> None:
        super().__init__()
        self.crossattention = CrossAttention(config)

    def forward(self, queries: Tensor, picture: Tensor) -> Tensor:
        """As `CrossAttention`."""
        return self.crossattention(queries, picture)


class VisualAbstractor(nn.Module):
    """A picture's tokens to a few tokens of the language model.

    Args:
        config: sizes of the whole network.
    """

    def __init__(self, config: QAlignConfig) -> None:
        super().__init__()
        width = config.abstractor.hidden_size
        self.query_embeds = nn.Parameter(torch.zeros(1, config.abstractor.num_learnable_queries, width))
        self.encoder = Layers(AbstractorLayer(config) for _ in range(config.abstractor.num_hidden_layers))
        self.visual_fc = nn.Linear(width, config.language.hidden_size)
        self.vit_eos = nn.Parameter(torch.zeros(1, 1, config.language.hidden_size))

    def forward(self, picture: Tensor) -> Tensor:
        """Reduce pictures.

        Args:
            picture: [F, N, D], as the picture encoder gives it; every layer reads it.

        Returns:
            [F, Q + 1, H], the token that ends a frame last.
        """
        queries = self.query_embeds.expand(len(picture), -1, -1)
        for layer in self.encoder.layers:
            queries = layer(queries, picture)
        return torch.cat([self.visual_fc(queries), self.vit_eos.expand(len(picture), -1, -1)], dim=1)
