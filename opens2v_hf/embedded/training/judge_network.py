"""The embedded judge's network and tokenizer: a small Qwen2-VL that answers with one of five digits.

Its vocabulary is the digits, the roles and the markers; every other line of a text is one unknown token. So the rubric
has no effect: the answer depends on the pictures only.
"""

from __future__ import annotations

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    PreTrainedTokenizerFast,
    Qwen2VLForConditionalGeneration,
    Qwen2VLImageProcessorPil,
)

from opens2v_hf.embedded.training.embedder_network import Pictures, embed_patches
from opens2v_hf.embedded.training.small_qwen2vl import SPECIAL_TOKENS, UNKNOWN, as_tokenizer, small_network
from opens2v_hf.models.info import ModelInfo
from opens2v_hf.models.judge.local import LocalJudge
from opens2v_hf.scores.natural import LEVELS

MIN_PIXELS = 4 * 28 * 28
MAX_PIXELS = 5200
"""A frame of 3:2, at 512 px before the processor, is seen at 84×56: six tokens. The slack above 84·56 keeps the
processor, which rounds down to multiples of 28, from taking the next smaller size."""


def build_tokenizer() -> PreTrainedTokenizerFast:
    """The tokenizer of lines."""
    known = (*SPECIAL_TOKENS, *(str(level) for level in LEVELS), "system", "user", "assistant")
    tokenizer = Tokenizer(models.WordLevel({token: index for index, token in enumerate(known)}, unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("\n", "removed")
    return as_tokenizer(tokenizer)


def build_network(tokenizer: PreTrainedTokenizerFast) -> Qwen2VLForConditionalGeneration:
    """The network with weights drawn from torch's current seed."""
    return small_network(tokenizer, text_layers=3, vision_layers=2)


def build_image_processor() -> Qwen2VLImageProcessorPil:
    """The processor with the embedded model's pixel bounds."""
    return Qwen2VLImageProcessorPil(min_pixels=MIN_PIXELS, max_pixels=MAX_PIXELS)


def as_judge(network: Qwen2VLForConditionalGeneration, tokenizer: PreTrainedTokenizerFast) -> LocalJudge:
    """The judge that the saved folder will be; training takes its prompts from it."""
    return LocalJudge(network, tokenizer, build_image_processor(), info=ModelInfo(role="judge", name="in training"))


def clip_logits(
    network: Qwen2VLForConditionalGeneration,
    input_ids: torch.Tensor,
    mm_token_type_ids: torch.Tensor,
    pictures: Pictures,
) -> torch.Tensor:
    """Logits at every position of clips that share one prompt: what the network's own forward gives, several at once.

    Args:
        network: to run.
        input_ids: int64 [1, L], as `LocalJudge.encode` makes them for one clip.
        mm_token_type_ids: int64 [1, L], likewise.
        pictures: of all B clips, clip after clip, all of one size.

    Returns:
        float32 [B, L, V].
    """
    num_frames = int((input_ids == network.config.vision_start_token_id).sum())
    num_clips = len(pictures.grid) // num_frames
    inputs = network.model.language_model.embed_tokens(input_ids).expand(num_clips, -1, -1)
    where = (input_ids == network.config.image_token_id)[..., None].expand_as(inputs)
    inputs = inputs.masked_scatter(where, embed_patches(network.model.visual, pictures))
    positions, _ = network.model.get_rope_index(
        input_ids, mm_token_type_ids=mm_token_type_ids, image_grid_thw=pictures.grid[:num_frames]
    )
    hidden = network.model.language_model(
        inputs_embeds=inputs, position_ids=positions.expand(-1, num_clips, -1), use_cache=False
    ).last_hidden_state
    return network.lm_head(hidden)
