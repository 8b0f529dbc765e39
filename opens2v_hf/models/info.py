"""Provenance of models."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

EMBEDDED = "embedded"
"""The word that asks for the small models that travel with this package; never chosen silently."""

EMBEDDED_NOTE = (
    "made with the embedded models, which only know this project's synthetic scenes: "
    "not comparable with any leaderboard or with results of other models"
)


@dataclass(frozen=True)
class ModelInfo:
    """Provenance of one model, as it is written into every result.

    Attributes:
        role: what the model does for the metric: "embedder", "judge", "detector", "prompt_encoder", ...
        name: Hub id, folder, "openai:<model>" or "embedded".
        revision: commit of the Hub repo, or sha256 of the weights for a folder; None where neither is known.
        dtype: of the weights, e.g. "float16"; None for a remote judge.
        device: e.g. "cuda:0" or "cpu"; None for a remote judge.
        embedded: whether this is one of the small models of this package.
        quantization: the method by which the weights were made smaller, e.g. "bitsandbytes"; None where they were not.
        engine: that ran the network, e.g. "vllm"; None for transformers and for networks of this package. A server does
            not say which weights it has loaded.
    """

    role: str
    name: str
    revision: str | None = None
    dtype: str | None = None
    device: str | None = None
    embedded: bool = False
    quantization: str | None = None
    engine: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """A JSON-compatible dict of the attributes."""
        return asdict(self)


def quantization_caveats(models: Iterable[ModelInfo]) -> list[str]:
    """Why numbers of quantised models are not those of the models themselves; nothing where none is quantised.

    Example:
        >>> quantization_caveats([ModelInfo("embedder", "org/gme", quantization="bitsandbytes")])
        ['made with weights of the embedder quantised by bitsandbytes']
    """
    return [
        f"made with weights of the {model.role} quantised by {model.quantization}"
        for model in models
        if model.quantization
    ]
