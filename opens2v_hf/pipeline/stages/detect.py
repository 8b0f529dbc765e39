"""Boxes of what the tags name, in the annotated frame."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from opens2v_hf.errors import ArgumentError
from opens2v_hf.models.roles import ROLES
from opens2v_hf.models.text_detector.base import Detections, TextDetector
from opens2v_hf.pipeline import media
from opens2v_hf.pipeline.records import ClipRecord, Subject
from opens2v_hf.pipeline.stage import Dropped, Resources, StageOutput
from opens2v_hf.pipeline.stage_models import StageModel, on_gpu
from opens2v_hf.pipeline.stages.each_clip import ClipDroppedError, each_clip
from opens2v_hf.pipeline.subjects import dropped_subject, numbered

FRAMES = {"first": 0.0, "middle": 0.5}
"""Which frame is annotated -> its position in the clip, 0..1; the released records have the first."""


class Detect:
    """Finds the boxes of a clip's tags, best first.

    Dropped subjects and tags: "not_found" (a tag without a box), "not_searched" (a tag that the detector cannot be
    asked for), "low_score", "too_many" (boxes of one tag beyond `max_boxes`), "too_small", "too_large". Dropped clips:
    "no_tags", "nothing_found". How many boxes the detector could map to no tag is in provenance.

    Args:
        detector: of the role "text_detector", see `StageModel`.
        frame: "first" or "middle".
        min_score: of a box, in addition to the detector's own threshold.
        max_boxes: of one tag; None for all. Phantom-Data takes only tags with one (arXiv 2506.18851).
        min_part: of the frame's area that a box takes at least.
        max_part: likewise at most.

    Raises:
        ArgumentError: an argument is out of range.
    """

    name = "detect"

    def __init__(
        self,
        *,
        detector: TextDetector | Any = ROLES["text_detector"].released,
        frame: str = "first",
        min_score: float = 0.0,
        max_boxes: int | None = None,
        min_part: float = 0.0,
        max_part: float = 1.0,
    ) -> None:
        if frame not in FRAMES:
            raise ArgumentError(f"the frame to annotate is one of {', '.join(FRAMES)} (got {frame=})")
        if not 0 <= min_score <= 1 or not 0 <= min_part < max_part <= 1:
            raise ArgumentError(
                "min_score must be in 0..1, and 0 <= min_part < max_part <= 1 "
                f"(got {min_score=}, {min_part=}, {max_part=})"
            )
        if max_boxes is not None and max_boxes < 1:
            raise ArgumentError(f"a tag has at least one box (got {max_boxes=})")
        self.detector = StageModel("text_detector", detector)
        self.frame = frame
        self.min_score = min_score
        self.max_boxes = max_boxes
        self.min_part = min_part
        self.max_part = max_part
        self.resources = Resources(gpus=on_gpu(self.detector))

    def load(self) -> None:
        """Load the detector.

        Raises:
            ModelError: it cannot be loaded.
        """
        self.detector.get()

    def facts(self) -> Mapping[str, Any]:
        """The detector, and what is asked of its boxes."""
        return {
            "detector": self.detector.facts(),
            "frame": self.frame,
            "min_score": self.min_score,
            "max_boxes": self.max_boxes,
            "min_part": self.min_part,
            "max_part": self.max_part,
        }

    def __call__(self, clips: Sequence[ClipRecord]) -> StageOutput:
        """Detect the tags of some clips."""
        self.load()
        return each_clip(self.name, clips, self._apply)

    def _apply(self, clip: ClipRecord, lost: list[Dropped]) -> list[ClipRecord]:
        tags = list(dict.fromkeys(tag for words in clip.tags.values() for tag in words))
        if not tags:
            raise ClipDroppedError("no_tags", "it has no tag; apply the stage 'tags' first")
        index = int(FRAMES[self.frame] * (clip.num_frames - 1))
        image = media.annotated(replace(clip, frame_index=index))
        found: Detections = self.detector.get().detect(image, tags)
        subjects: list[Subject] = []
        boxes: Counter[str] = Counter()
        for detection in found:
            tag = tags[detection.phrase_index]
            fault = self._fault(detection.score, detection.box_xyxy, image, boxes[tag])
            boxes[tag] += 1
            if fault is not None:
                lost.append(dropped_subject(clip, self.name, tag, *fault))
            else:
                subjects.append(Subject(0, tag, detection.box_xyxy, detection.score))
        for position, tag in enumerate(tags):
            if position in found.not_searched:
                lost.append(dropped_subject(clip, self.name, tag, "not_searched", "no word, or too long"))
            elif not boxes[tag]:
                lost.append(dropped_subject(clip, self.name, tag, "not_found", "the detector has no box for it"))
        if not subjects:
            raise ClipDroppedError("nothing_found", f"no box for any of its {len(tags)} tags")
        facts = {**self.facts(), "num_unmapped": found.num_unmapped}
        return [clip.made_by(self.name, facts, frame_index=index, subjects=numbered(subjects))]

    def _fault(
        self, score: float, box: tuple[float, float, float, float], image: np.ndarray, before: int
    ) -> tuple[str, str] | None:
        if score < self.min_score:
            return "low_score", f"detected with {score:.3f}, at least {self.min_score:g}"
        if self.max_boxes is not None and before >= self.max_boxes:
            return "too_many", f"box {before + 1} of its tag, at most {self.max_boxes}"
        part = (box[2] - box[0]) * (box[3] - box[1]) / (image.shape[0] * image.shape[1])
        if part < self.min_part:
            return "too_small", f"its box takes {part:.4f} of the frame, at least {self.min_part:g}"
        if part > self.max_part:
            return "too_large", f"its box takes {part:.4f} of the frame, at most {self.max_part:g}"
        return None
