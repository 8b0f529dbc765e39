"""The part of a judge that is the same wherever its vision-language model runs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from PIL import Image

from opens2v_hf.errors import ArgumentError
from opens2v_hf.models.info import ModelInfo
from opens2v_hf.models.judge.base import Rating, check_request
from opens2v_hf.models.judge.rubric import Rubric
from opens2v_hf.models.qwen_vl import QwenVLChat


class ChatJudge(ABC):
    """Shows the frames and then the rubric in the model's own chat layout, and reads the first token of the answer.

    Args:
        tokenizer: of the model.
        image_processor: of the model, with the pixel bounds to use.
        info: provenance of the weights.
        min_digit_mass: least probability of the five digits together, below which there is no score; 0 for no bound.

    Raises:
        ArgumentError: `min_digit_mass` is out of range.
        ModelError: the tokenizer lacks a token, or its chat template places no pictures.
    """

    deterministic = True

    def __init__(self, tokenizer: Any, image_processor: Any, *, info: ModelInfo, min_digit_mass: float) -> None:
        check_digit_mass(min_digit_mass)
        self._tokenizer = tokenizer
        self._image_processor = image_processor
        self._info = info
        self._min_digit_mass = min_digit_mass
        self._chat = QwenVLChat(tokenizer, image_processor, info)

    @property
    def info(self) -> ModelInfo:
        """Provenance of the model."""
        return self._info

    @property
    def options(self) -> dict[str, Any]:
        """Settings that change the score, JSON-compatible."""
        size = self._image_processor.size
        return {
            "min_pixels": size["shortest_edge"],
            "max_pixels": size["longest_edge"],
            "min_digit_mass": self._min_digit_mass,
            "chat_template": "the tokenizer's" if self._tokenizer.chat_template else "plain",
        }

    def rate(self, frames: Sequence[Image.Image], rubric: Rubric, *, runs: int = 1) -> list[Rating]:
        """See `Judge.rate`; all runs are the same, and the model is run once.

        Raises:
            ArgumentError: no frame, `runs` below 1, or the rubric holds the token of a picture.
        """
        check_request(frames, runs)
        return [self._rating(frames, rubric)] * runs

    @abstractmethod
    def _rating(self, frames: Sequence[Image.Image], rubric: Rubric) -> Rating: ...


def check_digit_mass(min_digit_mass: float) -> None:
    """Raise `ArgumentError` for a bound that is no probability below 1."""
    if not 0.0 <= min_digit_mass < 1.0:
        raise ArgumentError(f"min_digit_mass must be in [0, 1) (got {min_digit_mass})")
