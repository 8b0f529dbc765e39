"""The people among a video's references, as the metrics of faces take them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from opens2v_hf.data.benchmark.rules import PERSON_LABELS
from opens2v_hf.metrics.labelled_pictures import LabelledPictures, labelled_pictures


class FaceReference(LabelledPictures):
    """Pictures of the people that a video is to show, each of another person; see `LabelledPictures`."""


def face_references_of(
    records: Sequence[Mapping[str, Any]], ids: Sequence[str | None] | None = None
) -> list[FaceReference]:
    """The people among the references of each video: the pictures labelled "Man" or "Woman".

    Raises:
        ArgumentError: see `labelled_pictures` and `LabelledPictures`.
    """
    found = []
    for images, labels, identifier in labelled_pictures(records, ids):
        given = FaceReference(images, labels, identifier)
        people = [i for i, label in enumerate(given.labels) if label in PERSON_LABELS]
        found.append(FaceReference(tuple(images[i] for i in people), tuple(labels[i] for i in people), identifier))
    return found
