"""Painting things out of pictures."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Protocol

import cv2
import numpy as np
from PIL import Image

from opens2v_hf.errors import MissingDependencyError, ModelError
from opens2v_hf.models.hub import pick_device, pick_dtype
from opens2v_hf.video.resize import resize

_PROMPT = "empty background, the surroundings continue, no people, no objects"
_MULTIPLE = 16  # of the sides that all of diffusers' inpainting pipelines take
_SEED = 0
_RADIUS = 5  # pixels around the hole that Telea's method takes into account


class Inpainter(Protocol):
    """Fills holes of pictures from what surrounds them.

    Attributes:
        facts: which one it is, with a "name"; JSON-compatible.
    """

    facts: Mapping[str, Any]

    def paint_out(self, image: np.ndarray, hole: np.ndarray) -> np.ndarray:
        """The picture with its hole filled.

        Args:
            image: uint8 [H, W, 3] RGB; not to be changed.
            hole: bool [H, W], at least one pixel of it set.

        Returns:
            uint8 [H, W, 3] RGB.
        """
        ...


class OpenCVInpainter:
    """Telea's method (2004): colours march inwards from the rim; no texture comes about."""

    facts: Mapping[str, Any] = {"name": "opencv", "method": "telea", "version": cv2.__version__}

    def paint_out(self, image: np.ndarray, hole: np.ndarray) -> np.ndarray:
        """See `Inpainter`."""
        if hole.all():
            return np.zeros_like(image)  # there is nothing to continue
        return cv2.inpaint(np.ascontiguousarray(image), hole.astype(np.uint8), _RADIUS, cv2.INPAINT_TELEA)


class DiffusersInpainter:
    """A diffusers inpainting pipeline; what is not in the hole stays as it was, to the bit.

    Args:
        pipeline: takes `prompt`, `image`, `mask_image`, `height`, `width` and `generator`.
        facts: which one it is.
    """

    def __init__(self, pipeline: Any, facts: Mapping[str, Any]) -> None:
        self.pipeline = pipeline
        self.facts = facts

    def paint_out(self, image: np.ndarray, hole: np.ndarray) -> np.ndarray:
        """See `Inpainter`."""
        import torch

        height, width = image.shape[:2]
        size = (_rounded(width), _rounded(height))
        result = self.pipeline(
            prompt=_PROMPT,
            image=resize(Image.fromarray(image), size),
            mask_image=Image.fromarray(hole.astype(np.uint8) * 255).resize(size, Image.Resampling.NEAREST),
            width=size[0],
            height=size[1],
            generator=torch.Generator("cpu").manual_seed(_SEED),
        ).images[0]
        painted = np.asarray(resize(result.convert("RGB"), (width, height)))
        return np.where(hole[..., None], painted, image)


def _rounded(side: int) -> int:
    return max(_MULTIPLE, round(side / _MULTIPLE) * _MULTIPLE)


def load_inpainter(
    name: str | os.PathLike[str], *, revision: str | None = None, device: str | None = None
) -> DiffusersInpainter:
    """Load a diffusers inpainting pipeline.

    Args:
        name: Hub id or folder.
        revision: of a Hub repo.
        device: see `opens2v_hf.models.hub.pick_device`.

    Raises:
        MissingDependencyError: diffusers is not installed.
        ModelError: it cannot be loaded, or paints nothing in.
    """
    try:
        from diffusers import AutoPipelineForInpainting
    except ImportError as error:
        raise MissingDependencyError(
            "an inpainting model needs diffusers: `pip install 'opens2v-hf[generate]'`, or use the inpainter 'opencv'"
        ) from error
    target = pick_device(device)
    dtype = pick_dtype(None, target)
    try:
        pipeline = AutoPipelineForInpainting.from_pretrained(
            os.fspath(name), revision=revision, dtype=dtype, use_safetensors=True, trust_remote_code=False
        )
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, ImportError, AttributeError) as error:
        reason = " ".join(str(error).split())[:500]
        raise ModelError(f"the inpainting pipeline {os.fspath(name)!r} cannot be loaded: {reason}") from error
    pipeline.set_progress_bar_config(disable=True)
    return DiffusersInpainter(pipeline.to(target), {"name": os.fspath(name), "revision": revision, "dtype": str(dtype)})
