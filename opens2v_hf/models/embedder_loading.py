"""Which class loads an embedder of texts and pictures: its config.json says."""

from __future__ import annotations

import importlib
import os
from typing import Any

import torch

from opens2v_hf.errors import ModelError
from opens2v_hf.models.hub import loading, resolve_model
from opens2v_hf.models.roles import ROLES
from opens2v_hf.models.transformers_loading import load_config

EMBEDDERS = {
    "qwen2_vl": ("opens2v_hf.models.gme", "GmeEmbedder"),
    "qwen3_vl": ("opens2v_hf.models.qwen3_vl_embedding", "Qwen3VLEmbedder"),
}
"""Model type to the module and the class of its embedder."""


def load_embedder(
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
) -> Any:
    """Load an embedder: a GME (Qwen2-VL), the leaderboard's, or a Qwen3-VL-Embedding.

    Args:
        model: Hub id, folder, or "embedded".
        revision: of a Hub repo.
        role: that it has in results.
        device: see `opens2v_hf.models.hub.pick_device`.
        dtype: of the weights.
        min_pixels: of a picture as the network sees it; by default what is usual for the network.
        max_pixels: likewise.
        max_length: longest sequence in tokens, likewise.
        batch_tokens: upper bound of the tokens computed at a time.
        **model_kwargs: passed to the network's `from_pretrained`.

    Returns:
        A `GmeEmbedder`; `Qwen3VLEmbedder` is one, too.

    Raises:
        ArgumentError: an argument has a value that cannot be used.
        ModelError: the model cannot be found or loaded, or is of another kind.
    """
    found = resolve_model(model, revision, role)
    with loading(found):
        kind = load_config(found).model_type
        if kind not in EMBEDDERS:
            raise ModelError(f"its config.json says it is a {kind!r}; an embedder is one of {', '.join(EMBEDDERS)}")
    module, name = EMBEDDERS[kind]
    return getattr(importlib.import_module(module), name).from_pretrained(
        model, revision=revision, role=role, device=device, dtype=dtype, min_pixels=min_pixels, max_pixels=max_pixels,
        max_length=max_length, batch_tokens=batch_tokens, **model_kwargs,
    )  # fmt: skip
