"""Types that a run and a generator exchange."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from numbers import Real
from typing import Any, Protocol

import numpy as np
from PIL import Image

from opens2v_hf.errors import ArgumentError, GenerationError
from opens2v_hf.generators.recipe import Recipe

Progress = Callable[[int, int], None]
"""Called with the denoising steps done and their number."""


@dataclass(frozen=True)
class Request:
    """A request for one video.

    Attributes:
        id: of the sample, e.g. "singleobj_1".
        prompt: text that the video is made from.
        images: of the subjects, RGB, in the benchmark's order.
        labels: class of each subject, e.g. "Cup"; as many as `images`.
        seed: of this video.
        recipe: complete, with the generator's defaults.
    """

    id: str
    prompt: str
    images: tuple[Image.Image, ...]
    labels: tuple[str, ...]
    seed: int
    recipe: Recipe


@dataclass(frozen=True)
class Generated:
    """A generated video: frames, or a file that a service encoded.

    Attributes:
        frames: uint8 [T, H, W, 3] RGB, or float in [0, 1] of the same shape; None if `video` is given.
        video: bytes of a video file, which are stored unchanged; None if `frames` is given.
        fps: frames per second; None for the recipe's. Ignored with `video`.
        facts: JSON-compatible, for the record of the video. "used_prompt" is a prompt that replaced the request's; the
            result is then not comparable.

    Raises:
        GenerationError: one of them has another type, or both or neither of frames and video are given.
    """

    frames: np.ndarray | None = None
    video: bytes | None = None
    fps: float | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.video is not None and not isinstance(self.video, bytes):
            raise GenerationError(f"`video` must be the bytes of a video file (got {type(self.video).__name__})")
        if (self.frames is None) == (self.video is None):
            raise GenerationError("the generator must return either frames or a video")
        if self.fps is not None and not (_is_number(self.fps) and math.isfinite(self.fps) and self.fps > 0):
            raise GenerationError(f"`fps` must be a number above 0 (got {self.fps!r:.80})")
        if not isinstance(self.facts, Mapping):
            raise GenerationError(f"`facts` must map names to values (got {type(self.facts).__name__})")


@dataclass(frozen=True)
class GeneratorInfo:
    """The generator of videos. All fields but `subject_driven` and `notes` are part of a video's key.

    Attributes:
        kind: "diffusers", "python", "http" or "provider".
        name: Hub id, folder, "module:function" or address.
        revision: commit of the Hub repo, or digest of a folder's index file; None where there is none.
        family: pipeline class, e.g. "WanVACEPipeline"; None where it is not known.
        dtype: of the weights; None where it is not known.
        versions: of the libraries that affect the video.
        subject_driven: whether the model takes pictures of subjects as such. An image-to-video model does not: its
            picture is the first frame.
        notes: for readers of the result.

    Raises:
        ArgumentError: one of them has another type.
    """

    kind: str
    name: str
    revision: str | None = None
    family: str | None = None
    dtype: str | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    subject_driven: bool = True
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, value in (("kind", self.kind), ("name", self.name)):
            if not isinstance(value, str) or not value:
                raise ArgumentError(f"`{name}` of a generator must be a text (got {value!r:.80})")
        for name, text in (("revision", self.revision), ("family", self.family), ("dtype", self.dtype)):
            if text is not None and not isinstance(text, str):
                raise ArgumentError(f"`{name}` of a generator must be a text or None (got {text!r:.80})")
        versions = self.versions.items() if isinstance(self.versions, Mapping) else [(None, None)]
        if not all(isinstance(word, str) for pair in versions for word in pair):
            raise ArgumentError(f"`versions` of a generator must map packages to texts (got {self.versions!r:.80})")
        if not isinstance(self.subject_driven, bool):
            raise ArgumentError(
                f"`subject_driven` of a generator must be True or False (got {self.subject_driven!r:.80})"
            )
        if not isinstance(self.notes, tuple | list) or not all(isinstance(note, str) for note in self.notes):
            raise ArgumentError(f"`notes` of a generator must be a tuple of texts (got {self.notes!r:.80})")


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


class Described(Protocol):
    """Attributes of a generator before it is loaded."""

    @property
    def info(self) -> GeneratorInfo:
        """The generator of the videos."""
        ...

    @property
    def recipe(self) -> Recipe:
        """Default settings of a request."""
        ...

    @property
    def max_references(self) -> int | None:
        """Largest number of pictures in a request; None for any number."""
        ...


class Generator(Described, Protocol):
    """Makes videos, one at a time."""

    def generate(self, request: Request, progress: Progress | None = None) -> Generated:
        """Make one video.

        The same request gives the same video, also after other requests.

        Raises:
            GenerationError: this video cannot be made; others may.
        """
        ...

    def close(self) -> None:
        """Free memory: models of metrics are loaded next."""
        ...
