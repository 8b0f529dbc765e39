"""From what a module of `evaluate` is given for each video to what its metric compares the video with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from opens2v_hf.metrics.face_reference import face_references_of
from opens2v_hf.metrics.nexus_reference import references_of
from opens2v_hf.metrics.subject_reference import subject_references_of


def references_for(metric: str, records: Sequence[Mapping[str, Any]], given: Mapping[str, Any]) -> Sequence[Any] | None:
    """One reference for each video, or None for a metric that needs none.

    Args:
        metric: its name.
        records: as `InputStore.load_record` gives them.
        given: the module's arguments, with "ids", "image_embeds" and "prompt_embeds" where it takes them.

    Raises:
        ArgumentError: a record or an argument is of no use.
    """
    if metric == "gmescore":
        return [record["prompt"] for record in records]
    if metric == "nexusscore":
        embeds = {name: given.get(name) for name in ("image_embeds", "prompt_embeds")}
        return references_of(records, given.get("ids"), **embeds)
    if metric in ("subject_identity", "copypaste"):
        return subject_references_of(records, given.get("ids"))
    return face_references_of(records, given.get("ids")) if metric.startswith("facesim") else None
