"""From boxes to masks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from opens2v_hf.errors import ArgumentError
from opens2v_hf.masks.rle import encode
from opens2v_hf.models.roles import ROLES
from opens2v_hf.models.segmenter.base import Segmenter
from opens2v_hf.pipeline import media
from opens2v_hf.pipeline.records import ClipRecord, Subject
from opens2v_hf.pipeline.stage import Dropped, Resources, StageOutput
from opens2v_hf.pipeline.stage_models import StageModel, on_gpu
from opens2v_hf.pipeline.stages.each_clip import ClipDroppedError, each_clip
from opens2v_hf.pipeline.subjects import dropped_subject, numbered


class Segment:
    """Cuts out what is in each box, one mask a box, stored as COCO RLE.

    Dropped subjects: "empty_mask", "whole_frame", "low_mask_score". Dropped clips: "no_boxes", "no_mask".

    Args:
        segmenter: of the role, see `StageModel`.
        max_part: of the frame's area that a mask takes at most; more is the whole frame.
        min_score: of a mask, by the segmenter's own estimate.

    Raises:
        ArgumentError: an argument is out of range.
    """

    name = "segment"

    def __init__(
        self,
        *,
        segmenter: Segmenter | Any = ROLES["segmenter"].released,
        max_part: float = 0.98,
        min_score: float = 0.0,
    ) -> None:
        if not 0 < max_part <= 1 or not 0 <= min_score <= 1:
            raise ArgumentError(f"max_part and min_score must be in 0..1 (got {max_part=}, {min_score=})")
        self.segmenter = StageModel("segmenter", segmenter)
        self.max_part = max_part
        self.min_score = min_score
        self.resources = Resources(gpus=on_gpu(self.segmenter))

    def load(self) -> None:
        """Load the segmenter.

        Raises:
            ModelError: it cannot be loaded.
        """
        self.segmenter.get()

    def facts(self) -> Mapping[str, Any]:
        """The segmenter, and what is asked of its masks."""
        return {"segmenter": self.segmenter.facts(), "max_part": self.max_part, "min_score": self.min_score}

    def __call__(self, clips: Sequence[ClipRecord]) -> StageOutput:
        """Segment the subjects of some clips."""
        self.load()
        return each_clip(self.name, clips, self._apply)

    def _apply(self, clip: ClipRecord, lost: list[Dropped]) -> list[ClipRecord]:
        if not clip.subjects:
            raise ClipDroppedError("no_boxes", "it has no subject; apply the stage 'detect' first")
        boxes = np.array([subject.box_xyxy for subject in clip.subjects], np.float64)
        masks, scores = self.segmenter.get().segment(media.annotated(clip), boxes)
        kept: list[Subject] = []
        for subject, mask, score in zip(clip.subjects, masks, scores, strict=True):
            fault = self._fault(mask, float(score))
            if fault is not None:
                lost.append(dropped_subject(clip, self.name, subject, *fault))
            else:
                kept.append(replace(subject, mask=encode(mask), mask_score=float(score)))
        if not kept:
            raise ClipDroppedError("no_mask", f"none of its {len(clip.subjects)} boxes has a usable mask")
        return [clip.made_by(self.name, self.facts(), subjects=numbered(kept))]

    def _fault(self, mask: np.ndarray, score: float) -> tuple[str, str] | None:
        part = float(mask.mean())
        if part == 0:
            return "empty_mask", "its mask has no pixel"
        if part > self.max_part:
            return "whole_frame", f"its mask takes {part:.4f} of the frame, at most {self.max_part:g}"
        if score < self.min_score:
            return "low_mask_score", f"its mask has the score {score:.3f}, at least {self.min_score:g}"
        return None
