"""A diffusers pipeline that edits pictures, on this machine."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image

from opens2v_hf.errors import GenerationError, MissingDependencyError, ModelError
from opens2v_hf.models.hub import pick_device, pick_dtype
from opens2v_hf.pipeline.views.editor import Edited, EditRefusedError, EditRequest
from opens2v_hf.pipeline.views.options import ViewOptions

_LISTS = ("QwenImageEditPlusPipeline", "Flux2Pipeline", "Flux2KleinPipeline", "JoyImageEditPlusPipeline")
"""Classes of diffusers 0.42 whose `image` may be a list of references."""


class PipelineEditor:
    """Runs a pipeline of diffusers that takes `image` and `prompt`.

    Args:
        options: its Hub id or folder, device and revision; `extra` are arguments of each call.

    Raises:
        MissingDependencyError: diffusers is not installed.
        ModelError: it cannot be loaded, or takes no image and prompt.
    """

    is_paid = False

    def __init__(self, options: ViewOptions) -> None:
        try:
            from diffusers import DiffusionPipeline
        except ImportError as error:
            raise MissingDependencyError("a pipeline needs diffusers: pip install 'opens2v-hf[generate]'") from error
        self.name = options.model
        self._options = options
        device = pick_device(options.device)
        try:
            pipeline: Any = DiffusionPipeline.from_pretrained(
                options.model,
                revision=options.revision,
                dtype=pick_dtype(None, device),
                use_safetensors=True,
                trust_remote_code=False,
            )
        except (OSError, ValueError, KeyError, TypeError, RuntimeError, ImportError, AttributeError) as error:
            reason = " ".join(str(error).split())[:500]
            raise ModelError(f"{options.model!r} cannot be loaded as a diffusers pipeline: {reason}") from error
        self._pipeline = pipeline.to(device)
        self._pipeline.set_progress_bar_config(disable=True)
        self._class = type(pipeline).__name__
        self._arguments = inspect.signature(type(pipeline).__call__).parameters
        if not {"image", "prompt"} <= set(self._arguments):
            raise ModelError(
                f"{options.model!r} is a {self._class}, which edits no pictures: it takes no image and prompt"
            )
        if unknown := sorted(set(options.extra) - set(self._arguments)):
            raise ModelError(f"{self._class} takes no {unknown[0]!r}; it takes {', '.join(self._arguments)}")
        self._lock = threading.Lock()

    def facts(self) -> Mapping[str, Any]:
        """The pipeline and the arguments of each call."""
        return {
            "model": self.name,
            "revision": self._options.revision,
            "pipeline": self._class,
            "arguments": dict(self._options.extra) | self._size(),
        }

    def edit(self, request: EditRequest) -> Edited:
        """Make one picture.

        Raises:
            EditRefusedError: the picture cannot be used, e.g. it has values that are no numbers.
            GenerationError: the machine has no memory for it.
        """
        import torch

        images: Any = list(request.images) if self._class in _LISTS else request.images[0]
        call = {"image": images, "prompt": request.prompt, "output_type": "np", **self._size(), **self._options.extra}
        if "generator" in self._arguments:
            call["generator"] = torch.Generator("cpu").manual_seed(request.seed)
        try:
            with self._lock, torch.inference_mode():
                made = np.asarray(self._pipeline(**call).images[0], dtype=np.float64)
        except torch.OutOfMemoryError as error:
            raise GenerationError(
                f"{self.name}: out of memory; make smaller pictures (size=)", transient=True
            ) from error
        if made.ndim != 3 or not np.isfinite(made).all():
            raise EditRefusedError(f"{self._class} made a picture with values that are no numbers")
        return Edited(Image.fromarray((made.clip(0, 1) * 255).round().astype(np.uint8)))

    def _size(self) -> dict[str, int]:
        if self._options.size is None:
            return {}
        width, _, height = self._options.size.partition("x")
        if not (width.isdecimal() and height.isdecimal()):
            raise ModelError(f"the size for a pipeline must be <width>x<height> (got {self._options.size!r})")
        return {"width": int(width), "height": int(height)} if {"width", "height"} <= set(self._arguments) else {}
