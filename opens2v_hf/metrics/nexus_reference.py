"""The references of a video, as NexusScore is given them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from opens2v_hf.errors import ArgumentError
from opens2v_hf.scores.nexus import compared_label


@dataclass(frozen=True, eq=False)
class NexusReference:
    """What NexusScore needs of a sample.

    Attributes:
        images: reference pictures, see `load_picture`.
        labels: one for each picture.
        id: of the sample, which decides how labels of people are read; None for a video of no sample.
        image_embeds: [len(images), D] picture embeddings to use in place of the prompt encoder's; None to encode.
        prompt_embeds: [len(images), D] the detector's prompts, L2-normalised, to use in place of both the encoder's
            embeddings and the detector's projector; None to make them.
    """

    images: tuple[Any, ...]
    labels: tuple[str, ...]
    id: str | None = None
    image_embeds: Any = None
    prompt_embeds: Any = None

    def __post_init__(self) -> None:
        where = f"the references of {self.id!r}" if self.id is not None else "the references of a video"
        if len(self.images) != len(self.labels):
            raise ArgumentError(
                f"{where}: each picture has one label (got {len(self.images)} pictures, {len(self.labels)} labels)"
            )
        for position, label in enumerate(self.labels):
            if not isinstance(label, str) or not label.strip():
                raise ArgumentError(
                    f"{where}: picture {position} has no label (got {label!r}); its crops are compared with it"
                )
        if self.image_embeds is not None and self.prompt_embeds is not None:
            raise ArgumentError(f"{where}: give either picture embeddings or prompts, not both")
        for name, values in (("image_embeds", self.image_embeds), ("prompt_embeds", self.prompt_embeds)):
            if values is not None and (np.ndim(values) != 2 or len(values) != len(self.images)):
                raise ArgumentError(f"{where}: {name} are [{len(self.images)}, D], one row a picture")

    @property
    def needs_encoder(self) -> bool:
        """Whether no embedding is given and some reference applies."""
        return self.image_embeds is None and self.prompt_embeds is None and bool(self.applicable)

    @property
    def applicable(self) -> tuple[tuple[int, str], ...]:
        """Position and compared text of every reference that the label rules leave."""
        texts = ((position, compared_label(self.id, label)) for position, label in enumerate(self.labels))
        return tuple((position, text) for position, text in texts if text is not None)

    @property
    def why_none_applies(self) -> str:
        """The reason to give where `applicable` is empty."""
        if not self.labels:
            return "the sample has no reference picture"
        return (
            f"no reference is left: labels {', '.join(self.labels)} are skipped in an id that contains 'face' "
            f"({self.id})"
        )


def references_of(
    records: Sequence[Mapping[str, Any]],
    ids: Sequence[str | None] | None = None,
    *,
    image_embeds: Sequence[Any] | None = None,
    prompt_embeds: Sequence[Any] | None = None,
) -> list[NexusReference]:
    """Check what `compute()` is given for each video.

    Args:
        records: dicts with "images", "labels" and, if wished, "id".
        ids: one a video, or None to go by the records.
        image_embeds: one [K, D] a video (None where it brings none), or None.
        prompt_embeds: likewise.

    Raises:
        ArgumentError: see `NexusReference`; or the lists differ in length.
    """
    given = {"ids": ids, "image_embeds": image_embeds, "prompt_embeds": prompt_embeds}
    columns: dict[str, Sequence[Any]] = {}
    for name, values in given.items():
        columns[name] = [None] * len(records) if values is None else values
        if len(columns[name]) != len(records):
            raise ArgumentError(f"NexusScore needs one of {name} a video (got {len(columns[name])} for {len(records)})")
    found = []
    for index, record in enumerate(records):
        try:
            images, labels = record["images"], record["labels"]
        except (KeyError, TypeError) as error:
            raise ArgumentError(f"references[{index}] is a dict with 'images' and 'labels' (got {record!r})") from error
        found.append(
            NexusReference(
                images=tuple(images or ()),
                labels=tuple(labels or ()),
                id=columns["ids"][index] if ids is not None else record.get("id"),
                image_embeds=columns["image_embeds"][index],
                prompt_embeds=columns["prompt_embeds"][index],
            )
        )
    return found
