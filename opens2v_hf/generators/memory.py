"""Measures against a lack of memory. They are taken one after another, each for all later videos.

None of them changes a video's size or length. VAE tiling changes pixels a little at the seams. The others move weights
between the machine's memory and the GPU, which takes time and changes no pixel.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from opens2v_hf._util.retries import free_memory

_LOGGER = logging.getLogger(__name__)


class MemoryMeasures:
    """The measures that a pipeline supports, cheapest first.

    Args:
        pipeline: loaded into the machine's memory.
        device: that it runs on.

    Attributes:
        taken: names of the measures taken so far, in order.
    """

    def __init__(self, pipeline: Any, device: torch.device) -> None:
        self._pipeline = pipeline
        self._device = device
        self.taken: list[str] = []
        vae: Any = getattr(pipeline, "vae", None)
        self._known: dict[str, Callable[[], None]] = {}
        if hasattr(vae, "enable_tiling"):
            self._known["VAE tiling"] = vae.enable_tiling
        if device.type != "cpu":  # else the weights are in the machine's memory already
            if hasattr(pipeline, "enable_model_cpu_offload"):
                self._known["model offload"] = self._offload_models
            self._known["group offload"] = self._offload_groups

    def move_to_device(self, *, fits: bool = True) -> None:
        """Move the pipeline to its device; if it does not fit there, take the first measure that offloads weights.

        Args:
            fits: whether all weights are likely to fit the device together.

        Raises:
            torch.OutOfMemoryError: it does not fit, and no measure offloads weights.
        """
        if fits:
            try:
                self._pipeline.to(self._device)
                return
            except torch.OutOfMemoryError:
                if not self._has("model offload", "group offload"):
                    raise
            self._pipeline.to("cpu")
            free_memory()
        self._take(next(name for name in ("model offload", "group offload") if name in self._known))

    def take_next(self) -> bool:
        """Take the next measure; False when none is left."""
        name = next((name for name in self._known if name not in self.taken), None)
        if name is None:
            return False
        self._take(name)
        return True

    def _has(self, *names: str) -> bool:
        return any(name in self._known for name in names)

    def _take(self, name: str) -> None:
        _LOGGER.warning("out of memory: %s is used for this and all later videos", name)
        self._known[name]()
        self.taken.append(name)

    def _offload_models(self) -> None:
        """Whole networks take turns on the GPU."""
        self._pipeline.enable_model_cpu_offload(device=self._device)

    def _offload_groups(self) -> None:
        """Layers take turns on the GPU."""
        from diffusers.hooks import apply_group_offloading

        if hasattr(self._pipeline, "remove_all_hooks"):
            self._pipeline.remove_all_hooks()  # of model offload, which cannot be combined with group offload
        self._pipeline.to("cpu")
        for part in self._pipeline.components.values():
            if isinstance(part, torch.nn.Module):
                enable = getattr(part, "enable_group_offload", None) or partial(apply_group_offloading, part)
                enable(onload_device=self._device, offload_device=torch.device("cpu"), offload_type="leaf_level")
