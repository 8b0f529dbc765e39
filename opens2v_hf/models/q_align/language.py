"""The language model of Q-Align: a LLaMA with norms, keys and values of their own for pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from opens2v_hf.models.q_align.config import LanguageConfig


@dataclass(frozen=True)
class Layout:
    """Positions of the pictures in a sequence: one run of their tokens, with text on both sides.

    Attributes:
        before: tokens of text in front of the pictures.
        pictures: tokens of all pictures.
        after: tokens of text behind them.
    """

    before: int
    pictures: int
    after: int

    @property
    def length(self) -> int:
        """Tokens in all."""
        return self.before + self.pictures + self.after

    @property
    def last(self) -> Layout:
        """Layout of the last token alone."""
        return Layout(0, 0, 1) if self.after else Layout(0, 1, 0)

    def indicator(self) -> Tensor:
        """int64 [L]: 1 for tokens of pictures, 0 for text."""
        return torch.tensor([0] * self.before + [1] * self.pictures + [0] * self.after)


class KeysValues(NamedTuple):
    """Keys and values of the tokens of a sequence in one layer.

    Attributes:
        keys: [B, heads, L, D], rotated.
        values: [B, heads, L, D].
    """

    keys: Tensor
    values: Tensor


class Multiway(nn.Module):
    """One module for text and another of its kind for pictures.

    Args:
        make: makes such a module.
    """

    def __init__(self, make: Callable[[], nn.Module]) -> None:
        super().__init__()
        self.multiway = nn.ModuleList([make(), make()])

    def forward(self, tokens: Tensor, layout: Layout) -> Tensor:
        """[B, L, H] -> [B, L, ...]; each token passes the module of its kind only."""
        text, picture = self.multiway
        before, pictures, after = tokens.split([layout.before, layout.pictures, layout.after], dim=1)
        return torch.cat([text(before), picture(pictures), text(after)], dim=1)


class RmsNorm(nn.Module):
    """Scales tokens to a mean square of one, in float32, and then by channel."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, tokens: Tensor) -> Tensor:
        """[..., H] -> [..., H]."""
        exact = tokens.float()
        scaled = exact * torch.rsqrt(exact.square().mean(-1, keepdim=True) + self.eps)
        return self.weight * scaled.to(tokens.dtype)


class Rotation:
    """Rotary positions; channel i turns together with channel i + D / 2 of its head.

    Args:
        positions: the range of L positions of the tokens.
        head_dim: D.
        theta: base of the frequencies.
        like: gives device and dtype.
    """

    def __init__(self, positions: range, head_dim: int, theta: float, like: Tensor) -> None:
        exponents = torch.arange(0, head_dim, 2, device=like.device, dtype=torch.float32) / head_dim
        steps = torch.arange(positions.start, positions.stop, device=like.device, dtype=torch.float32)
        angles = torch.outer(steps, 1.0 / theta**exponents)
        angles = torch.cat([angles, angles], dim=-1)
        self.cos, self.sin = angles.cos().to(like.dtype), angles.sin().to(like.dtype)

    def __call__(self, heads: Tensor) -> Tensor:
        """[B, heads, L, D] -> [B, heads, L, D]; fewer tokens than positions are the last ones."""
        first, second = heads.chunk(2, dim=-1)
        length = heads.shape[-2]
        return heads * self.cos[-length:] + torch.cat([-second, first], dim=-1) * self.sin[-length:]


class CausalSelfAttention(nn.Module):
    """Every token attends to itself and to those before it, pictures included."""

    def __init__(self, config: LanguageConfig) -> None:
        super().__init__()
        width = config.hidden_size
        self.num_heads = config.num_attention_heads

        def projection() -> nn.Linear:
            return nn.Linear(width, width, bias=False)

        self.q_proj = projection()
        self.k_proj = Multiway(projection)
        self.v_proj = Multiway(projection)
        self.o_proj = projection()

    def forward(
        self,
        tokens: Tensor,
        layout: Layout,
        rotation: Rotation,
        *,
        prefix: KeysValues | None = None,
        last_only: bool = False,
    ) -> Tensor:
        """[B, L, H] -> [B, L, H], or [B, 1, H] of the last token; `prefix` precedes the tokens of all sequences."""
        query = rotation(self._heads(self.q_proj(tokens[:, -1:] if last_only else tokens)))
        keys, values = self.keys_values(tokens, layout, rotation)
        if prefix is not None:
            keys, values = (
                torch.cat([shared.expand(len(tokens), -1, -1, -1), own], dim=2)
                for shared, own in ((prefix.keys, keys), (prefix.values, values))
            )
        mask = None
        if prefix is not None and not last_only:
            # the queries are those of the last of the keys' tokens, and `is_causal` takes them for the first
            length, total = query.shape[2], keys.shape[2]
            mask = torch.ones(length, total, dtype=torch.bool, device=query.device).tril(total - length)
        context = F.scaled_dot_product_attention(
            query, keys, values, attn_mask=mask, is_causal=prefix is None and not last_only
        )
        return self.o_proj(context.transpose(1, 2).flatten(2))

    def keys_values(self, tokens: Tensor, layout: Layout, rotation: Rotation) -> KeysValues:
        """Keys and values of normed tokens [B, L, H]."""
        keys, values = (self._heads(projection(tokens, layout)) for projection in (self.k_proj, self.v_proj))
        return KeysValues(rotation(keys), values)

    def _heads(self, projected: Tensor) -> Tensor:
        return projected.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)


class SwiGluMlp(nn.Module):
    """Gated by SiLU."""

    def __init__(self, config: LanguageConfig) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=False)
        self.up_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=False)
        self.down_proj = nn.Linear(config.intermediate_size, config.hidden_size, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """[B, L, H] -> [B, L, H]."""
        return self.down_proj(F.silu(self.gate_proj(tokens)) * self.up_proj(tokens))


class DecoderLayer(nn.Module):
    """Attention and MLP, each behind a norm of the token's kind."""

    def __init__(self, config: LanguageConfig) -> None:
        super().__init__()

        def norm() -> RmsNorm:
            return RmsNorm(config.hidden_size, config.rms_norm_eps)

        self.input_layernorm = Multiway(norm)
        self.self_attn = CausalSelfAttention(config)
        self.post_attention_layernorm = Multiway(norm)
        self.mlp = SwiGluMlp(config)

    def forward(
        self,
        tokens: Tensor,
        layout: Layout,
        rotation: Rotation,
        *,
        prefix: KeysValues | None = None,
        last_only: bool = False,
    ) -> Tensor:
        """See `CausalSelfAttention.forward`."""
        context = self.self_attn(
            self.input_layernorm(tokens, layout), layout, rotation, prefix=prefix, last_only=last_only
        )
        if last_only:
            tokens, layout = tokens[:, -1:], layout.last
        tokens = tokens + context
        return tokens + self.mlp(self.post_attention_layernorm(tokens, layout))

    def keys_values(self, tokens: Tensor, layout: Layout, rotation: Rotation) -> KeysValues:
        """Keys and values of tokens [B, L, H] that enter this layer."""
        return self.self_attn.keys_values(self.input_layernorm(tokens, layout), layout, rotation)
