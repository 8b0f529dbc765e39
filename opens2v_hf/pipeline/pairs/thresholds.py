"""Thresholds on similarities above which two subjects are the same, by embedder."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from opens2v_hf._util.numbers import is_number
from opens2v_hf.errors import ArgumentError


@dataclass(frozen=True)
class Thresholds:
    """Similarity thresholds for the same subject.

    Attributes:
        text: least similarity of the two labels, inclusive (as released).
        image: similarity of the two cut-outs that must be exceeded (as released).
    """

    text: float
    image: float

    def __post_init__(self) -> None:
        for name in ("text", "image"):
            value = getattr(self, name)
            if not is_number(value, -1, 1):
                raise ArgumentError(f"a {name} similarity must be a number in -1..1 (got {value!r})")


@functools.cache
def _table() -> dict[str, dict[str, dict[str, Any]]]:
    return json.loads(files("opens2v_hf.pipeline.pairs").joinpath("thresholds.json").read_text("utf-8"))


def known_thresholds(embedder: str, cluster: str) -> Thresholds | None:
    """The thresholds of an embedder that somebody has measured or released; None where there are none.

    Args:
        embedder: Hub id, or "embedded".
        cluster: "source" for clips of one source video, which have few similar subjects; "visual" for all clips.

    Example:
        >>> known_thresholds("Alibaba-NLP/gme-Qwen2-VL-7B-Instruct", "source")
        Thresholds(text=0.6, image=0.6)
        >>> known_thresholds("Alibaba-NLP/gme-Qwen2-VL-7B-Instruct", "visual") is None
        True
    """
    found = _table().get(embedder, {}).get(cluster)
    return None if found is None else Thresholds(found["text"], found["image"])


def thresholds_for(embedder: str | None, cluster: str, given: Thresholds | None) -> Thresholds:
    """The thresholds to use: those that were given, else those that are known for the embedder.

    Raises:
        ArgumentError: there are neither.
    """
    if given is not None:
        return given
    known = None if embedder is None else known_thresholds(embedder, cluster)
    if known is None:
        whose = "an unnamed embedder" if embedder is None else f"the embedder {embedder!r}"
        raise ArgumentError(
            f"no thresholds are known for {whose} in {cluster} clusters (known: "
            f"{', '.join(name for name, of in _table().items() if cluster in of)}); measure them on pairs whose truth "
            f"you know, and give {cluster}=Thresholds(text, image)"
        )
    return known
