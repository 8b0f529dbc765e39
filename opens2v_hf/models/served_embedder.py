"""GME in an inference engine: texts and pictures prepared here, vectors computed there."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from opens2v_hf.errors import ArgumentError, EndpointError, ModelError
from opens2v_hf.models.batching import check_count
from opens2v_hf.models.gme import (
    DEFAULT_INSTRUCTION,
    FACTOR,
    IMAGE_PAD,
    MAX_LENGTH,
    MAX_PIXELS,
    MIN_PIXELS,
    RETRIEVAL_INSTRUCTION,
    VISION_TOKENS,
    Picture,
    check_pixel_bounds,
    conversation,
    first_resize,
)
from opens2v_hf.models.info import ModelInfo
from opens2v_hf.models.qwen_vl import size_in_blocks
from opens2v_hf.models.vector_cache import VectorCache
from opens2v_hf.video.resize import resize

_NO_PICTURE = VISION_TOKENS.replace(IMAGE_PAD, "")


@dataclass(frozen=True, eq=False)
class EnginePrompt:
    """Input of an engine.

    Attributes:
        instruction: of the system turn.
        content: of the user's turn, as text; of a picture it is `VISION_TOKENS`.
        picture: RGB, of the size that the network sees; None for a text.
    """

    instruction: str
    content: str
    picture: Image.Image | None = None

    @property
    def text(self) -> str:
        """The whole conversation."""
        return conversation(self.instruction, self.content)


@dataclass(frozen=True, eq=False)
class EngineVector:
    """Output of an engine.

    Attributes:
        values: float32 [D].
        num_tokens: of the prompt, pictures included; None where the engine does not say.
    """

    values: np.ndarray
    num_tokens: int | None = None


class EmbeddingEngine(Protocol):
    """Runs GME in this process or behind a URL."""

    def embed(self, prompts: Sequence[EnginePrompt], max_length: int) -> Iterable[EngineVector]:
        """Vectors of prompts, in order; a text of more than `max_length` tokens loses its end, except in SGLang."""
        ...


class ServedEmbedder:
    """Embeds texts and pictures as `GmeEmbedder` does, by a network that an engine runs.

    Pictures are resized here, so that the engine receives the very pixels that `GmeEmbedder` computes with. Engines
    give a picture's tokens the positions of Qwen2-VL (a row and a column each), and the released code the positions of
    plain text: vectors of pictures differ by that, and `edition` says so.

    Args:
        engine: that runs the network.
        info: provenance.
        min_pixels: of a picture as the network sees it.
        max_pixels: likewise.
        max_length: longest sequence in tokens.

    Raises:
        ArgumentError: a bound has no usable value.
    """

    default_instruction: ClassVar[str] = DEFAULT_INSTRUCTION
    retrieval_instruction: ClassVar[str] = RETRIEVAL_INSTRUCTION
    kind: ClassVar[str] = "qwen2_vl"

    def __init__(
        self,
        engine: EmbeddingEngine,
        info: ModelInfo,
        *,
        min_pixels: int = MIN_PIXELS,
        max_pixels: int = MAX_PIXELS,
        max_length: int = MAX_LENGTH,
    ) -> None:
        check_pixel_bounds(min_pixels, max_pixels)
        check_count("max_length", max_length)
        self.info = info
        self.options = {"min_pixels": min_pixels, "max_pixels": max_pixels, "max_length": max_length}
        self._engine = engine
        self._texts = VectorCache()
        self._tokens_without_picture: dict[str, int | None] = {}

    @property
    def edition(self) -> str:
        """Why its numbers are another edition of a column."""
        return (
            f"made with the embedder in {self.info.engine}, which gives the tokens of pictures other positions than "
            "the released code: another edition of the column"
        )

    def embed_texts(self, texts: Sequence[str], instruction: str | None = None) -> torch.Tensor:
        """See `GmeEmbedder.embed_texts`; float32.

        Raises:
            EndpointError: the engine gave no answer, or did not shorten a text of more than `max_length` tokens.
        """
        system = self.default_instruction if instruction is None else instruction
        return self._stacked(
            self._texts.get(texts, system, lambda new: self._embed([EnginePrompt(system, text) for text in new]))
        )

    def embed_images(self, images: Sequence[Picture], instruction: str | None = None) -> torch.Tensor:
        """See `GmeEmbedder.embed_images`; float32.

        Raises:
            ArgumentError: as there.
            ModelError: the engine reads a picture as another number of tokens than GME does.
            EndpointError: the engine gave no answer.
        """
        system = self.default_instruction if instruction is None else instruction
        if IMAGE_PAD in system:
            raise ArgumentError(f"an instruction must not hold the token {IMAGE_PAD} (got {instruction!r})")
        if not images:
            return self._stacked([])
        if system not in self._tokens_without_picture:
            [without] = self._engine.embed([EnginePrompt(system, _NO_PICTURE)], self.options["max_length"])
            self._tokens_without_picture[system] = without.num_tokens
        return self._stacked(
            self._embed([EnginePrompt(system, VISION_TOKENS, self._resized(image)) for image in images])
        )

    def _resized(self, image: Picture) -> Image.Image:
        picture = first_resize(image)
        bounds = self.options["min_pixels"], self.options["max_pixels"]
        return resize(picture, size_in_blocks(*picture.size, FACTOR, *bounds))

    def _embed(self, prompts: Sequence[EnginePrompt]) -> list[torch.Tensor]:
        vectors = []
        for prompt, found in zip(prompts, self._engine.embed(prompts, self.options["max_length"]), strict=True):
            self._check_tokens(prompt, found.num_tokens)
            vectors.append(F.normalize(torch.from_numpy(found.values), dim=0))
        return vectors

    def _check_tokens(self, prompt: EnginePrompt, num_tokens: int | None) -> None:
        """Compare the engine's count of tokens with GME's: a wrong one is a wrong vector."""
        if num_tokens is None:
            return
        most = self.options["max_length"]
        if prompt.picture is None:
            if num_tokens > most:
                raise EndpointError(
                    f"{self._name()} read a text of {num_tokens} tokens, more than max_length={most}, and does not "
                    "shorten it as GME does; shorten the text"
                )
            return
        without = self._tokens_without_picture[prompt.instruction]
        if without is None:
            return
        width, height = prompt.picture.size
        expected = without + width * height // FACTOR**2
        if num_tokens > most:
            raise ArgumentError(
                f"a picture takes {num_tokens} tokens with its instruction, more than max_length={most}; lower "
                "max_pixels or raise max_length"
            )
        if num_tokens != expected:
            raise ModelError(
                f"{self._name()} reads {width}x{height} px as {num_tokens} tokens, and GME as {expected}: "
                "it resizes pictures (raise its max_pixels), or its chat template is not that of Qwen2-VL"
            )

    def _name(self) -> str:
        return f"the {self.info.role} {self.info.name!r} in {self.info.engine}"

    def _stacked(self, vectors: Sequence[torch.Tensor]) -> torch.Tensor:
        if len({len(vector) for vector in vectors}) > 1:
            raise ModelError(f"{self._name()} gives vectors of several sizes")
        return torch.stack(list(vectors)) if vectors else torch.empty(0, 0)


def finite_vector(values: Any) -> np.ndarray:
    """The vector of an answer.

    Raises:
        ValueError: it is no list of finite numbers, or all are 0.
    """
    if not isinstance(values, list) or not values:
        raise ValueError("the vector is no list of numbers")
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        raise ValueError("the vector holds other things than numbers")
    vector = np.array(values, np.float32)
    if not np.isfinite(vector).all() or not math.isfinite(norm := float(np.linalg.norm(vector))) or norm == 0:
        raise ValueError("the vector is not finite, or all zeros")
    return vector
