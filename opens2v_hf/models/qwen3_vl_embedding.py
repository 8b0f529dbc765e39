"""Qwen3-VL-Embedding: texts and pictures as vectors of one space, as its makers' published code computes them.

Facts of that code (QwenLM/Qwen3-VL-Embedding, January 2026) that decide numbers here: a picture is resized once, to
multiples of 32 px within 4 * 32^2 to 1800 * 32^2 pixels, by PIL's default filter, and not by the processor; the
instruction is the system turn and gets a full stop where it ends in no punctuation; nothing follows the
opening of the assistant's turn but what the tokenizer adds; the language model sees the architecture's own
three-dimensional positions; a vector is the normalised hidden state of the last token.
"""

from __future__ import annotations

import unicodedata
from typing import Any, ClassVar

import torch
from PIL import Image
from transformers import Qwen3VLModel

from opens2v_hf.errors import ArgumentError
from opens2v_hf.models.gme import GmeEmbedder, Picture, picture_size
from opens2v_hf.models.hub import ResolvedModel
from opens2v_hf.models.qwen_vl import size_in_blocks
from opens2v_hf.video.resize import resize

FACTOR = 32
MIN_PIXELS = 4 * FACTOR**2
MAX_PIXELS = 1800 * FACTOR**2
MAX_LENGTH = 8192
DEFAULT_INSTRUCTION = "Represent the user's input."
RETRIEVAL_INSTRUCTION = "Retrieve images or text relevant to the user's query."
"""Instruction of the makers' example for a text that pictures are compared with."""

_MAX_ASPECT = 200


class Qwen3VLEmbedder(GmeEmbedder):
    """Embeds texts and pictures by a Qwen3-VL-Embedding (2B, 8B); see `GmeEmbedder` for its methods.

    Example:
        >>> Qwen3VLEmbedder.retrieval_instruction
        "Retrieve images or text relevant to the user's query."
    """

    default_instruction: ClassVar[str] = DEFAULT_INSTRUCTION
    retrieval_instruction: ClassVar[str] = RETRIEVAL_INSTRUCTION
    edition: ClassVar[str] = "made with the prompt and pooling of Qwen3-VL-Embedding: another edition of the column"
    _min_pixels: ClassVar[int] = MIN_PIXELS
    _max_pixels: ClassVar[int] = MAX_PIXELS
    _max_length: ClassVar[int] = MAX_LENGTH
    _network_class: ClassVar[Any] = Qwen3VLModel
    _what: ClassVar[str] = "Qwen3-VL"
    _cuda_dtype: ClassVar[str] = "bfloat16"  # of the published weights; float16 does not have their range

    @classmethod
    def _load_processors(cls, resolved: ResolvedModel, bounds: dict[str, int]) -> tuple[Any, Any]:
        tokenizer, image_processor = super()._load_processors(resolved, bounds)
        image_processor.do_resize = False
        return tokenizer, image_processor

    def _system(self, instruction: str | None) -> str:
        text = (instruction or "").strip() or self.default_instruction
        return text if unicodedata.category(text[-1]).startswith("P") else f"{text}."

    def _conversation(self, instruction: str, content: str) -> str:
        turns = ("system", instruction), ("user", content)
        said = "".join(f"<|im_start|>{role}\n{text}<|im_end|>\n" for role, text in turns)
        return f"{said}<|im_start|>assistant\n"

    def _size(self, image: Picture) -> tuple[int, int]:
        size = self.image_processor.size
        return resized_size(*picture_size(image), int(size["shortest_edge"]), int(size["longest_edge"]))

    def _resized(self, image: Picture) -> Image.Image:
        picture = image if isinstance(image, Image.Image) else Image.fromarray(image)
        return resize(picture.convert("RGB"), self._size(image))

    def _num_image_tokens(self, image: Picture) -> int:
        width, height = self._size(image)
        return (width // FACTOR) * (height // FACTOR)

    def _hidden_states(
        self, ids: torch.Tensor, mask: torch.Tensor, pixel_values: torch.Tensor | None, grid: torch.Tensor | None
    ) -> torch.Tensor:
        pictures: dict[str, Any] = {}
        if pixel_values is not None and grid is not None:
            visual = self.model.visual
            pictures = {
                "pixel_values": pixel_values.to(visual.device, visual.dtype),
                "image_grid_thw": grid.to(visual.device),
                "mm_token_type_ids": (ids == self._image_token).int(),
            }
        output = self.model(input_ids=ids, attention_mask=mask, use_cache=False, **pictures)
        hidden: torch.Tensor = output.last_hidden_state
        return hidden


def resized_size(
    width: int, height: int, min_pixels: int = MIN_PIXELS, max_pixels: int = MAX_PIXELS
) -> tuple[int, int]:
    """Width and height of a picture as the network sees it: multiples of 32 within pixel bounds, the aspect kept.

    Raises:
        ArgumentError: one side is more than 200 times the other, which the published code refuses, too.

    Example:
        >>> resized_size(832, 480), resized_size(3840, 2160), resized_size(20, 20)
        ((832, 480), (1792, 992), (64, 64))
    """
    if max(width, height) > _MAX_ASPECT * min(width, height):
        raise ArgumentError(f"one side of a picture is at most {_MAX_ASPECT} times the other (got {width}x{height})")
    return size_in_blocks(width, height, FACTOR, min_pixels, max_pixels)
