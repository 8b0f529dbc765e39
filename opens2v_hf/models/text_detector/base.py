"""Interface and results of text-prompted detectors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from opens2v_hf._util.numbers import is_number
from opens2v_hf.errors import ArgumentError
from opens2v_hf.models.info import ModelInfo


@dataclass(frozen=True)
class Detection:
    """A box, and the phrase that it was found for.

    Attributes:
        phrase_index: position of the phrase in the request. Of equal phrases it is the first one's.
        box_xyxy: in pixels of the picture, within it.
        score: 0..1.
    """

    phrase_index: int
    box_xyxy: tuple[float, float, float, float]
    score: float


@dataclass(frozen=True)
class Detections:
    """Boxes found in a picture, best score first; a sequence of `Detection`.

    Attributes:
        found: the boxes.
        num_unmapped: boxes above the threshold that belong to none of the phrases, and are left out.
        not_searched: positions of phrases that were not searched for: without a word, or too long for the model.
    """

    found: tuple[Detection, ...]
    num_unmapped: int = 0
    not_searched: tuple[int, ...] = ()

    def __iter__(self) -> Iterator[Detection]:
        return iter(self.found)

    def __len__(self) -> int:
        return len(self.found)

    def __getitem__(self, index: int) -> Detection:
        return self.found[index]


class TextDetector(Protocol):
    """Finds what phrases name."""

    info: ModelInfo

    @property
    def options(self) -> dict[str, Any]:
        """Settings that change the boxes, JSON-compatible."""
        ...

    def detect(self, image: np.ndarray, phrases: Sequence[str]) -> Detections:
        """Find the phrases in a picture.

        Args:
            image: uint8 [H, W, 3], RGB.
            phrases: to find, e.g. tags; may be empty.

        Raises:
            ArgumentError: the picture has another form.
        """
        ...


def collect(
    boxes: np.ndarray,
    scores: np.ndarray,
    phrase_indices: np.ndarray,
    *,
    size: tuple[int, int],
    num_unmapped: int = 0,
    not_searched: Sequence[int] = (),
) -> Detections:
    """Detections from arrays: boxes are cut at the picture's border, those without area inside it are left out.

    Args:
        boxes: [N, 4], xyxy in pixels.
        scores: [N].
        phrase_indices: int [N].
        size: height and width of the picture.
        num_unmapped: see `Detections`.
        not_searched: see `Detections`.

    Example:
        >>> boxes = np.array([[-5.0, 0, 10, 20], [90, 0, 99, 5]])
        >>> collect(boxes, np.array([0.5, 0.9]), np.array([1, 0]), size=(20, 80)).found
        (Detection(phrase_index=1, box_xyxy=(0.0, 0.0, 10.0, 20.0), score=0.5),)
    """
    height, width = size
    inside = np.asarray(boxes, np.float64).reshape(-1, 4).clip(0, [width, height, width, height])
    found = [
        Detection(int(phrase_indices[i]), tuple(inside[i].tolist()), float(scores[i]))
        for i in np.argsort(-np.asarray(scores, np.float64), kind="stable")
        if inside[i, 2] > inside[i, 0] and inside[i, 3] > inside[i, 1]
    ]
    return Detections(tuple(found), num_unmapped, tuple(not_searched))


def corners_of(boxes: np.ndarray) -> np.ndarray:
    """Boxes [N, 4] as centre, width and height -> xyxy."""
    return np.concatenate([boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2], axis=1)


def unique_phrases(phrases: Sequence[str]) -> dict[str, int]:
    """Phrases as detectors read them, to their first position: lower case, single spaces, no full stop, question mark.

    Either mark ends a phrase in the text of Grounding DINO.

    Example:
        >>> unique_phrases(["A St. Bernard", "dog", "a  st bernard", "..."])
        {'a st bernard': 0, 'dog': 1}
    """
    found: dict[str, int] = {}
    for index, phrase in enumerate(phrases):
        words = phrase.replace(".", " ").replace("?", " ").lower().split()
        if words:
            found.setdefault(" ".join(words), index)
    return found


def wordless(phrases: Sequence[str]) -> list[int]:
    """Positions of the phrases that have no word."""
    return [index for index, phrase in enumerate(phrases) if not unique_phrases([phrase])]


def check_threshold(value: float, name: str) -> float:
    """The threshold.

    Raises:
        ArgumentError: it is no number in 0..1.
    """
    if not is_number(value, 0, 1):
        raise ArgumentError(f"{name} must be a number from 0 to 1 (got {value!r})")
    return float(value)
