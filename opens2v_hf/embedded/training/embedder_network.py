"""The embedded embedder's network and tokenizer: GME's architecture (Qwen2-VL), small.

`models.gme` computes the same vectors picture by picture; the forward pass here batches pictures of different sizes,
which is fast enough for training on a CPU.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import torch
import torch.nn.functional as F
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from transformers import (
    PreTrainedTokenizerFast,
    Qwen2VLForConditionalGeneration,
    Qwen2VLImageProcessorPil,
)
from transformers.vision_utils import get_vision_position_ids

from opens2v_hf.data.benchmark.sample import PREFIXES
from opens2v_hf.data.synthetic import vocabulary as words
from opens2v_hf.data.synthetic.scenes import caption, draw_scene
from opens2v_hf.embedded.training.small_qwen2vl import SPECIAL_TOKENS, UNKNOWN, as_tokenizer, small_network
from opens2v_hf.models.gme import DEFAULT_INSTRUCTION, RETRIEVAL_INSTRUCTION

MIN_PIXELS = 9 * 28 * 28
MAX_PIXELS = 24 * 28 * 28
"""Pictures are shown to the network between these bounds: a frame of the sample as it is, crops enlarged."""

LABELS = (
    *(shape.capitalize() for shape in words.SHAPES),
    *(gender.capitalize() for gender in words.GENDERS),
    "human",
    "face",
    *(label for _, label in words.BACKGROUNDS.values()),
)
"""Every class label that the sample or a metric's label rules can ask about."""


@dataclass(frozen=True)
class Pictures:
    """Pictures of any sizes, as the Qwen2-VL processor gives them.

    Attributes:
        patches: float32 [all patches, 1176], picture after picture.
        grid: int64 [number of pictures, 3]: frames (1), rows and columns of patches.
    """

    patches: torch.Tensor
    grid: torch.Tensor


def build_tokenizer() -> PreTrainedTokenizerFast:
    """A tokenizer whose tokens are the words that captions, labels and instructions are made of, in lower case."""
    splitter = pre_tokenizers.Whitespace()
    texts: Iterable[str] = chain(
        (caption(draw_scene(seed, category)) for category in PREFIXES for seed in range(400)),
        (*words.COLOURS, *words.SHAPES, *words.TEXTURES, *words.SIZES, *words.GENDERS, *words.HAIR, *LABELS),
        (DEFAULT_INSTRUCTION, RETRIEVAL_INSTRUCTION, "system user assistant"),
    )
    known = sorted({word for text in texts for word, _ in splitter.pre_tokenize_str(text.lower())})
    ids = {token: index for index, token in enumerate((*SPECIAL_TOKENS, *known))}
    tokenizer = Tokenizer(models.WordLevel(ids, unk_token=UNKNOWN))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = splitter
    return as_tokenizer(tokenizer)


def build_network(tokenizer: PreTrainedTokenizerFast) -> Qwen2VLForConditionalGeneration:
    """The network with weights drawn from torch's current seed."""
    return small_network(tokenizer, text_layers=2, vision_layers=3)


def build_image_processor() -> Qwen2VLImageProcessorPil:
    """The processor with the embedded model's pixel bounds."""
    return Qwen2VLImageProcessorPil(min_pixels=MIN_PIXELS, max_pixels=MAX_PIXELS)


def embed_token_rows(
    network: Any, ids: torch.Tensor, mask: torch.Tensor, pictures: Pictures | None = None
) -> torch.Tensor:
    """L2-normalised vectors [N, D] of token rows, padded on the right.

    Args:
        network: `Qwen2VLForConditionalGeneration`.
        ids: int64 [N, L].
        mask: int64 [N, L], 1 for tokens.
        pictures: whose patches are the image tokens, in order.
    """
    model = network.model
    inputs = model.language_model.embed_tokens(ids)
    if pictures is not None:
        where = (ids == network.config.image_token_id)[..., None].expand_as(inputs)
        inputs = inputs.masked_scatter(where, embed_patches(model.visual, pictures).to(inputs.dtype))
    positions = torch.arange(ids.shape[1]).expand(3, ids.shape[0], -1)  # plain ones, also across image tokens
    hidden = model.language_model(
        inputs_embeds=inputs, attention_mask=mask, position_ids=positions, use_cache=False
    ).last_hidden_state
    return F.normalize(hidden[torch.arange(len(ids)), mask.sum(1) - 1].float(), dim=-1)


def embed_patches(visual: Any, pictures: Pictures) -> torch.Tensor:
    """The same as `visual(patches, grid).pooler_output`, with the attention of all pictures in one call.

    Returns:
        [all merged patches, D]
    """
    hidden = F.linear(pictures.patches, visual.patch_embed.proj.weight.flatten(1))
    positions = get_vision_position_ids(pictures.grid, visual.spatial_merge_size)
    cos, sin = (table[:, None] for table in visual.rotary_pos_emb(hidden, positions))
    lengths = pictures.grid.prod(-1).tolist()
    # [number of pictures, longest]: whether there is a patch.
    filled = torch.arange(max(lengths))[None] < torch.tensor(lengths)[:, None]
    for block in visual.blocks:
        attention = block.attn
        packed = attention.qkv(block.norm1(hidden)).unflatten(-1, (3, attention.num_heads, -1))
        query, key, value = (
            _spread(part, filled)
            for part in (_rotate(packed[:, 0], cos, sin), _rotate(packed[:, 1], cos, sin), packed[:, 2])
        )
        mask = None if bool(filled.all()) else filled[:, None, None]
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        hidden = hidden + attention.proj(mixed.transpose(1, 2)[filled].flatten(1))
        hidden = hidden + block.mlp(block.norm2(hidden))
    return visual.merger(hidden)


def _rotate(states: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    first, second = states.float().chunk(2, dim=-1)
    return (states * cos + torch.cat((-second, first), dim=-1) * sin).to(states.dtype)


def _spread(states: torch.Tensor, filled: torch.Tensor) -> torch.Tensor:
    """[all patches, heads, d] -> [pictures, heads, longest, d], zeros where there is no patch."""
    spread = states.new_zeros(*filled.shape, *states.shape[1:])
    spread[filled] = states
    return spread.transpose(1, 2)


def num_image_tokens(grid: torch.Tensor, merge_size: int = 2) -> list[int]:
    """Image tokens of each picture of a grid [N, 3]."""
    return (grid.prod(-1) // merge_size**2).tolist()


def pad_rows(rows: Sequence[Sequence[int]], pad_id: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and mask, int64 [N, L], padded on the right."""
    longest = max(map(len, rows))
    ids = torch.full((len(rows), longest), pad_id)
    mask = torch.zeros_like(ids)
    for index, row in enumerate(rows):
        ids[index, : len(row)] = torch.tensor(row)
        mask[index, : len(row)] = 1
    return ids, mask
