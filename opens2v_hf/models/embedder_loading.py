"""Which class loads an embedder of texts and pictures: an engine's by its name, others by their config.json."""

from __future__ import annotations

import importlib
import os
from dataclasses import replace
from typing import Any

import torch
from transformers import AutoTokenizer

from opens2v_hf.errors import ArgumentError, ModelError
from opens2v_hf.models.endpoint.embeddings import ServerEngine
from opens2v_hf.models.engine_names import EngineName, check_embedder, engine_name
from opens2v_hf.models.hub import loading, resolve_model
from opens2v_hf.models.info import ModelInfo
from opens2v_hf.models.roles import ROLES
from opens2v_hf.models.served_embedder import EmbeddingEngine, ServedEmbedder
from opens2v_hf.models.transformers_loading import load_config
from opens2v_hf.models.vllm_engine import VllmEngine

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
    """Load an embedder: a GME (Qwen2-VL), the leaderboard's, or a Qwen3-VL-Embedding; or a GME that an engine runs.

    Args:
        model: Hub id, folder, or "embedded"; or "vllm:http://host:port/<model>" or "sglang:http://host:port/<model>"
            for a server, and "vllm:<Hub id or folder>" for vLLM in this process.
        revision: of a Hub repo.
        role: that it has in results.
        device: see `opens2v_hf.models.hub.pick_device`; engines choose their own.
        dtype: of the weights; a server has its own.
        min_pixels: of a picture as the network sees it; by default what is usual for the network.
        max_pixels: likewise.
        max_length: longest sequence in tokens, likewise.
        batch_tokens: upper bound of the tokens computed at a time; engines have bounds of their own.
        **model_kwargs: passed to the network's `from_pretrained`; for a server those of `ServerEngine`, for vLLM in
            this process those of `vllm.LLM`.

    Returns:
        A `GmeEmbedder`; `Qwen3VLEmbedder` is one, too. A `ServedEmbedder` for an engine.

    Raises:
        ArgumentError: an argument has a value that cannot be used.
        ModelError: the model cannot be found or loaded, or is of another kind.
        MissingDependencyError: vLLM is not installed.
    """
    bounds = {"min_pixels": min_pixels, "max_pixels": max_pixels, "max_length": max_length}
    if engine := engine_name(model):
        check_embedder(model, **model_kwargs)
        given = {name: value for name, value in bounds.items() if value is not None}
        return _load_served(engine, revision, role, device, dtype, given, model_kwargs)
    found = resolve_model(model, revision, role)
    with loading(found):
        kind = load_config(found).model_type
        if kind not in EMBEDDERS:
            raise ModelError(f"its config.json says it is a {kind!r}; an embedder is one of {', '.join(EMBEDDERS)}")
    module, name = EMBEDDERS[kind]
    return getattr(importlib.import_module(module), name).from_pretrained(
        model, revision=revision, role=role, device=device, dtype=dtype, batch_tokens=batch_tokens, **bounds,
        **model_kwargs,
    )  # fmt: skip


def _load_served(
    name: EngineName,
    revision: str | None,
    role: str,
    device: str | torch.device | None,
    dtype: str | torch.dtype | None,
    bounds: dict[str, int],
    options: dict[str, Any],
) -> ServedEmbedder:
    own = {"device": device, "dtype": dtype if name.server is not None else None}
    if chosen := [argument for argument, value in own.items() if value not in (None, "auto")]:
        raise ArgumentError(f"a {role} in an engine takes no {' or '.join(chosen)}; set it where the engine is started")
    engine: EmbeddingEngine
    if name.server is not None:
        if revision is not None:
            raise ArgumentError(f"a {role} on a server has no revision (got {revision=}); name it when you start it")
        known = {"api_key", "concurrency", "timeout_s", "max_attempts"}
        if unknown := sorted(set(options) - known):
            raise ArgumentError(f"a {role} on a server knows no {', '.join(unknown)} (it knows {', '.join(known)})")
        engine, info = ServerEngine(name, role=role, **options), ModelInfo(role, name.model, engine=name.engine)
        return ServedEmbedder(engine, info, **bounds)
    found = resolve_model(name.model, revision, role)
    with loading(found):
        tokenizer = AutoTokenizer.from_pretrained(found.source, **found.load_arguments())
        picked = "auto" if dtype is None else str(dtype).removeprefix("torch.")
        engine = VllmEngine(found.source, tokenizer, revision=found.hub_revision, dtype=picked, **options)
    info = replace(found.info(dtype=None if picked == "auto" else picked, device="cuda"), engine=name.engine)
    return ServedEmbedder(engine, info, **bounds)
