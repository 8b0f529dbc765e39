"""What is done where memory does not suffice: one measure after another, each for all videos from there on.

None of them changes a video's size or length. VAE tiling changes its pixels a little at the seams; the others move
weights between the machine's memory and the GPU, which costs time alone.
"""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable
from functools import partial
from typing import Any

import torch

_LOGGER = logging.getLogger(__name__)


class MemoryMeasures:
    """The measures that a pipeline knows, cheapest first.

    Args:
        pipeline: loaded, in the machine's memory.
        device: that it runs on.

    Attributes:
        taken: the names of the measures that were taken, in order.
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

    def place(self, *, fits: bool = True) -> None:
        """Move the pipeline to its device, or take the measures that let it run there from the machine's memory.

        Args:
            fits: whether all weights are likely to fit the device together.

        Raises:
            torch.OutOfMemoryError: there is no measure left.
        """
        if fits:
            try:
                self._pipeline.to(self._device)
                return
            except torch.OutOfMemoryError:
                if not self._has("model offload", "group offload"):
                    raise
            self._pipeline.to("cpu")
            let_go()
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
        _LOGGER.warning("out of memory: going on with %s, for all videos from here on", name)
        self._known[name]()
        self.taken.append(name)

    def _offload_models(self) -> None:
        """Whole networks take turns on the GPU."""
        self._pipeline.enable_model_cpu_offload(device=self._device)

    def _offload_groups(self) -> None:
        """Layers take turns on the GPU."""
        from diffusers.hooks import apply_group_offloading

        if hasattr(self._pipeline, "remove_all_hooks"):
            self._pipeline.remove_all_hooks()  # those of model offload, which group offload cannot join
        self._pipeline.to("cpu")
        for part in self._pipeline.components.values():
            if isinstance(part, torch.nn.Module):
                enable = getattr(part, "enable_group_offload", None) or partial(apply_group_offloading, part)
                enable(onload_device=self._device, offload_device=torch.device("cpu"), offload_type="leaf_level")


def let_go() -> None:
    """Give memory back that nothing refers to."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
