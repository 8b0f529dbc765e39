"""Loading of embedders: by the engine in the name, else by the model type in config.json."""

from __future__ import annotations

import importlib
import os
from dataclasses import replace
from typing import Any

import torch
from transformers import AutoTokenizer

from opens2v_hf.errors import ArgumentError, ModelError
from opens2v_hf.models.embedding_server import ServerEngine
from opens2v_hf.models.endpoint.engine_names import EngineName, check_embedder, engine_name
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
    **arguments: Any,
) -> Any:
    """Load an embedder: a GME (Qwen2-VL), the leaderboard's, or a Qwen3-VL-Embedding; or a GME that an engine runs.

    Args:
        model: Hub id, folder, or "embedded"; or "vllm:http://host:port/<model>" or "sglang:http://host:port/<model>"
            for a server, and "vllm:<Hub id or folder>" for vLLM in this process.
        revision: of a Hub repo.
        role: that it has in results.
        **arguments: of `GmeEmbedder.from_pretrained`. An engine takes `min_pixels`, `max_pixels` and `max_length` of
            them; a server also those of `ServerEngine`, and vLLM in this process `dtype` and those of `vllm.LLM`.

    Returns:
        A `GmeEmbedder`; `Qwen3VLEmbedder` is one, too. A `ServedEmbedder` for an engine.

    Raises:
        ArgumentError: an argument has a value that cannot be used.
        ModelError: the model cannot be found or loaded, or is of another kind.
        MissingDependencyError: vLLM is not installed.
    """
    if engine := engine_name(model):
        check_embedder(model, **arguments)
        return _load_served(engine, revision, role, arguments)
    found = resolve_model(model, revision, role)
    with loading(found):
        kind = load_config(found).model_type
        if kind not in EMBEDDERS:
            raise ModelError(f"its config.json says it is a {kind!r}; an embedder is one of {', '.join(EMBEDDERS)}")
    module, name = EMBEDDERS[kind]
    embedder_class = getattr(importlib.import_module(module), name)
    return embedder_class.from_pretrained(model, revision=revision, role=role, **arguments)


def _load_served(name: EngineName, revision: str | None, role: str, arguments: dict[str, Any]) -> ServedEmbedder:
    given = {key: value for key, value in arguments.items() if value is not None and key != "batch_tokens"}
    bounds = {key: given.pop(key) for key in ("min_pixels", "max_pixels", "max_length") if key in given}
    placed = {key: given.pop(key, "auto") for key in ("device", "dtype")}
    fixed = ("device",) if name.server is None else ("device", "dtype")
    if chosen := [key for key in fixed if placed[key] != "auto"]:
        raise ArgumentError(f"a {role} in an engine takes no {' or '.join(chosen)}; set it where the engine is started")
    engine: EmbeddingEngine
    if name.server is not None:
        if revision is not None:
            raise ArgumentError(f"a {role} on a server has no revision (got {revision=}); name it when you start it")
        known = {"api_key", "concurrency", "timeout_s", "max_attempts"}
        if unknown := sorted(set(given) - known):
            raise ArgumentError(f"a {role} on a server knows no {', '.join(unknown)} (it knows {', '.join(known)})")
        engine, info = ServerEngine(name, role=role, **given), ModelInfo(role, name.model, engine=name.engine)
        return ServedEmbedder(engine, info, **bounds)
    found = resolve_model(name.model, revision, role)
    dtype = str(placed["dtype"]).removeprefix("torch.")
    with loading(found):
        tokenizer = AutoTokenizer.from_pretrained(found.source, **found.load_arguments())
        engine = VllmEngine(found.source, tokenizer, revision=found.hub_revision, dtype=dtype, **given)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    info = replace(found.info(dtype=None if dtype == "auto" else dtype, device=device), engine=name.engine)
    return ServedEmbedder(engine, info, **bounds)
