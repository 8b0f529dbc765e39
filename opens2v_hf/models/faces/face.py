"""Faces in a picture, and the search for them as in the released code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from opens2v_hf.errors import ArgumentError
from opens2v_hf.models.info import ModelInfo

PAD_SHARE = 0.25
"""Padding on each side of a picture without a face, in parts of its height and width (released code v1.1)."""

PAD_GREY = 128
"""Grey value of the padding, 0..255 (released code v1.1)."""


@dataclass(frozen=True, eq=False)
class Face:
    """A detected face.

    Attributes:
        box: float32 [4], left, top, right, bottom in px of the picture; parts may lie outside of it.
        landmarks: float32 [5, 2], x and y in px of left eye, right eye, nose, left and right corner of the mouth (left
            as seen in the picture).
        score: the detector's, 0 to 1.
    """

    box: np.ndarray
    landmarks: np.ndarray
    score: float

    def __post_init__(self) -> None:
        if self.box.shape != (4,) or self.landmarks.shape != (5, 2):
            raise ArgumentError(
                f"a face has a box [4] and landmarks [5, 2] (got {list(self.box.shape)}, {list(self.landmarks.shape)})"
            )

    @property
    def area(self) -> float:
        """Area of the box in square px."""
        left, top, right, bottom = self.box
        return float((right - left) * (bottom - top))

    def moved(self, x: float, y: float) -> Face:
        """The same face in a picture whose origin lies elsewhere."""
        offset = np.array([x, y], np.float32)
        return replace(self, box=self.box + np.tile(offset, 2), landmarks=self.landmarks + offset)


class FaceDetector(Protocol):
    """Interface of face detectors.

    Attributes:
        info: provenance.
        options: settings that change its faces, JSON-compatible.
    """

    @property
    def info(self) -> ModelInfo: ...  # noqa: D102
    @property
    def options(self) -> Mapping[str, Any]: ...  # noqa: D102

    def detect(self, image: np.ndarray) -> list[Face]:
        """The faces of a picture, uint8 [H, W, 3] RGB, in any order."""
        ...


class FaceEmbedder(Protocol):
    """Interface of face embedders.

    Attributes:
        info: provenance.
        options: settings that change its vectors, JSON-compatible.
    """

    @property
    def info(self) -> ModelInfo: ...  # noqa: D102
    @property
    def options(self) -> Mapping[str, Any]: ...  # noqa: D102

    def embed(self, crops: Sequence[np.ndarray]) -> np.ndarray:
        """Float32 [N, D], L2-normalised, of aligned crops, each uint8 [S, S, 3] RGB."""
        ...


def find_faces(detector: FaceDetector, image: np.ndarray) -> list[Face]:
    """Look for faces in a picture, and once more in the padded picture where there are none (released code v1.1).

    A face that fills its picture is found only with something around it.

    Args:
        detector: any.
        image: uint8 [H, W, 3] RGB.

    Returns:
        All faces whose landmarks can be aligned, in px of `image`.
    """
    found = detector.detect(image)
    if not found:
        height, width = image.shape[:2]
        rows, columns = int(height * PAD_SHARE), int(width * PAD_SHARE)
        padded = np.pad(image, ((rows, rows), (columns, columns), (0, 0)), constant_values=PAD_GREY)
        found = [face.moved(-columns, -rows) for face in detector.detect(padded)]
    return [face for face in found if _has_extent(face.landmarks)]


def largest(faces: Sequence[Face]) -> int | None:
    """Index of the face with the largest box; the last one of equals, as released; None without a face."""
    if not faces:
        return None
    return max(range(len(faces)), key=lambda index: (faces[index].area, index))


def _has_extent(landmarks: np.ndarray) -> bool:
    """Whether landmarks are different points: equal ones fit every similarity transform."""
    return bool(np.isfinite(landmarks).all()) and bool(np.ptp(landmarks, axis=0).max() > 0)
