"""One subject for one thing, however many tags name it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from opens2v_hf.errors import ArgumentError
from opens2v_hf.masks import geometry
from opens2v_hf.pipeline.records import ClipRecord
from opens2v_hf.pipeline.stage import Dropped, Resources, StageOutput
from opens2v_hf.pipeline.stages.each_clip import each_clip
from opens2v_hf.pipeline.stages.tags import PREDEFINED
from opens2v_hf.pipeline.subjects import dropped_subject, masks_of, numbered


class Deduplicate:
    """Drops, of two subjects whose masks overlap, the smaller (the released rule); before anything costly is done.

    Of equal masks the one with a tag of the caption stays, then that with the better detection. Rule: "duplicate".

    Args:
        max_iou: intersection over union up to which both stay; as released 0.8.

    Raises:
        ArgumentError: `max_iou` is out of range.
    """

    name = "deduplicate"
    resources = Resources()

    def __init__(self, *, max_iou: float = 0.8) -> None:
        if not 0 <= max_iou <= 1:
            raise ArgumentError(f"max_iou must be in 0..1 (got {max_iou=})")
        self.max_iou = max_iou

    def load(self) -> None:
        """Nothing to load."""

    def facts(self) -> Mapping[str, Any]:
        """The bound."""
        return {"max_iou": self.max_iou}

    def __call__(self, clips: Sequence[ClipRecord]) -> StageOutput:
        """Deduplicate the subjects of some clips."""
        return each_clip(self.name, clips, self._apply)

    def _apply(self, clip: ClipRecord, lost: list[Dropped]) -> list[ClipRecord]:
        masks = dict(zip([subject.id for subject in clip.subjects], masks_of(clip), strict=True))
        general = set(clip.tags.get(PREDEFINED, ()))
        # of equal masks the first one stays
        ranked = sorted(clip.subjects, key=lambda subject: (subject.label in general, -subject.detection_score))
        larger = geometry.covered_by([masks[subject.id] for subject in ranked], self.max_iou)
        covered = {
            subject.id: ranked[other] for subject, other in zip(ranked, larger, strict=True) if other is not None
        }
        for subject in clip.subjects:
            if subject.id in covered:
                other = covered[subject.id]
                overlap = geometry.iou(masks[subject.id], masks[other.id])
                reason = f"its mask has an IoU of {overlap:.2f} with that of {other.label!r}, at most {self.max_iou:g}"
                lost.append(dropped_subject(clip, self.name, subject, "duplicate", reason))
        kept = numbered(subject for subject in clip.subjects if subject.id not in covered)
        return [clip.made_by(self.name, self.facts(), subjects=kept)]
