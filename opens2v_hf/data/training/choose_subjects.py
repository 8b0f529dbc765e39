"""Which subjects of a clip are shown, in which order, and as what kind of picture."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from opens2v_hf._util.boxes import box_iou
from opens2v_hf.data.opens2v5m.shards.blobs import SubjectMask
from opens2v_hf.data.training.problems import BadMask
from opens2v_hf.errors import ArgumentError, MaskError
from opens2v_hf.masks import geometry
from opens2v_hf.masks.rle import RLE

Form = Literal["white", "black", "transparent", "box"]
Order = Literal["aesthetic", "area", "id", "random"]


@dataclass(frozen=True)
class SubjectRule:
    """Selects the pictures of subjects in a sample.

    Attributes:
        form: "white", "black" or "transparent" for the subject cut out by its mask, on that ground; "box" for what its
            box holds, surroundings and all.
        max_count: pictures of a sample at most; 0 for none.
        min_count: a sample with fewer is bad.
        order: "aesthetic" or "area" for the highest first, "id" as annotated, "random" by seed, epoch and sample.
        size: (height, width) of each picture, the subject in the middle as large as fits; None to leave it as it is.
            On a transparent ground colours at resized edges are premultiplied.
        labels: tags that count; None for all.
        background_tags: whether things that were detected by a tag of the background ("wooden floor") are subjects.
        min_aesthetic: LAION score, inclusive; a subject without a score fails.
        min_text_similarity: GME similarity of label and picture, inclusive, likewise.
        min_mask_score: of the segmentation model, 0..1, inclusive, likewise.
        min_area: of the mask as a part of the frame, 0..1, inclusive. Above 0 it leaves out empty masks; with 0 an
            empty mask is a fault of the sample.
        max_iou: of two subjects that overlap more (of their masks, or boxes where boxes are shown), as a person found
            under three tags, the one later in the order is left out.

    Raises:
        ArgumentError: a value is out of range.
    """

    form: Form = "white"
    max_count: int = 3
    min_count: int = 1
    order: Order = "aesthetic"
    size: tuple[int, int] | None = None
    labels: Sequence[str] | None = None
    background_tags: bool = False
    min_aesthetic: float | None = None
    min_text_similarity: float | None = None
    min_mask_score: float | None = None
    min_area: float = 0.0
    max_iou: float = 0.8

    def __post_init__(self) -> None:
        for name, known in (("form", get_args(Form)), ("order", get_args(Order))):
            if getattr(self, name) not in known:
                raise ArgumentError(f"{name} is one of {', '.join(known)} (got {getattr(self, name)!r})")
        if self.max_count < 0 or self.min_count < 0:
            raise ArgumentError(f"counts are at least 0 (got {self.min_count=}, {self.max_count=})")
        if self.max_count and self.min_count > self.max_count:
            raise ArgumentError(f"min_count is at most max_count (got {self.min_count=}, {self.max_count=})")
        if not (0 <= self.min_area <= 1 and 0 <= self.max_iou <= 1):
            raise ArgumentError(f"min_area and max_iou go from 0 to 1 (got {self.min_area=}, {self.max_iou=})")
        if self.size is not None and (len(self.size) != 2 or min(self.size) < 1):
            raise ArgumentError(f"size is (height, width), each at least 1 (got {self.size=})")
        if isinstance(self.labels, str):
            raise ArgumentError(f"labels is a list of tags (got {self.labels!r})")

    def candidates(self, row: Mapping[str, Any], rng: np.random.Generator) -> list[dict[str, Any]]:
        """The subjects of a row that satisfy the rule, in its order, more than `max_count` perhaps.

        Args:
            row: of the config "regular".
            rng: for a random order.

        Raises:
            BadSample: a mask that has to be read is malformed.
        """
        if not self.max_count:
            return []
        grounds = () if self.background_tags else (row["tags"]["background"] or ())
        kept = [
            subject
            for subject in row["subjects"]
            if subject["label"] not in grounds
            and (self.labels is None or subject["label"] in self.labels)
            and _at_least(subject["aesthetic"], self.min_aesthetic)
            and _at_least(subject["text_similarity"], self.min_text_similarity)
            and _at_least(subject["mask_score"], self.min_mask_score)
        ]
        if self.min_area > 0:
            pixels = row["frame_height"] * row["frame_width"]
            kept = [subject for subject in kept if mask_area(subject) >= self.min_area * pixels]
        if self.order == "random":
            return [kept[number] for number in rng.permutation(len(kept))]
        if self.order == "area":
            return sorted(kept, key=lambda subject: (-mask_area(subject), subject["id"]))
        if self.order == "aesthetic":
            return sorted(kept, key=lambda subject: (-_or_lowest(subject["aesthetic"]), subject["id"]))
        return sorted(kept, key=lambda subject: subject["id"])

    def shown_already(self, subject: Mapping[str, Any], shown: Sequence[Mapping[str, Any]]) -> bool:
        """Whether a subject overlaps one of those that are shown too much.

        Raises:
            BadSample: its mask is missing where masks are compared, or malformed.
        """
        if self.max_iou >= 1:
            return False
        if self.form == "box":
            return any(box_iou(subject["box"], other["box"]) > self.max_iou for other in shown)
        mask = mask_of(subject)
        return any(geometry.iou(mask, mask_of(other)) > self.max_iou for other in shown)


def mask_of(subject: Mapping[str, Any]) -> RLE:
    """The mask of a subject, of at least one pixel.

    Raises:
        BadSample: there is none, or it is empty or malformed.
    """
    if mask_area(subject) == 0:
        raise BadMask(
            f"the mask of subject {subject['id']} ({subject['label']}) is empty; leave empty masks out with "
            'min_area above 0, skip what is wrong with on_error="skip", or show boxes',
        )
    return subject["mask"].rle


def mask_area(subject: Mapping[str, Any]) -> int:
    """Pixels of a subject's mask, 0 where it has none.

    Raises:
        BadSample: the mask is malformed.
    """
    mask: SubjectMask | None = subject["mask"]
    if mask is None:
        return 0
    try:
        return mask.area
    except MaskError as error:
        raise BadMask(f"the mask of subject {subject['id']} is malformed: {error}") from error


def _at_least(value: float | None, bound: float | None) -> bool:
    return bound is None or (value is not None and value >= bound)


def _or_lowest(value: float | None) -> float:
    return -math.inf if value is None else value
