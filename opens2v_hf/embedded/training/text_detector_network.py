"""The embedded text detector: the embedded detector with a text tower in place of the encoder of pictures."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import CLIPTextConfig, CLIPTextModelWithProjection, PreTrainedTokenizerFast

from opens2v_hf.data.synthetic import vocabulary as words
from opens2v_hf.embedded.training.detector_network import PROMPT_DIM, DetectorWithEncoder

_SPECIAL = ("<pad>", "<unk>", "<start>", "<end>")
MAX_TOKENS = 20
"""The longest phrase, "face of a woman with black hair and glasses in a yellow shirt", is 13 words, start and end."""


def build_tokenizer() -> PreTrainedTokenizerFast:
    """A token a word; it knows the words of captions' phrases and no others."""
    known = [*words.COLOURS, *words.SHAPES, *words.TEXTURES, *words.GENDERS, *words.HAIR]
    known += ["face", "of", "a", "an", "with", "hair", "and", "glasses", "in", "shirt"]
    known += [word for name in words.BACKGROUNDS for word in name.split()]
    ids = {word: index for index, word in enumerate([*_SPECIAL, *dict.fromkeys(known)])}
    tokenizer = Tokenizer(models.WordLevel(ids, unk_token=_SPECIAL[1]))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<start> $A <end>", special_tokens=[("<start>", ids["<start>"]), ("<end>", ids["<end>"])]
    )
    roles = dict(zip(("pad_token", "unk_token", "bos_token", "eos_token"), _SPECIAL, strict=True))
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, model_input_names=["input_ids", "attention_mask"], **roles
    )


def build_text_tower(tokenizer: PreTrainedTokenizerFast) -> CLIPTextModelWithProjection:
    """The text tower with weights drawn from torch's current seed."""
    return CLIPTextModelWithProjection(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=96,
            intermediate_size=192,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=MAX_TOKENS,
            projection_dim=PROMPT_DIM,
            initializer_factor=4.0,
            pad_token_id=tokenizer.pad_token_id,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
        )
    )


class DetectorWithText(DetectorWithEncoder):
    """The jointly trained networks: detector and text tower. References are token ids."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        super().__init__()
        self.encoder = build_text_tower(tokenizer)
        self.pad_id = tokenizer.pad_token_id

    def prompts(self, token_ids: torch.Tensor) -> torch.Tensor:
        """L2-normalised prompts [Q, D] of phrases int64 [Q, L], padded at their ends."""
        embeds = self.encoder(input_ids=token_ids, attention_mask=(token_ids != self.pad_id).long()).text_embeds
        return F.normalize(embeds, dim=-1)
