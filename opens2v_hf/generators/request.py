"""Types that a run and a generator exchange."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from PIL import Image

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
    """

    frames: np.ndarray | None = None
    video: bytes | None = None
    fps: float | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


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
    """

    kind: str
    name: str
    revision: str | None = None
    family: str | None = None
    dtype: str | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    subject_driven: bool = True
    notes: tuple[str, ...] = ()


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
