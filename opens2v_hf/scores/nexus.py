"""NexusScore: how faithfully a video shows the subjects of its reference pictures.

A detector looks in every sampled frame for every reference; each box it finds has a score, a similarity g_i of its
crop with the reference picture and a similarity g_t with the reference's label. Rules say which boxes are kept, and a
formula makes a number of them. No model here: the boxes come with their numbers.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from opens2v_hf._util.argument_types import checked
from opens2v_hf._util.numbers import is_finite
from opens2v_hf.errors import ArgumentError
from opens2v_hf.scores.variants import check_variant

PEOPLE = ("Man", "Woman")
"""Labels that the released code treats by the sample's id."""


class Verdict(StrEnum):
    """Verdict of the rules on a box, named after the first rule that drops it."""

    KEPT = "kept"
    LOW_BOX_SCORE = "low_box_score"
    EMPTY_CROP = "empty_crop"
    LOW_TEXT_SIMILARITY = "low_text_similarity"
    ZERO_IMAGE_SIMILARITY = "zero_image_similarity"


@dataclass(frozen=True)
class Thresholds:
    """Bounds that a kept box lies strictly above.

    Attributes:
        box_score: of the detector's score; released: 0.6.
        text_similarity: of g_t; released: 0.30.
    """

    box_score: float = 0.6
    text_similarity: float = 0.30

    def __post_init__(self) -> None:
        for name, value in (("box_score", self.box_score), ("text_similarity", self.text_similarity)):
            if not is_finite(value):
                raise ArgumentError(f"a threshold is a finite number (got {name}={value!r})")

    def rounded(self, *, box_dtype: str, similarity_dtype: str) -> Thresholds:
        """The bounds as the data's own dtype holds them, which is what the released code compares with.

        Example:
            >>> Thresholds().rounded(box_dtype="float32", similarity_dtype="float16")
            Thresholds(box_score=0.6000000238418579, text_similarity=0.300048828125)
        """
        return Thresholds(round_to(self.box_score, box_dtype), round_to(self.text_similarity, similarity_dtype))


@dataclass(frozen=True)
class NexusBox:
    """A detected box with all that the formulas need.

    Attributes:
        frame: position among the sampled frames, from 0.
        reference: position among the sample's references, from 0.
        box: left, top, right, bottom in px of the frame.
        score: the detector's.
        image_similarity: g_i; None where it was not computed.
        text_similarity: g_t; None where it was not computed.
        verdict: of `judge`.
    """

    frame: int
    reference: int
    box: tuple[float, float, float, float]
    score: float
    image_similarity: float | None
    text_similarity: float | None
    verdict: Verdict

    @property
    def kept(self) -> bool:
        """Whether the box counts towards the mean similarity."""
        return self.verdict is Verdict.KEPT

    def to_dict(self) -> dict[str, Any]:
        """A JSON-compatible dict of the attributes; a similarity that is no finite number becomes None."""
        return {
            "frame": self.frame,
            "reference": self.reference,
            "box": list(self.box),
            "score": self.score,
            "image_similarity": _finite(self.image_similarity),
            "text_similarity": _finite(self.text_similarity),
            "verdict": str(self.verdict),
        }


def round_to(value: float, dtype: str) -> float:
    """The number nearest to `value` in a floating-point dtype, ties to even.

    Args:
        value: a finite number.
        dtype: "float16", "bfloat16", "float32" or "float64".

    Raises:
        ArgumentError: another dtype.

    Example:
        >>> round_to(0.3, "float16"), round_to(0.3, "bfloat16"), round_to(0.3, "float64")
        (0.300048828125, 0.30078125, 0.3)
    """
    if dtype == "bfloat16":
        bits = int(np.float32(value).view(np.uint32))
        bits += 0x7FFF + ((bits >> 16) & 1)
        return float(np.uint32((bits >> 16) << 16).view(np.float32))
    if dtype not in ("float16", "float32", "float64"):
        raise ArgumentError(f"known dtypes are float16, bfloat16, float32 and float64 (got {dtype=})")
    return float(np.dtype(dtype).type(value))


def compared_label(sample_id: str | None, label: str) -> str | None:
    """The text that a reference's crops are compared with, by the released rules on ids.

    In an id that contains "face", people are skipped; otherwise, in an id that contains "human", they are read as
    "human". Only the very labels "Man" and "Woman" are people.

    Args:
        sample_id: e.g. "faceobj_14"; None for a video that belongs to no sample, where no rule applies.
        label: of the reference.

    Returns:
        The text, or None where the reference is skipped.

    Example:
        >>> compared_label("faceobj_14", "Man"), compared_label("humanobj_3", "Man"), compared_label("faceobj_1", "Cup")
        (None, 'human', 'Cup')
    """
    if sample_id is None or label not in PEOPLE:
        return label
    if "face" in sample_id:
        return None
    return "human" if "human" in sample_id else label


def pixel_corners(box: Sequence[float]) -> tuple[int, int, int, int]:
    """A crop's corners in whole px: rounded half to even, as the released code's crops are.

    Example:
        >>> pixel_corners((0.5, 1.5, 2.5, 3.49))
        (0, 2, 2, 3)
    """
    left, top, right, bottom = (round(float(value)) for value in box)
    return left, top, right, bottom


def is_empty(corners: Sequence[int]) -> bool:
    """Whether a crop has no pixel."""
    left, top, right, bottom = corners
    return right <= left or bottom <= top


def judge(
    score: float,
    corners: Sequence[int],
    image_similarity: float | None,
    text_similarity: float | None,
    thresholds: Thresholds,
) -> Verdict:
    """Apply the rules to one box (released code v1.1, but for the crop without a pixel, on which that code stops).

    A box is kept when its score and g_t lie strictly above their thresholds and g_i is not exactly 0; a negative g_i is
    kept, and so is one that is not a number.

    Args:
        score: the detector's.
        corners: of the crop, see `pixel_corners`.
        image_similarity: g_i; may be None where a rule before it drops the box.
        text_similarity: g_t; likewise.
        thresholds: in the data's own dtype, see `Thresholds.rounded`.

    Raises:
        ArgumentError: a similarity is needed and None.
    """
    if not score > thresholds.box_score:
        return Verdict.LOW_BOX_SCORE
    if is_empty(corners):
        return Verdict.EMPTY_CROP
    if image_similarity is None or text_similarity is None:
        raise ArgumentError(f"a box above the score threshold needs both similarities (got a box of score {score})")
    if not text_similarity > thresholds.text_similarity:
        return Verdict.LOW_TEXT_SIMILARITY
    return Verdict.ZERO_IMAGE_SIMILARITY if image_similarity == 0 else Verdict.KEPT


@checked
def released(boxes: Iterable[NexusBox]) -> float:
    r"""NexusScore of the released code v1.1, the leaderboard's, and of the paper (equations 1-3 and section D.4).

    .. math:: \frac{1}{|F|} \cdot \frac{1}{|K|} \sum_{b \in K} g_i(b)

    with K the kept boxes and F the frames that have at least one box of any reference, kept or not. Dividing by |F|
    after averaging rewards a subject that is found in few frames.

    Returns:
        0 where no box is kept; NaN where a kept similarity is NaN.
    """
    found = list(boxes)
    kept = _kept_similarities(found)
    return _mean(kept) / len({box.frame for box in found}) if kept else 0.0


def released_v1_0(boxes: Iterable[NexusBox]) -> float:
    """NexusScore of the released code v1.0: divided by pairs of frame and reference with a box, not by frames.

    Returns:
        At most the value of `released` in size; 0 where no box is kept.
    """
    found = list(boxes)
    kept = _kept_similarities(found)
    return _mean(kept) / len({(box.frame, box.reference) for box in found}) if kept else 0.0


@checked
def coverage(boxes: Iterable[NexusBox], *, num_frames: int, references: Sequence[int]) -> float:
    """Mean over frames and references of the best kept g_i, 0 where the reference is not found in the frame.

    Args:
        boxes: of the video.
        num_frames: sampled.
        references: positions of the references that were searched for.

    Returns:
        In [-1, 1] up to rounding, 1 where every subject is in every frame exactly as in its picture; NaN where a kept
        similarity is NaN.

    Raises:
        ArgumentError: no frame or no reference.
    """
    if num_frames < 1 or not references:
        raise ArgumentError(f"coverage needs a frame and a reference (got {num_frames=}, {references=})")
    best = _best(boxes)
    total = math.fsum(best.get((frame, reference), 0.0) for frame in range(num_frames) for reference in references)
    return total / (num_frames * len(references))


_OF_BOXES: dict[str, Callable[[Iterable[NexusBox]], float]] = {
    "released": released,
    "v1.0": released_v1_0,
}
VARIANTS = (*_OF_BOXES, "coverage")
"""Names of the definitions."""


@checked
def nexus_score(variant: str, boxes: Iterable[NexusBox], *, num_frames: int, references: Sequence[int]) -> float:
    """The score of a video by the name of its definition; see the functions of this module.

    Raises:
        ArgumentError: the variant is unknown.
    """
    check_variant(variant, VARIANTS, "NexusScore")
    if variant == "coverage":
        return coverage(boxes, num_frames=num_frames, references=references)
    return _OF_BOXES[variant](boxes)


@dataclass(frozen=True)
class ReferenceSummary:
    """Why a score is what it is, for one reference.

    Attributes:
        reference: its position among the sample's references.
        label: the text that crops were compared with.
        num_boxes: detected over all frames.
        frames_detected: sampled frames with a box, kept or not.
        frames_found: sampled frames with a kept box.
        best_similarities: per sampled frame the best kept g_i, or None.
        dropped: boxes by the rule that dropped them.
    """

    reference: int
    label: str
    num_boxes: int
    frames_detected: int
    frames_found: int
    best_similarities: tuple[float | None, ...]
    dropped: dict[str, int]

    def to_dict(self) -> dict[str, Any]:
        """A JSON-compatible dict of the attributes and `best_similarity`, the best over all frames."""
        found = [value for value in self.best_similarities if value is not None]
        return {
            "reference": self.reference,
            "label": self.label,
            "num_boxes": self.num_boxes,
            "frames_detected": self.frames_detected,
            "frames_found": self.frames_found,
            "best_similarity": _finite(max(found)) if found else None,
            "best_similarities": [_finite(value) for value in self.best_similarities],
            "dropped": dict(self.dropped),
        }


def summarize_reference(boxes: Iterable[NexusBox], reference: int, label: str, *, num_frames: int) -> ReferenceSummary:
    """Count what became of the boxes of one reference."""
    own = [box for box in boxes if box.reference == reference]
    best = _best(own)
    verdicts = Counter(box.verdict for box in own)
    return ReferenceSummary(
        reference=reference,
        label=label,
        num_boxes=len(own),
        frames_detected=len({box.frame for box in own}),
        frames_found=len(best),
        best_similarities=tuple(best.get((frame, reference)) for frame in range(num_frames)),
        dropped={str(verdict): verdicts[verdict] for verdict in Verdict if verdict is not Verdict.KEPT},
    )


def _kept_similarities(boxes: Iterable[NexusBox]) -> list[float]:
    return [box.image_similarity for box in boxes if box.kept and box.image_similarity is not None]


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _best(boxes: Iterable[NexusBox]) -> dict[tuple[int, int], float]:
    """The best kept g_i of every frame and reference that has one; NaN wins, so that it is not lost."""
    best: dict[tuple[int, int], float] = {}
    for box in boxes:
        if box.kept and box.image_similarity is not None:
            key, value = (box.frame, box.reference), box.image_similarity
            if key not in best or math.isnan(value) or value > best[key]:
                best[key] = value
    return best


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
