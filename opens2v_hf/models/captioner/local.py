"""A captioner that runs here: an image-text model of transformers."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoModelForImageTextToText, AutoProcessor, AutoTokenizer

from opens2v_hf._util.numbers import is_whole
from opens2v_hf.errors import ArgumentError, CaptionError, ImageError, ModelError
from opens2v_hf.models.batching import check_count
from opens2v_hf.models.hub import (
    ResolvedModel,
    loading,
    resolve_model,
)
from opens2v_hf.models.info import ModelInfo
from opens2v_hf.models.pictures import check_picture
from opens2v_hf.models.qwen_vl import ARCHITECTURES, QwenVLChat
from opens2v_hf.models.roles import ROLES
from opens2v_hf.models.transformers_loading import load_config, load_placed
from opens2v_hf.video.resize import resizes_horizontally_first

ROLE = "captioner"


class Chat(Protocol):
    """Lays out pictures and a text as a model takes them."""

    def encode(self, pictures: Sequence[Image.Image], text: str) -> Mapping[str, torch.Tensor]:
        """The model's inputs; `input_ids` int64 [1, L] is among them."""
        ...


class ProcessorChat:
    """The layout of any model by its own processor of transformers.

    Args:
        processor: with a chat template.
        info: of the model, for messages.

    Raises:
        ModelError: the processor has no chat template.
    """

    def __init__(self, processor: Any, info: ModelInfo) -> None:
        if not getattr(processor, "chat_template", None):
            raise ModelError(f"the processor of the {info.role} {info.name!r} has no chat template")
        self._processor = processor
        self._info = info

    def encode(self, pictures: Sequence[Image.Image], text: str) -> Mapping[str, torch.Tensor]:
        """The model's inputs for one user turn, pictures first.

        Raises:
            ImageError: the processor cannot take the pictures.
        """
        content: list[dict[str, Any]] = [{"type": "image", "image": picture.convert("RGB")} for picture in pictures]
        turn = {"role": "user", "content": [*content, {"type": "text", "text": text}]}
        try:
            return self._processor.apply_chat_template(
                [turn], add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt"
            )
        except ValueError as error:
            raise ImageError(f"the {self._info.role} cannot take these frames: {error}") from error


class LocalCaptioner:
    """Writes what it sees in frames, always the likeliest next token, so that the answer is the same every time.

    Args:
        network: with a language-model head and `generate`.
        tokenizer: of the model.
        chat: how its inputs are laid out.
        info: provenance.
        max_new_tokens: most tokens of an answer.

    Raises:
        ArgumentError: `max_new_tokens` is out of range.
    """

    def __init__(self, network: Any, tokenizer: Any, chat: Chat, info: ModelInfo, *, max_new_tokens: int = 768) -> None:
        check_count("max_new_tokens", max_new_tokens)
        self._network = network.eval()
        self._tokenizer = tokenizer
        self._chat = chat
        self._info = info
        self._max_new_tokens = max_new_tokens

    @classmethod
    def from_pretrained(
        cls,
        model: str | os.PathLike[str] = ROLES[ROLE].released,
        *,
        revision: str | None = None,
        device: str | torch.device | None = None,
        dtype: str | torch.dtype | None = None,
        max_new_tokens: int = 768,
        max_pixels: int | None = None,
        **model_kwargs: Any,
    ) -> LocalCaptioner:
        """Load an image-text model.

        Models of the Qwen-VL family need nothing but transformers. Others are asked by their own processor, which may
        need torchvision; the message names it where it is missing.

        Args:
            model: Hub id or folder.
            revision: of a Hub repo.
            device: by default CUDA, then MPS, then the CPU.
            dtype: of the weights; by default bfloat16 on CUDA and float32 elsewhere.
            max_new_tokens: see the class.
            max_pixels: of a frame as a Qwen-VL sees it; by default what the model's own processor says.
            **model_kwargs: passed to transformers, e.g. `device_map` or `quantization_config`.

        Raises:
            ModelError: the model cannot be loaded, or is no image-text model.
            ArgumentError: an argument has no usable value.
        """
        found = resolve_model(model, revision, ROLE)
        with loading(found):
            config = load_config(found)
            network, info = load_placed(
                AutoModelForImageTextToText, found, device, dtype, model_kwargs, what="vision-language model",
                cuda_dtype="bfloat16",
            )  # fmt: skip
            of_family = config.model_type in ARCHITECTURES
            tokenizer, chat = _qwen_chat(found, info, max_pixels) if of_family else _own_chat(found, info, max_pixels)
            return cls(network, tokenizer, chat, info, max_new_tokens=max_new_tokens)

    @property
    def info(self) -> ModelInfo:
        """Provenance of the model."""
        return self._info

    @property
    def options(self) -> dict[str, Any]:
        """Settings that change the text, JSON-compatible."""
        return {"max_new_tokens": self._max_new_tokens, "sampling": "greedy"}

    @torch.inference_mode()
    def caption(self, frames: Sequence[np.ndarray], prompt: str) -> str:
        """See `Captioner.caption`."""
        for frame in frames:
            check_picture(frame)
        try:
            inputs = self._chat.encode([Image.fromarray(frame) for frame in frames], prompt)
            on_device = {name: self._placed(value) for name, value in inputs.items()}
            output = self._network.generate(**on_device, max_new_tokens=self._max_new_tokens, do_sample=False)
        except ImageError as error:
            raise CaptionError(str(error)) from error
        except torch.OutOfMemoryError as error:
            raise CaptionError(
                f"not enough memory for {len(frames)} frames; give smaller or fewer ({error})"
            ) from error
        answer = output[0, inputs["input_ids"].shape[1] :]
        text = self._tokenizer.decode(answer, skip_special_tokens=True).strip()
        if len(answer) >= self._max_new_tokens and int(answer[-1]) not in self._end_tokens():
            raise CaptionError(
                f"the answer has more than max_new_tokens={self._max_new_tokens} tokens; allow more, or ask for less"
            )
        if not text:
            raise CaptionError("the answer is empty")
        return text

    def _placed(self, value: torch.Tensor) -> torch.Tensor:
        moved = value.to(self._network.device)
        return moved.to(self._network.dtype) if moved.is_floating_point() else moved

    def _end_tokens(self) -> set[int]:
        ends = self._network.generation_config.eos_token_id
        return set(ends if isinstance(ends, list) else [ends])


def _qwen_chat(found: ResolvedModel, info: ModelInfo, max_pixels: int | None) -> tuple[Any, Chat]:
    arguments = found.load_arguments()
    tokenizer = AutoTokenizer.from_pretrained(found.source, **arguments)
    processor = AutoImageProcessor.from_pretrained(found.source, backend="pil", **arguments)
    if max_pixels is not None:
        least = processor.size["shortest_edge"]
        if not is_whole(max_pixels, least):
            raise ArgumentError(f"max_pixels must be a whole number from {least} (got {max_pixels!r})")
        processor.size = {"shortest_edge": least, "longest_edge": max_pixels}
    return tokenizer, QwenVLChat(tokenizer, resizes_horizontally_first(processor), info)


def _own_chat(found: ResolvedModel, info: ModelInfo, max_pixels: int | None) -> tuple[Any, Chat]:
    if max_pixels is not None:
        raise ArgumentError(f"max_pixels is for models of {', '.join(ARCHITECTURES)}; {found.name!r} is none")
    try:
        processor = AutoProcessor.from_pretrained(found.source, **found.load_arguments())
    except ImportError as error:
        raise ModelError(
            f"the processor of the {info.role} {info.name!r} needs a package that is not installed ({error}); install "
            "it, serve the model behind an endpoint (openai:<model>), or take a model of the Qwen-VL family"
        ) from error
    return processor.tokenizer, ProcessorChat(processor, info)
