"""Faces whose place and identity can be read off a picture's pixels, so that every cosine is known beforehand.

A face is a square of one grey level: who it is. Levels are angles: two faces of levels a and b have the cosine
cos((a - b) degrees).
"""

from __future__ import annotations

import cv2
import numpy as np

from opens2v_hf.models.faces.align import TEMPLATE, TEMPLATE_PX
from opens2v_hf.models.faces.face import Face
from opens2v_hf.models.info import ModelInfo

RELEASED = "BestWishYsh/OpenS2V-Weight"


def picture(*faces: tuple[int, int, int, int], width: int = 96, height: int = 64) -> np.ndarray:
    """A black picture with faces, each (left, top, side, level); levels from 40."""
    image = np.zeros((height, width, 3), np.uint8)
    for left, top, side, level in faces:
        image[top : top + side, left : left + side] = level
    return image


class SquareDetector:
    """Finds the squares of `picture` that are all within the picture, and with a black or grey rim."""

    def __init__(self, name: str = RELEASED) -> None:
        self.info = ModelInfo("face_detector", name)
        self.options = {"input_px": 320, "score_threshold": 0.5}
        self.seen: list[np.ndarray] = []

    def detect(self, image: np.ndarray) -> list[Face]:
        self.seen.append(image)
        plain = image[..., 0].astype(int)
        plain[(plain > 124) & (plain < 132)] = 0  # padding
        _, _, found, _ = cv2.connectedComponentsWithStats((plain > 30).astype(np.uint8))
        height, width = plain.shape
        return [
            Face(
                np.float32([x, y, x + w, y + h]),
                np.float32([x, y]) + np.float32(TEMPLATE / TEMPLATE_PX) * np.float32([w, h]),
                0.9,
            )
            for x, y, w, h, _ in found[1:]
            if x > 0 and y > 0 and x + w < width and y + h < height
        ]


class LevelEmbedder:
    """An angle for the grey level in the middle of a crop."""

    def __init__(self, name: str = RELEASED) -> None:
        self.info = ModelInfo("face_embedder", name)
        self.options = {"input_px": 112}
        self.num_crops: list[int] = []

    def embed(self, crops: list[np.ndarray]) -> np.ndarray:
        self.num_crops.append(len(crops))
        angles = np.deg2rad([float(crop[100:124, 100:124].mean()) for crop in crops])
        return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def cosine(a: float, b: float) -> float:
    """Of the faces of two levels."""
    return float(np.cos(np.deg2rad(a - b)))
