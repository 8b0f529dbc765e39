"""The people among a video's references, as the metrics of faces are given them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from opens2v_hf.data.benchmark.rules import PERSON_LABELS
from opens2v_hf.errors import ArgumentError


@dataclass(frozen=True, eq=False)
class FaceReference:
    """Pictures of the people that a video is to show.

    Attributes:
        images: reference pictures, see `load_picture`; each of another person.
        labels: one for each picture, for results.
        id: of the sample, for messages; None for a video of no sample.
    """

    images: tuple[Any, ...]
    labels: tuple[str, ...]
    id: str | None = None

    def __post_init__(self) -> None:
        if len(self.images) != len(self.labels):
            where = f"the references of {self.id!r}" if self.id is not None else "the references of a video"
            raise ArgumentError(
                f"{where}: each picture has one label (got {len(self.images)} pictures, {len(self.labels)} labels)"
            )

    def picture_name(self, position: int) -> str:
        """What a picture is called in messages where it has no path."""
        return f"picture {position} of {self.id or 'the references of a video'}"


def face_references_of(
    records: Sequence[Mapping[str, Any]], ids: Sequence[str | None] | None = None
) -> list[FaceReference]:
    """Pick the people out of what `compute()` is given for each video: the pictures labelled "Man" or "Woman".

    Args:
        records: dicts with "images", "labels" and, if wished, "id".
        ids: one a video, or None to go by the records.

    Raises:
        ArgumentError: see `FaceReference`; or the lists differ in length, or a record is none.
    """
    found = []
    for images, labels, identifier in labelled_pictures(records, ids):
        given = FaceReference(images, labels, identifier)
        people = [i for i, label in enumerate(given.labels) if label in PERSON_LABELS]
        found.append(FaceReference(tuple(images[i] for i in people), tuple(labels[i] for i in people), identifier))
    return found


def labelled_pictures(
    records: Sequence[Mapping[str, Any]], ids: Sequence[str | None] | None
) -> Iterator[tuple[tuple[Any, ...], tuple[Any, ...], str | None]]:
    """Pictures, labels and id of each record that `compute()` is given.

    Raises:
        ArgumentError: the lists differ in length, or a record is none.
    """
    if ids is not None and len(ids) != len(records):
        raise ArgumentError(f"give one of ids a video (got {len(ids)} for {len(records)})")
    for index, record in enumerate(records):
        try:
            images, labels = tuple(record["images"] or ()), tuple(record["labels"] or ())
        except (KeyError, TypeError) as error:
            raise ArgumentError(f"references[{index}] is a dict with 'images' and 'labels' (got {record!r})") from error
        yield images, labels, record.get("id") if ids is None else ids[index]
