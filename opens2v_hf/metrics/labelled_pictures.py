"""Reference pictures of a video with their labels, as `compute()` takes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from opens2v_hf.errors import ArgumentError
from opens2v_hf.metrics.stored_inputs import as_list


@dataclass(frozen=True, eq=False)
class LabelledPictures:
    """Reference pictures of a video.

    Attributes:
        images: reference pictures, see `load_picture`.
        labels: one for each picture.
        id: of the sample; None for a video of no sample.

    Raises:
        ArgumentError: the numbers of pictures and labels differ, or the id is no text.
    """

    images: tuple[Any, ...]
    labels: tuple[str, ...]
    id: str | None = None

    def __post_init__(self) -> None:
        if self.id is not None and not isinstance(self.id, str):
            raise ArgumentError(f"the id of a sample must be a text (got {self.id!r:.80})")
        if len(self.images) != len(self.labels):
            raise ArgumentError(
                f"{self.where}: each picture has one label (got {len(self.images)} pictures, {len(self.labels)} labels)"
            )

    @property
    def where(self) -> str:
        """The references in messages."""
        return f"the references of {self.id!r}" if self.id is not None else "the references of a video"

    def picture_name(self, index: int) -> str:
        """The name of a picture in messages, for one without a path."""
        return f"picture {index} of {self.id or 'the references of a video'}"


def labelled_pictures(
    records: Sequence[Mapping[str, Any]], ids: Sequence[str | None] | None
) -> Iterator[tuple[tuple[Any, ...], tuple[Any, ...], str | None]]:
    """Pictures, labels and id of each record that `compute()` is given.

    Args:
        records: dicts with "images", "labels" and, if wished, "id".
        ids: one for each video, or None to take those of the records.

    Raises:
        ArgumentError: `ids` is no list as long as `records`, or a record lacks a key.
    """
    given_ids = for_each_record(ids, "ids", len(records))
    for index, record in enumerate(records):
        try:
            images, labels = tuple(record["images"] or ()), tuple(record["labels"] or ())
        except (KeyError, TypeError) as error:
            raise ArgumentError(
                f"references[{index}] must be a dict with 'images' and 'labels' (got {record!r:.200})"
            ) from error
        yield images, labels, record.get("id") if ids is None else given_ids[index]


def for_each_record(values: Sequence[Any] | None, name: str, count: int) -> Sequence[Any]:
    """An argument with one value for each video; None for all where it is not given.

    Raises:
        ArgumentError: it is no list, or has another length.
    """
    if values is None:
        return [None] * count
    listed = as_list(values, name, "values")
    if len(listed) != count:
        raise ArgumentError(f"{name} must have one value for each video (got {len(listed)} for {count} videos)")
    return listed
