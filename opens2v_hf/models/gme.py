"""GME (general multimodal embedder): texts and pictures as vectors of one space, as the released code computes them.

Facts of the released code (v1.1) that decide numbers here: a picture is resized twice (to multiples of 28 with PIL's
default filter, then by the Qwen2-VL processor within the pixel bounds), the language model sees plain positions
0..L-1 on all three rotary axes even across image tokens, and a vector is the normalised hidden state of the last token.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from itertools import islice
from typing import Any, ClassVar, Self

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from transformers import AutoImageProcessor, AutoTokenizer, Qwen2VLModel

from opens2v_hf._util.numbers import is_whole
from opens2v_hf._util.threads import in_order
from opens2v_hf.errors import ArgumentError, ModelError
from opens2v_hf.models.batching import check_count, token_batches
from opens2v_hf.models.hub import ResolvedModel, loading, resolve_model
from opens2v_hf.models.info import ModelInfo
from opens2v_hf.models.qwen_vl import size_in_blocks
from opens2v_hf.models.roles import ROLES
from opens2v_hf.models.transformers_loading import load_config, load_placed
from opens2v_hf.models.vector_cache import VectorCache
from opens2v_hf.video.resize import resize, resizes_horizontally_first

_LOGGER = logging.getLogger(__name__)

DEFAULT_INSTRUCTION = "You are a helpful assistant."
RETRIEVAL_INSTRUCTION = "Find an image that matches the given text."
"""Instruction of the released code for a text that pictures are compared with."""

MIN_PIXELS = 256 * 28 * 28
MAX_PIXELS = 1280 * 28 * 28
MAX_LENGTH = 1800
BATCH_TOKENS = 8192
CPU_BATCH_TOKENS = 2048
"""On a CPU larger batches only cost memory: two to four pictures at released resolution keep it busy."""

FACTOR = 28
_FIRST_MIN_PIXELS = 4 * FACTOR**2
_FIRST_MAX_PIXELS = 16384 * FACTOR**2
_MAX_ASPECT = 200
IMAGE_PAD = "<|image_pad|>"
VISION_TOKENS = f"<|vision_start|>{IMAGE_PAD}<|vision_end|>"

Picture = Image.Image | np.ndarray


class GmeEmbedder:
    """Embeds texts and pictures.

    Attributes:
        default_instruction: of the system turn where none is given.
        retrieval_instruction: with which a text is embedded that pictures are compared with.
        edition: why its numbers are another edition of a column; empty for the leaderboard's kind.

    Args:
        model: the Qwen2-VL network without its head, in evaluation mode.
        tokenizer: of the model; either padding side.
        image_processor: the Qwen2-VL processor with the pixel bounds to use.
        info: provenance of the weights.
        max_length: longest sequence in tokens; a longer text loses its end, as in the released code.
        batch_tokens: upper bound of the (padded) tokens computed at a time; it bounds memory and changes no result
            beyond rounding.
    """

    default_instruction: ClassVar[str] = DEFAULT_INSTRUCTION
    retrieval_instruction: ClassVar[str] = RETRIEVAL_INSTRUCTION
    edition: ClassVar[str] = ""
    _min_pixels: ClassVar[int] = MIN_PIXELS
    _max_pixels: ClassVar[int] = MAX_PIXELS
    _max_length: ClassVar[int] = MAX_LENGTH
    _network_class: ClassVar[Any] = Qwen2VLModel
    _what: ClassVar[str] = "Qwen2-VL"
    _cuda_dtype: ClassVar[str] = "float16"  # as released

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        image_processor: Any,
        info: ModelInfo,
        *,
        max_length: int = MAX_LENGTH,
        batch_tokens: int = BATCH_TOKENS,
    ) -> None:
        check_count("batch_tokens", batch_tokens)
        check_count("max_length", max_length)
        self.model = model
        self.tokenizer = tokenizer
        self.image_processor = image_processor
        self.info = info
        self.max_length = max_length
        self.batch_tokens = batch_tokens
        self._image_token = model.config.image_token_id
        self._texts = VectorCache()

    @classmethod
    def from_pretrained(
        cls,
        model: str | os.PathLike[str] = ROLES["embedder"].released,
        *,
        revision: str | None = None,
        role: str = "embedder",
        device: str | torch.device | None = None,
        dtype: str | torch.dtype | None = None,
        min_pixels: int | None = None,
        max_pixels: int | None = None,
        max_length: int | None = None,
        batch_tokens: int | None = None,
        **model_kwargs: Any,
    ) -> Self:
        """Load an embedder.

        Args:
            model: Hub id, folder, or "embedded".
            revision: of a Hub repo.
            role: that it has in results.
            device: see `opens2v_hf.models.hub.pick_device`; not used where `device_map` places the model.
            dtype: see `opens2v_hf.models.hub.pick_dtype`.
            min_pixels: of a picture as the network sees it; by default what the folder's `opens2v.json` says, else
                the released 256 * 28 * 28.
            max_pixels: likewise; released: 1280 * 28 * 28.
            max_length: likewise; released: 1800 tokens.
            batch_tokens: see the class; by default 8192, and 2048 on a CPU.
            **model_kwargs: passed to the network's `from_pretrained`, e.g. `device_map`, `quantization_config`,
                `attn_implementation`.

        Raises:
            ArgumentError: an argument has a value that cannot be used.
            ModelError: the model cannot be found or loaded, or weights are missing from it.
        """
        resolved = resolve_model(model, revision, role)
        with loading(resolved):
            bounds = {
                "min_pixels": _first(min_pixels, resolved.defaults.get("min_pixels"), cls._min_pixels),
                "max_pixels": _first(max_pixels, resolved.defaults.get("max_pixels"), cls._max_pixels),
            }
            check_pixel_bounds(**bounds, of_folder=min_pixels is None and max_pixels is None)
            load_config(resolved)
            network, info = load_placed(
                cls._network_class, resolved, device, dtype, model_kwargs, what=cls._what, cuda_dtype=cls._cuda_dtype
            )
            tokenizer, image_processor = cls._load_processors(resolved, bounds)
            return cls(
                network,
                tokenizer,
                image_processor,
                info,
                max_length=_first(max_length, resolved.defaults.get("max_length"), cls._max_length),
                batch_tokens=_first(batch_tokens, CPU_BATCH_TOKENS if network.device.type == "cpu" else BATCH_TOKENS),
            )

    @classmethod
    def _load_processors(cls, resolved: ResolvedModel, bounds: dict[str, int]) -> tuple[Any, Any]:
        arguments = resolved.load_arguments()
        tokenizer = AutoTokenizer.from_pretrained(resolved.source, **arguments)
        # The PIL back end is the one the released numbers were made with; the other one resizes with other filters.
        image_processor = AutoImageProcessor.from_pretrained(resolved.source, backend="pil", **arguments, **bounds)
        return tokenizer, resizes_horizontally_first(image_processor)

    @property
    def options(self) -> dict[str, int]:
        """Settings that change the vectors, JSON-compatible."""
        size = self.image_processor.size
        return {
            "min_pixels": int(size["shortest_edge"]),
            "max_pixels": int(size["longest_edge"]),
            "max_length": self.max_length,
        }

    @property
    def kind(self) -> str:
        """The type of network."""
        return str(self.model.config.model_type)

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return int(self.model.config.text_config.hidden_size)

    def embed_texts(self, texts: Sequence[str], instruction: str | None = None) -> torch.Tensor:
        """Embed texts; each distinct one is computed once, also across calls.

        Args:
            texts: any number of texts.
            instruction: of the system turn; by default `default_instruction`.

        Returns:
            [N, D], L2-normalised, on the CPU, in the model's dtype.
        """
        system = self._system(instruction)
        vectors = self._texts.get(texts, system, lambda new: self._text_vectors(new, system))
        return torch.stack(vectors) if vectors else self._no_vectors()

    def _text_vectors(self, texts: Sequence[str], system: str) -> list[torch.Tensor]:
        rows = [self._text_row(text, system) for text in texts]
        vectors: list[torch.Tensor] = [torch.empty(0)] * len(rows)
        for batch in token_batches([len(row) for row in rows], self.batch_tokens):
            for index, vector in zip(batch, self._last_hidden_states([rows[index] for index in batch]), strict=True):
                vectors[index] = vector
        return vectors

    def embed_images(self, images: Sequence[Picture], instruction: str | None = None) -> torch.Tensor:
        """Embed pictures.

        Args:
            images: PIL images, or uint8 arrays [H, W, 3] in RGB, of any sizes.
            instruction: of the system turn; by default `default_instruction`.

        Returns:
            [N, D], L2-normalised, on the CPU, in the model's dtype.

        Raises:
            ArgumentError: a picture is of neither kind or has no pixels, or does not fit `max_length`.
        """
        system = self._system(instruction)
        template: list[int] = self.tokenizer(self._conversation(system, VISION_TOKENS))["input_ids"]
        if template.count(self._image_token) != 1:
            raise ArgumentError(f"an instruction must not hold the token {IMAGE_PAD} (got {instruction!r})")
        lengths = [len(template) - 1 + self._num_image_tokens(image) for image in images]
        if lengths and max(lengths) > self.max_length:
            raise ArgumentError(
                f"a picture takes {max(lengths)} tokens with its instruction, more than max_length={self.max_length}; "
                "lower max_pixels or raise max_length"
            )
        vectors: list[torch.Tensor] = [torch.empty(0)] * len(images)
        batches = list(token_batches(lengths, self.batch_tokens))
        # a picture takes tens of milliseconds of a core, in which the network would wait
        patches = in_order(self._patches, [images[index] for batch in batches for index in batch])
        for batch in batches:
            pixels, grids = zip(*islice(patches, len(batch)), strict=True)
            rows = [_with_image_tokens(template, self._image_token, lengths[index]) for index in batch]
            embedded = self._last_hidden_states(rows, torch.cat(pixels), torch.cat(grids))
            for index, vector in zip(batch, embedded, strict=True):
                vectors[index] = vector
        return torch.stack(vectors) if vectors else self._no_vectors()

    def _patches(self, image: Picture) -> tuple[torch.Tensor, torch.Tensor]:
        pixels = self.image_processor([self._resized(image)], return_tensors="pt")
        return pixels["pixel_values"], pixels["image_grid_thw"]

    def _system(self, instruction: str | None) -> str:
        """Text of the system turn."""
        return self.default_instruction if instruction is None else instruction

    def _conversation(self, instruction: str, content: str) -> str:
        return conversation(instruction, content)

    def _resized(self, image: Picture) -> Image.Image:
        """A picture as the processor is given it."""
        return first_resize(image)

    def _no_vectors(self) -> torch.Tensor:
        return torch.empty(0, self.dim, dtype=self.model.dtype)

    def _text_row(self, text: str, instruction: str) -> list[int]:
        row = self.tokenizer(self._conversation(instruction, text))["input_ids"]
        if len(row) > self.max_length:
            _LOGGER.warning("a text of %d tokens loses what lies beyond the first %d", len(row), self.max_length)
        return row[: self.max_length]

    def _num_image_tokens(self, image: Picture) -> int:
        width, height = _first_size(*picture_size(image))
        patches = self.image_processor.get_number_of_image_patches(height, width, {})
        return patches // self.image_processor.merge_size**2

    @torch.inference_mode()
    def _last_hidden_states(
        self, rows: list[list[int]], pixel_values: torch.Tensor | None = None, grid: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Vectors [N, D] of token rows, whose image tokens represent the pictures' patches in order."""
        padded = self.tokenizer.pad({"input_ids": rows}, return_tensors="pt")
        ids, mask = padded["input_ids"].to(self.model.device), padded["attention_mask"].to(self.model.device)
        hidden = self._hidden_states(ids, mask, pixel_values, grid)
        last = mask.shape[1] - 1 - mask.flip(1).argmax(1)
        pooled = hidden[torch.arange(len(rows), device=hidden.device), last.to(hidden.device)]
        return F.normalize(pooled, p=2, dim=1).cpu()

    def _hidden_states(
        self, ids: torch.Tensor, mask: torch.Tensor, pixel_values: torch.Tensor | None, grid: torch.Tensor | None
    ) -> torch.Tensor:
        """The last layer's [N, L, D]."""
        inputs = self.model.language_model.embed_tokens(ids)
        if pixel_values is not None and grid is not None:
            visual = self.model.visual
            features = visual(pixel_values.to(visual.device, visual.dtype), grid_thw=grid.to(visual.device))
            inputs[ids == self._image_token] = features.pooler_output.to(inputs.device, inputs.dtype)
        positions = (mask.cumsum(-1) - 1).clamp_min(0)
        hidden: torch.Tensor = self.model.language_model(
            inputs_embeds=inputs,
            # Without padding no mask is needed, and attention kernels that need none take far less memory.
            attention_mask=None if bool(mask.all()) else mask,
            position_ids=positions.expand(3, -1, -1),
            use_cache=False,
        ).last_hidden_state
        return hidden


def check_pixel_bounds(min_pixels: int, max_pixels: int, *, of_folder: bool = False) -> None:
    """Check the bounds of a picture's pixels.

    Raises:
        ArgumentError: they are none; a `ModelError` where a model's folder gives them.
    """
    are_whole = all(is_whole(bound) for bound in (min_pixels, max_pixels))
    if not are_whole or not FACTOR**2 <= min_pixels <= max_pixels:
        raise (ModelError if of_folder else ArgumentError)(
            f"pixel bounds must be whole numbers with {FACTOR**2} <= min_pixels <= max_pixels "
            f"(got {min_pixels!r:.80} and {max_pixels!r:.80})"
        )


def retrieval_instruction_of(embedder: Any) -> str:
    """With which an embedder of any kind embeds a text that pictures are compared with; the released one by default."""
    return str(getattr(embedder, "retrieval_instruction", RETRIEVAL_INSTRUCTION))


def edition_of(embedder: Any) -> str:
    """See `GmeEmbedder.edition`."""
    return str(getattr(embedder, "edition", ""))


def similarities(queries: torch.Tensor, candidates: torch.Tensor) -> torch.Tensor:
    """Dot products of normalised vectors in their own dtype, as the released code takes them.

    Args:
        queries: [..., D].
        candidates: [..., D]; broadcast against `queries`.

    Returns:
        [...], in [-1, 1] up to rounding.
    """
    return (queries * candidates).sum(-1)


def conversation(instruction: str, content: str) -> str:
    """The text that is embedded: `content` is a text, or `VISION_TOKENS` for a picture."""
    return (
        f"<|im_start|>system\n{instruction}<|im_end|>\n<|im_start|>user\n{content}<|im_end|>\n"
        "<|im_start|>assistant\n<|endoftext|>"
    )


def _with_image_tokens(template: list[int], image_token: int, length: int) -> list[int]:
    """The template with its one image token repeated until it is `length` tokens long."""
    start = template.index(image_token)
    return template[:start] + [image_token] * (length - len(template) + 1) + template[start + 1 :]


def picture_size(image: Picture) -> tuple[int, int]:
    """Width and height in pixels.

    Raises:
        ArgumentError: it is no picture, or has no pixels.
    """
    if isinstance(image, Image.Image):
        width, height = image.size
    elif isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3:
        height, width = image.shape[:2]
    else:
        kind = f"{image.dtype} array of shape {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
        raise ArgumentError(f"a picture must be a PIL image or a uint8 array [H, W, 3] (got a {kind})")
    if width < 1 or height < 1:
        raise ArgumentError(f"a picture must have at least one pixel (got {width}x{height})")
    return width, height


def _first_size(width: int, height: int) -> tuple[int, int]:
    """Width and height after the first resize: multiples of 28, within 4 * 28^2 to 16384 * 28^2 pixels.

    One side is at most 200 times the other, as the processor that follows demands.
    """
    sides = size_in_blocks(width, height, FACTOR, _FIRST_MIN_PIXELS, _FIRST_MAX_PIXELS)
    longest = min(sides) * _MAX_ASPECT
    return min(sides[0], longest), min(sides[1], longest)


def first_resize(image: Picture) -> Image.Image:
    """A picture as the released code hands it to the processor: RGB, each side a multiple of 28."""
    picture = image if isinstance(image, Image.Image) else Image.fromarray(image)
    return resize(picture.convert("RGB"), _first_size(*picture.size))


def _first(*values: int | None) -> int:
    return next(value for value in values if value is not None)
