"""Options of views."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from opens2v_hf._util.numbers import is_whole
from opens2v_hf.errors import ArgumentError

Choice = Literal["best", "released"]
ImageField = Literal["auto", "image", "image[]"]

PROMPT = (
    "The first picture shows a {tag}. Make a new photograph of exactly this {tag}: the same individual with the same "
    "face, hair, clothes, shape, colours, materials and markings, but in another pose or from another side, in another "
    "place and light. Show it whole, and nothing else of the picture that it was taken from."
)
"""The default prompt; {tag} is the subject's label with spaces between its words."""

_OWN_FIELDS = frozenset({"model", "prompt", "image", "image[]", "n"})


@dataclass(frozen=True, kw_only=True)
class ViewOptions:
    """Options of `make_views`.

    Attributes:
        model: "openai:<model>" behind an endpoint of images/edits, or the Hub id or folder of a diffusers pipeline that
            edits pictures. There is no default: hosted models come and go.
        choice: which subjects get a view. "best": masks of at least 1/32 of the frame that touch at most one of its
            borders, one for each thing, those with the highest aesthetic score first. "released": boxes over 8 % of the
            frame, a random number of 1 to `max_views_per_clip` of them.
        max_views_per_clip: at most.
        max_clips: that get views; None for all.
        prompt: with {tag}.
        with_frame: whether the whole frame is shown too, as the second picture.
        size: of the picture, as the endpoint knows it, e.g. "1024x1024"; None for its own default.
        quality: likewise, e.g. "low", "medium", "high".
        seed: of the pictures and of the choice; sent to an endpoint only if it is in `extra`.
        extra: more fields of the request, or arguments of the pipeline, e.g. `num_inference_steps`.
        embedder: that compares the view with the subject, a name of the role "embedder".
        min_similarity: that it must exceed; by default what is known for the embedder.
        near_copy: a view whose perceptual hash differs from the crop's in at most so many of 64 bits is a copy of it.
        base_url: of the endpoint; by default `OPENAI_BASE_URL`, else OpenAI's own.
        api_key: by default `OPENAI_API_KEY`.
        image_field: the name of the field of pictures; "auto" is "image" for one and "image[]" for several, and the
            other one after a refusal.
        concurrency: requests at a time.
        timeout_s: for one picture. A client that gives up still pays, so it is long.
        max_calls: pictures that may be requested, in all runs in this folder.
        max_cost: what they may cost, likewise, in the currency of the price table. What is under way when it is reached
            is still paid.
        prices: a JSON file of prices that win over the package's own.
        device: of the embedder and of a pipeline.
        revision: of a pipeline's repo.

    Raises:
        ArgumentError: a value cannot be used.
    """

    model: str
    choice: Choice = "best"
    max_views_per_clip: int = 4
    max_clips: int | None = None
    prompt: str = PROMPT
    with_frame: bool = True
    size: str | None = None
    quality: str | None = None
    seed: int = 42
    extra: Mapping[str, Any] = field(default_factory=dict)
    embedder: str = "Alibaba-NLP/gme-Qwen2-VL-7B-Instruct"
    min_similarity: float | None = None
    near_copy: int = 10
    base_url: str | None = None
    api_key: str | None = field(default=None, repr=False)
    image_field: ImageField = "auto"
    concurrency: int = 2
    timeout_s: float = 600.0
    max_calls: int | None = None
    max_cost: float | None = None
    prices: Path | None = None
    device: str | None = None
    revision: str | None = None

    def __post_init__(self) -> None:
        if not self.model.strip():
            raise ArgumentError("views need a model: openai:<model>, or the Hub id or folder of a diffusers pipeline")
        for name, values in (("choice", get_args(Choice)), ("image_field", get_args(ImageField))):
            if getattr(self, name) not in values:
                raise ArgumentError(f"{name} must be one of {', '.join(values)} (got {getattr(self, name)!r})")
        for name, optional in (
            ("max_views_per_clip", False), ("concurrency", False), ("max_calls", True), ("max_clips", True),
        ):  # fmt: skip
            value = getattr(self, name)
            if not (optional and value is None) and not is_whole(value, 1):
                raise ArgumentError(f"{name} must be a whole number from 1 (got {value!r})")
        for name in ("timeout_s", "max_cost"):
            value = getattr(self, name)
            if value is not None and not (isinstance(value, int | float) and 0 < value < math.inf):
                raise ArgumentError(f"{name} must be a number above 0 (got {value!r})")
        if not 0 <= self.near_copy <= 64:
            raise ArgumentError(f"near_copy must be a number of bits in 0..64 (got {self.near_copy})")
        if "{tag}" not in self.prompt:
            raise ArgumentError("the prompt must have {tag} in it, where the subject's label goes")
        if own := sorted(_OWN_FIELDS & set(self.extra)):
            raise ArgumentError(f"extra cannot set {own[0]!r}, which is made for each picture")
