"""Pictures and text as the vision-language models of the Qwen-VL family take them, without their processor.

The processor's class needs torchvision, for videos that nothing here gives it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from PIL import Image

from opens2v_hf.errors import ArgumentError, ImageError, ModelError
from opens2v_hf.models.info import ModelInfo

ARCHITECTURES = ("qwen2_vl", "qwen2_5_vl", "qwen3_vl")
"""Model types that share the layout of pictures in the text: vision start, one token a merged patch, vision end."""

VISION_START, IMAGE, VISION_END = "<|vision_start|>", "<|image_pad|>", "<|vision_end|>"
_IMAGE_TYPE_ID = 1  # what transformers calls a picture's tokens in `mm_token_type_ids`; text is 0


class QwenVLChat:
    """One user turn of pictures and then text, and the opening of the assistant's.

    It is the model's own chat layout: the tokenizer's chat template, or the family's plain one (a system turn "You are
    a helpful assistant." first) where the tokenizer has none.

    Args:
        tokenizer: of the model; the picture markers must be single tokens.
        image_processor: of the model, with the pixel bounds to use.
        info: of the model, for messages.

    Raises:
        ModelError: the tokenizer lacks a token, or its chat template places no pictures.
    """

    def __init__(self, tokenizer: Any, image_processor: Any, info: ModelInfo) -> None:
        self._tokenizer = tokenizer
        self._image_processor = image_processor
        self._info = info
        self._image_id = single_token(tokenizer, IMAGE, info)
        for marker in (VISION_START, VISION_END):
            single_token(tokenizer, marker, info)
        if self.prompt(2, "").count(IMAGE) != 2:
            raise ModelError(
                f"the chat template of the {info.role} {info.name!r} (chat_template.jinja, or in "
                f"tokenizer_config.json) does not place one {IMAGE} for each picture; "
                "use the tokenizer files of the model's own repo"
            )

    def encode(self, pictures: Sequence[Image.Image], text: str) -> dict[str, torch.Tensor]:
        """The model's inputs.

        Args:
            pictures: of any sizes and modes; colours are converted to RGB. There may be none.
            text: of the user.

        Returns:
            `input_ids`, `attention_mask`, `mm_token_type_ids`: int64 [1, L]; where there are pictures `pixel_values`:
            [patches, values], and `image_grid_thw`: int64 [pictures, 3].

        Raises:
            ImageError: a picture has a form that the model does not take.
            ArgumentError: the text holds the token of a picture.
        """
        prompt = self.prompt(len(pictures), text)
        processed: dict[str, torch.Tensor] = {}
        counts: list[int] = []
        if pictures:
            processed = self._process(pictures)
            merged = self._image_processor.merge_size**2
            counts = [int(cells.prod()) // merged for cells in processed["image_grid_thw"]]
        pieces = prompt.split(IMAGE)
        filled = pieces[0] + "".join(IMAGE * count + piece for count, piece in zip(counts, pieces[1:], strict=True))
        input_ids = self._tokenizer(filled, return_tensors="pt", add_special_tokens=False)["input_ids"]
        return {
            "input_ids": input_ids,
            "attention_mask": torch.ones_like(input_ids),
            "mm_token_type_ids": (input_ids == self._image_id).long() * _IMAGE_TYPE_ID,
            **processed,
        }

    def _process(self, pictures: Sequence[Image.Image]) -> dict[str, torch.Tensor]:
        try:
            coloured = [picture.convert("RGB") for picture in pictures]
            processed = self._image_processor(images=coloured, return_tensors="pt")
        except ValueError as error:
            raise ImageError(
                f"the {self._info.role} cannot take a frame of {pictures[0].width}×{pictures[0].height}: {error}"
            ) from error
        return {name: processed[name] for name in ("pixel_values", "image_grid_thw")}

    def prompt(self, num_pictures: int, text: str) -> str:
        """The conversation as text, with one `IMAGE` for each picture.

        Raises:
            ArgumentError: the text holds the token of a picture.
        """
        if IMAGE in text:
            raise ArgumentError(f"the text for the {self._info.role} holds {IMAGE!r}, the token of a picture")
        if self._tokenizer.chat_template:
            content = [{"type": "image"}] * num_pictures + [{"type": "text", "text": text}]
            return self._tokenizer.apply_chat_template(
                [{"role": "user", "content": content}], tokenize=False, add_generation_prompt=True
            )
        pictures = f"{VISION_START}{IMAGE}{VISION_END}" * num_pictures
        return (
            "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
            f"<|im_start|>user\n{pictures}{text}<|im_end|>\n<|im_start|>assistant\n"
        )


def single_token(tokenizer: Any, text: str, info: ModelInfo) -> int:
    """The id of a text that must be one token.

    Raises:
        ModelError: it is none.
    """
    ids = tokenizer.encode(text, add_special_tokens=False)
    if len(ids) != 1 or tokenizer.decode(ids) != text:
        raise ModelError(
            f"the tokenizer of the {info.role} {info.name!r} has no single token for {text!r}; "
            f"it cannot serve as {info.role}"
        )
    return int(ids[0])


def size_in_blocks(width: int, height: int, factor: int, min_pixels: int, max_pixels: int) -> tuple[int, int]:
    """Width and height as networks of the family see a picture: multiples of a factor within pixel bounds.

    Sides are rounded to the nearest multiple (half to even); a picture outside the bounds is scaled with its aspect,
    rounding inwards.

    Example:
        >>> size_in_blocks(832, 480, 32, 4 * 32**2, 1800 * 32**2), size_in_blocks(3840, 2160, 32, 4096, 1800 * 32**2)
        ((832, 480), (1792, 992))
    """
    sides = [max(factor, round(side / factor) * factor) for side in (width, height)]
    if math.prod(sides) > max_pixels:
        scale = math.sqrt(width * height / max_pixels)
        sides = [max(factor, math.floor(side / scale / factor) * factor) for side in (width, height)]
    elif math.prod(sides) < min_pixels:
        scale = math.sqrt(min_pixels / (width * height))
        sides = [math.ceil(side * scale / factor) * factor for side in (width, height)]
    return sides[0], sides[1]
