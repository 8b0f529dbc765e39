"""The references of a video, as NexusScore takes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from opens2v_hf.errors import ArgumentError
from opens2v_hf.metrics.labelled_pictures import LabelledPictures, for_each_record, labelled_pictures
from opens2v_hf.scores.nexus import compared_label


@dataclass(frozen=True, eq=False)
class NexusReference(LabelledPictures):
    """Inputs of NexusScore for a sample; see `LabelledPictures`. Labels of people are interpreted by the id.

    Attributes:
        image_embeds: [len(images), D] picture embeddings to use in place of the prompt encoder's; None to encode.
        prompt_embeds: [len(images), D] the detector's prompts, L2-normalised, to use in place of both the encoder's
            embeddings and the detector's projector; None to make them.
    """

    image_embeds: Any = None
    prompt_embeds: Any = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for position, label in enumerate(self.labels):
            if not isinstance(label, str) or not label.strip():
                raise ArgumentError(
                    f"{self.where}: picture {position} has no label (got {label!r}); its crops are compared with it"
                )
        if self.image_embeds is not None and self.prompt_embeds is not None:
            raise ArgumentError(f"{self.where}: give either picture embeddings or prompts, not both")
        for name, values in (("image_embeds", self.image_embeds), ("prompt_embeds", self.prompt_embeds)):
            if values is not None and not _is_matrix(values, len(self.images)):
                raise ArgumentError(
                    f"{self.where}: {name} must be finite numbers [{len(self.images)}, D], one row for each picture "
                    f"(got {values!r:.80})"
                )

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
        """The reason for an empty `applicable`."""
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
        records: see `labelled_pictures`.
        ids: likewise.
        image_embeds: for each video [K, D], or None to encode its pictures; None to encode all.
        prompt_embeds: likewise.

    Raises:
        ArgumentError: see `labelled_pictures` and `NexusReference`; or a list is not as long as `records`.
    """
    embeds = [
        for_each_record(values, name, len(records))
        for name, values in (("image_embeds", image_embeds), ("prompt_embeds", prompt_embeds))
    ]
    return [
        NexusReference(*of_one, *given) for *given, of_one in zip(*embeds, labelled_pictures(records, ids), strict=True)
    ]


def as_array(values: Any) -> np.ndarray:
    """An array of a tensor, an array, or a list of either."""
    if isinstance(values, list | tuple):
        return np.asarray([as_array(row) for row in values])
    if hasattr(values, "detach"):  # NumPy reads no tensor of a graph, on a device or of bfloat16
        values = values.detach().cpu().float()
    return np.asarray(values)


def _is_matrix(values: Any, num_rows: int) -> bool:
    try:
        array = as_array(values)
    except (TypeError, ValueError):  # ragged lists
        return False
    is_numeric = array.dtype.kind in "biuf"
    return is_numeric and array.ndim == 2 and len(array) == num_rows and bool(np.isfinite(array).all())
