"""The picture encoder of Q-Align: a vision transformer that returns all its tokens."""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from opens2v_hf.models.q_align.config import VisionConfig


class PatchEmbeddings(nn.Module):
    """Patches, row by row, behind a class token; with learned positions."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        width, eps = config.hidden_size, config.layer_norm_eps
        self.patch_embed = nn.Conv2d(3, width, config.patch_size, stride=config.patch_size, bias=False)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.position_embedding = nn.Parameter(torch.zeros(1, config.num_tokens, width))
        self.pre_layernorm = nn.LayerNorm(width, eps=eps)

    def forward(self, pixels: Tensor) -> Tensor:
        """[F, 3, S, S] -> [F, 1 + (S / patch)^2, D]."""
        patches = self.patch_embed(pixels).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.cls_token.expand(len(pixels), -1, -1), patches], dim=1)
        return self.pre_layernorm(tokens + self.position_embedding)


class FusedSelfAttention(nn.Module):
    """Attention whose query, key and value weights lie head by head in one matrix: [head][q, k, v][channel]."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.num_heads = config.num_attention_heads
        self.query_key_value = nn.Linear(config.hidden_size, 3 * config.hidden_size)
        self.dense = nn.Linear(config.hidden_size, config.hidden_size)

    def forward(self, tokens: Tensor) -> Tensor:
        """[F, N, D] -> [F, N, D]."""
        query, key, value = self.query_key_value(tokens).unflatten(-1, (self.num_heads, 3, -1)).permute(3, 0, 2, 1, 4)
        context = F.scaled_dot_product_attention(query, key, value)
        return self.dense(context.transpose(1, 2).flatten(2))


class QuickGeluMlp(nn.Module):
    """Two layers with x * sigmoid(1.702 x) between them."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.fc1 = nn.Linear(config.hidden_size, config.intermediate_size)
        self.fc2 = nn.Linear(config.intermediate_size, config.hidden_size)

    def forward(self, tokens: Tensor) -> Tensor:
        """[F, N, D] -> [F, N, D]."""
        hidden = self.fc1(tokens)
        return self.fc2(hidden * torch.sigmoid(1.702 * hidden))


class VisionLayer(nn.Module):
    """Attention and MLP, each behind its norm."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.input_layernorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.self_attn = FusedSelfAttention(config)
        self.post_attention_layernorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.mlp = QuickGeluMlp(config)

    def forward(self, tokens: Tensor) -> Tensor:
        """[F, N, D] -> [F, N, D]."""
        tokens = tokens + self.self_attn(self.input_layernorm(tokens))
        return tokens + self.mlp(self.post_attention_layernorm(tokens))


class Layers(nn.Module):
    """A list of layers under the name that the checkpoint has for it."""

    def __init__(self, layers: Iterable[nn.Module]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)


class VisionEncoder(nn.Module):
    """Pictures to tokens, the class token among them.

    Args:
        config: its sizes.
    """

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.embeddings = PatchEmbeddings(config)
        self.encoder = Layers(VisionLayer(config) for _ in range(config.num_hidden_layers))
        self.post_layernorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)

    def forward(self, pixels: Tensor) -> Tensor:
        """Encode pictures.

        Args:
            pixels: [F, 3, S, S], normalised.

        Returns:
            [F, 1 + (S / patch)^2, D], of the last layer, normed.
        """
        tokens = self.embeddings(pixels)
        for layer in self.encoder.layers:
            tokens = layer(tokens)
        return self.post_layernorm(tokens)
