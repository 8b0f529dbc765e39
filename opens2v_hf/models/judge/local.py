"""A judge that runs here: a vision-language model of the Qwen-VL family through transformers.

Instead of drawing a reply, it gives the probabilities of the next token, and the score is their expectation over
the digits 1 to 5: the same every time, and finer than an integer.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoModelForImageTextToText, AutoTokenizer

from opens2v_hf.errors import ArgumentError, ImageError, JudgeError, ModelError
from opens2v_hf.models.hub import ResolvedModel, loading, resolve_model
from opens2v_hf.models.info import ModelInfo
from opens2v_hf.models.judge.base import Rating
from opens2v_hf.models.judge.chat_judge import ChatJudge
from opens2v_hf.models.judge.rubric import Rubric
from opens2v_hf.models.qwen_vl import ARCHITECTURES, single_token
from opens2v_hf.models.transformers_loading import load_config, load_placed
from opens2v_hf.scores.natural import LEVELS, expected_score, level_probabilities, low_digit_mass
from opens2v_hf.video.resize import resizes_horizontally_first

DEFAULT_MODEL = "Qwen/Qwen2.5-VL-7B-Instruct"


class LocalJudge(ChatJudge):
    """Reads the score of a video from the next-token probabilities of a vision-language model.

    The prompt is the model's own chat layout: the tokenizer's chat template, or the family's plain one (a system turn
    "You are a helpful assistant.", a user turn, the opening of the assistant's) where the tokenizer has none. The user
    turn holds the frames in order and then the rubric. Positions are the model's own 3-D ones.

    Args:
        model: the network with its language-model head.
        tokenizer: of the model; the digits and the picture markers must be single tokens.
        image_processor: of the model, with the pixel bounds to use.
        info: provenance of the weights.
        min_digit_mass: see `from_pretrained`.

    Raises:
        ArgumentError: `min_digit_mass` is out of range.
        ModelError: the tokenizer lacks a token, or its chat template places no pictures.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        image_processor: Any,
        *,
        info: ModelInfo,
        min_digit_mass: float = 0.0,
    ) -> None:
        self._digit_ids = [single_token(tokenizer, str(level), info) for level in LEVELS]
        super().__init__(tokenizer, image_processor, info=info, min_digit_mass=min_digit_mass)
        self._model = model.eval()

    @classmethod
    def from_pretrained(
        cls,
        model: str | os.PathLike[str] = DEFAULT_MODEL,
        *,
        revision: str | None = None,
        device: str | torch.device | None = None,
        dtype: str | torch.dtype | None = None,
        min_pixels: int | None = None,
        max_pixels: int | None = None,
        min_digit_mass: float = 0.0,
        **model_kwargs: Any,
    ) -> LocalJudge:
        """Load a judge.

        Args:
            model: Hub id, folder, or "embedded".
            revision: of the Hub repo.
            device: by default CUDA, then MPS, then the CPU.
            dtype: of the weights; by default bfloat16 on CUDA and float32 elsewhere.
            min_pixels: least pixels of a frame as the model sees it; by default what the folder's `opens2v.json` says,
                else what the model's own processor says. Likewise `max_pixels`.
            max_pixels: most pixels of a frame as the model sees it.
            min_digit_mass: least probability of the five digits together, below which there is no score; 0 for no
                bound.
            **model_kwargs: passed to transformers, e.g. `device_map` or `quantization_config`.

        Raises:
            ModelError: the model cannot be loaded, or is of another architecture.
            ArgumentError: an argument has no usable value.
        """
        resolved = resolve_model(model, revision, "judge")
        with loading(resolved):
            tokenizer, image_processor = load_processors(resolved, min_pixels, max_pixels)
            network, info = load_placed(
                AutoModelForImageTextToText, resolved, device, dtype, model_kwargs, what="vision-language model",
                cuda_dtype="bfloat16",
            )  # fmt: skip
            return cls(network, tokenizer, image_processor, info=info, min_digit_mass=min_digit_mass)

    def _rating(self, frames: Sequence[Image.Image], rubric: Rubric) -> Rating:
        try:
            return self._read(self.next_token_logits(frames, rubric))
        except JudgeError as error:
            return Rating(None, error=str(error))
        except torch.OutOfMemoryError as error:
            return Rating(None, error=f"not enough memory for {len(frames)} frames; lower max_pixels ({error})")

    @torch.inference_mode()
    def next_token_logits(self, frames: Sequence[Image.Image], rubric: Rubric) -> torch.Tensor:
        """Logits of the first token of the answer.

        Returns:
            Float32 tensor [V] on the CPU.

        Raises:
            JudgeError: a frame has a form that the model does not take.
            ArgumentError: the text holds the token of a picture.
        """
        inputs = self.encode(frames, rubric.text)
        outputs = self._model(
            **{name: value.to(self._model.device) for name, value in inputs.items()}, use_cache=False, logits_to_keep=1
        )
        return outputs.logits[0, -1].float().cpu()

    def encode(self, frames: Sequence[Image.Image], text: str) -> dict[str, torch.Tensor]:
        """The model's inputs for one video.

        Returns:
            `input_ids`, `attention_mask`, `mm_token_type_ids`: int64 [1, L]; `pixel_values`: [patches, values];
            `image_grid_thw`: int64 [frames, 3].

        Raises:
            JudgeError: a frame has a form that the model does not take.
            ArgumentError: the text holds the token of a picture.
        """
        try:
            return self._chat.encode(frames, text)
        except ImageError as error:
            raise JudgeError(str(error)) from error

    def _read(self, logits: torch.Tensor) -> Rating:
        reply = self._tokenizer.decode([int(logits.argmax())])
        digits = logits[self._digit_ids].double()
        mass = float((digits.logsumexp(0) - logits.double().logsumexp(0)).exp())
        score = expected_score(digits.tolist())
        probabilities = level_probabilities(digits.tolist())
        details = {
            "probabilities": {
                str(level): probability for level, probability in zip(LEVELS, probabilities, strict=True)
            },
            "digit_mass": mass,
        }
        if not math.isfinite(mass) or mass < self._min_digit_mass:
            return Rating(None, reply, low_digit_mass(mass, self._min_digit_mass), (reply,), details=details)
        return Rating(score, reply, replies=(reply,), details=details)


def load_processors(resolved: ResolvedModel, min_pixels: int | None, max_pixels: int | None) -> tuple[Any, Any]:
    """Tokenizer and image processor of a judge, the latter with the pixel bounds to use.

    Raises:
        ModelError: the model is of an architecture that is no judge's.
        ArgumentError: the bounds have no usable values.
    """
    arguments = resolved.load_arguments()
    _check_architecture(load_config(resolved).model_type, resolved.name)
    tokenizer = AutoTokenizer.from_pretrained(resolved.source, **arguments)
    # always Pillow's resizing: the same pixels, and so the same score, everywhere
    image_processor = AutoImageProcessor.from_pretrained(resolved.source, backend="pil", **arguments)
    bounds = _pixel_bounds(image_processor, resolved.defaults, min_pixels, max_pixels)
    image_processor.size = {"shortest_edge": bounds[0], "longest_edge": bounds[1]}
    return tokenizer, resizes_horizontally_first(image_processor)


def _check_architecture(model_type: str, name: str) -> None:
    if model_type not in ARCHITECTURES:
        raise ModelError(
            f"the judge {name!r} is a {model_type!r} model; local judges are {', '.join(ARCHITECTURES)} models, "
            "and others can be served behind an endpoint (`judge=openai:<model>`, `base_url=`)"
        )


def _pixel_bounds(
    image_processor: Any, defaults: Mapping[str, Any], min_pixels: int | None, max_pixels: int | None
) -> tuple[int, int]:
    own = image_processor.size
    low = min_pixels if min_pixels is not None else defaults.get("min_pixels", own["shortest_edge"])
    high = max_pixels if max_pixels is not None else defaults.get("max_pixels", own["longest_edge"])
    if not (isinstance(low, int) and isinstance(high, int) and 0 < low <= high):
        kind = ModelError if min_pixels is None and max_pixels is None else ArgumentError
        raise kind(f"a judge's pixel bounds must satisfy 0 < min_pixels <= max_pixels (got {low} and {high})")
    return low, high
