"""The embedded quality scorer's network, tokenizer and preprocessing: a Q-Align of half a million weights.

The vocabulary of its tokenizer is the words of the one prompt of Q-Align.
"""

from __future__ import annotations

import itertools
import json
import math
import re
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import nn
from transformers import CLIPImageProcessorPil, PreTrainedTokenizerFast

from opens2v_hf.models.files import CONFIG_NAME
from opens2v_hf.models.q_align.config import AbstractorConfig, LanguageConfig, QAlignConfig, VisionConfig
from opens2v_hf.models.q_align.network import QAlign
from opens2v_hf.models.q_align.preprocess import FramePreprocessor
from opens2v_hf.models.q_align.prompt import IMAGE_MARK, VIDEO_PROMPT
from opens2v_hf.scores.motion_smoothness import LEVELS

SIDE_PX = 84
SPECIAL_TOKENS = ("<unk>", "<s>", "</s>")

_QUIET = 0.5
"""Keeps filters that hear next to nothing from being turned up without bounds."""


def build_tokenizer() -> PreTrainedTokenizerFast:
    """The tokenizer of words and signs."""
    asked = re.findall(r"\w+|[^\w\s]+", VIDEO_PROMPT.replace(IMAGE_MARK, " "))
    known = dict.fromkeys((*SPECIAL_TOKENS, *asked, *LEVELS))
    vocabulary = {token: index for index, token in enumerate(known)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))  # noqa: S106 - no password
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    unknown, begin, end = SPECIAL_TOKENS
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token=unknown, bos_token=begin, eos_token=end)


def build_image_processor(side_px: int = SIDE_PX) -> CLIPImageProcessorPil:
    """CLIP's processor for pictures of a size."""
    return CLIPImageProcessorPil(size={"shortest_edge": side_px}, crop_size={"height": side_px, "width": side_px})


def build_preprocessor(side_px: int = SIDE_PX) -> FramePreprocessor:
    """The image processor of the network."""
    return FramePreprocessor(build_image_processor(side_px))


def embedded_config(vocab_size: int) -> QAlignConfig:
    """Sizes of the embedded network."""
    return QAlignConfig(
        VisionConfig(
            hidden_size=64, intermediate_size=160, num_hidden_layers=2, num_attention_heads=4, image_size=SIDE_PX
        ),
        AbstractorConfig(
            num_learnable_queries=8, hidden_size=64, num_hidden_layers=2, num_attention_heads=4, intermediate_size=144
        ),
        LanguageConfig(
            vocab_size=vocab_size,
            hidden_size=96,
            intermediate_size=224,
            num_hidden_layers=2,
            num_attention_heads=4,
            rms_norm_eps=1e-5,
        ),
    )


def build_network(config: QAlignConfig) -> QAlign:
    """A network with weights drawn from torch's current seed."""
    network = QAlign(config)
    body = network.model
    # drawn apart, so that tokens, queries and places differ from the beginning
    for parameter, scale in (
        (body.vision_model.embeddings.cls_token, 0.2),
        (body.vision_model.embeddings.position_embedding, 0.2),
        (body.visual_abstractor.query_embeds, 1.0),
        (body.visual_abstractor.vit_eos, 0.2),
        (body.embed_tokens.weight, 0.2),
    ):
        nn.init.normal_(parameter, std=scale)
    return network


@torch.no_grad()
def look_at_frequencies(network: QAlign, pixels: torch.Tensor) -> None:
    """Let the patch filters begin as cosine waves, each as loud as the others on some pictures.

    Pictures are mostly smooth, and what is broken in them mostly is not. From random filters, which see little but the
    smooth part, the network takes hundreds of steps until it begins to learn.

    Args:
        network: its patch filters are written.
        pixels: float32 [F, 3, S, S], of training pictures.
    """
    filters = network.model.vision_model.embeddings.patch_embed
    side, count = filters.weight.shape[-1], len(filters.weight)
    places = (torch.arange(side) + 0.5) * math.pi / side
    waves = torch.cos(torch.arange(side)[:, None] * places)
    colors = torch.tensor([[1.0, 1.0, 1.0], [1.0, 0.0, -1.0], [1.0, -2.0, 1.0]])
    # the smoothest first, and of the others some from everywhere
    order = sorted(itertools.product(range(side), range(side)), key=lambda pair: (pair[0] ** 2 + pair[1] ** 2, pair))
    smooth = order[: count // 4]
    rough = order[count // 4 :: (len(order) - count // 4) // (count - len(smooth)) or 1]
    chosen = [*smooth, *rough][:count]
    for index, (row, column) in enumerate(chosen):
        # colours as well as brightness for every third filter
        color = colors[0 if index % 3 else 1 + index % 2]
        filters.weight[index] = color[:, None, None] * torch.outer(waves[row], waves[column])
    loudness = filters(pixels).transpose(0, 1).flatten(1).std(dim=1)
    filters.weight.div_(loudness[:, None, None, None] + _QUIET)


def save(network: QAlign, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write a folder that `QAlignScorer.from_pretrained` loads; weights in float16."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CONFIG_NAME).write_text(json.dumps(network.config.to_dict(), indent=1) + "\n", encoding="utf-8")
    tokenizer.save_pretrained(folder)
    build_image_processor(network.config.vision.image_size).save_pretrained(folder)
    state = {key: value.to(torch.float16).contiguous() for key, value in network.state_dict().items()}
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
