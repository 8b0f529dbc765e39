"""The evidence for a video's NexusScore: its boxes, by frame, reference and definition.

The sentences are in `explain_words`, the page in `explain_page`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from PIL import Image

from opens2v_hf.scores.nexus import VARIANTS, NexusBox, Thresholds, Verdict, nexus_score
from opens2v_hf.scores.outcome import Status, VideoScore


class Seen(StrEnum):
    """The state of a reference in a frame."""

    FOUND = "found"
    DROPPED = "dropped"
    ABSENT = "absent"


@dataclass(frozen=True)
class Moment:
    """A reference in a sampled frame."""

    seen: Seen  # found (a kept box), dropped (boxes, and none kept) or absent (no box)
    similarity: float | None = None  # the best kept g_i; None unless found and finite
    rule: Verdict | None = None  # what dropped the box of the highest score; None unless dropped
    score: float | None = None  # the detector's highest score of the boxes that decide `seen`; None if absent


def timeline(boxes: Sequence[NexusBox], reference: int, *, num_frames: int) -> tuple[Moment, ...]:
    """The state of a reference in each sampled frame, in order."""
    return tuple(
        _moment([box for box in boxes if box.reference == reference and box.frame == frame])
        for frame in range(num_frames)
    )


def _moment(boxes: Sequence[NexusBox]) -> Moment:
    if not boxes:
        return Moment(Seen.ABSENT)
    kept = [box for box in boxes if box.kept]
    first = max(kept or boxes, key=lambda box: box.score)
    if not kept:
        return Moment(Seen.DROPPED, rule=first.verdict, score=first.score)
    numbers = [value for value in (box.image_similarity for box in kept) if value is not None and math.isfinite(value)]
    return Moment(Seen.FOUND, similarity=max(numbers, default=None), score=first.score)


@dataclass(frozen=True, eq=False)
class ReferenceView:
    """A reference and its states over time."""

    position: int  # among the sample's references, from 0
    label: str  # as the sample has it
    text: str | None  # that crops are compared with; None if the rules on ids skip the reference
    picture: Image.Image  # RGB
    timeline: tuple[Moment, ...]  # a moment for each sampled frame; empty for a skipped reference
    verdicts: Mapping[Verdict, int]  # number of boxes by verdict

    @classmethod
    def of(
        cls,
        boxes: Sequence[NexusBox],
        position: int,
        label: str,
        text: str | None,
        picture: Image.Image,
        *,
        num_frames: int,
    ) -> ReferenceView:
        """The view of one reference, from the boxes of all."""
        return cls(
            position,
            label,
            text,
            picture,
            timeline=() if text is None else timeline(boxes, position, num_frames=num_frames),
            verdicts=Counter(box.verdict for box in boxes if box.reference == position),
        )

    def num_frames(self, seen: Seen) -> int:
        """Number of sampled frames in this state."""
        return sum(moment.seen is seen for moment in self.timeline)

    @property
    def best(self) -> tuple[int, float] | None:
        """Index among the sampled frames and value of the best kept similarity; the first of equal ones."""
        found = [(index, moment.similarity) for index, moment in enumerate(self.timeline)]
        numbers = [(index, value) for index, value in found if value is not None]
        return max(numbers, key=lambda pair: pair[1]) if numbers else None


@dataclass(frozen=True, eq=False)
class Explanation:
    """A video's score with its evidence."""

    title: str  # of the video, e.g. its file name
    sample_id: str | None  # None for a video of no sample
    outcome: VideoScore  # of the metric
    variant: str  # the definition of `outcome`
    thresholds: Thresholds  # of the rules
    boxes: tuple[NexusBox, ...]  # by sampled frame, reference and falling score
    references: tuple[ReferenceView, ...]  # of the sample, the skipped ones too
    frame_indices: tuple[int, ...]  # in the video, of the sampled frames; repeated where the video has fewer
    fps: float  # of the video
    size: tuple[int, int]  # width and height of its frames in px
    frames: Mapping[int, Image.Image]  # frame index to picture, possibly smaller than `size`
    models: Sequence[Mapping[str, Any]] = ()  # of the metric, see `ModelInfo.to_dict`
    options: Mapping[str, Any] = field(default_factory=dict)  # likewise
    note: str = ""  # why the numbers are not comparable with the leaderboard's; empty if they are

    @property
    def num_frames(self) -> int:
        """Sampled, repeats included."""
        return len(self.frame_indices)

    @property
    def searched(self) -> tuple[ReferenceView, ...]:
        """The references that apply."""
        return tuple(reference for reference in self.references if reference.text is not None)

    @property
    def frames_with_box(self) -> int:
        """Sampled frames with at least one box of any reference, kept or not: what the released code divides by."""
        return len({box.frame for box in self.boxes})

    @property
    def scores(self) -> dict[str, float]:
        """The value by every definition; empty if the video has no score."""
        if self.outcome.status is not Status.SCORED:
            return {}
        positions = [reference.position for reference in self.searched]
        return {
            variant: nexus_score(variant, self.boxes, num_frames=self.num_frames, references=positions)
            for variant in VARIANTS
        }

    def seconds(self, position: int) -> float:
        """Time of a sampled frame, from the video's average frame rate."""
        return self.frame_indices[position] / self.fps

    def boxes_of(self, frame_index: int) -> list[NexusBox]:
        """Boxes of a frame of the video; of a frame that was sampled several times, once."""
        if frame_index not in self.frame_indices:
            return []
        position = self.frame_indices.index(frame_index)
        return [box for box in self.boxes if box.frame == position]
