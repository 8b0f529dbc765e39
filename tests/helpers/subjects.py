"""Subjects whose place and identity can be read off a picture's pixels, so that every cosine is known beforehand.

A subject is a square of one grey level on black: who it is. Levels are angles: two subjects of levels a and b have the
cosine cos((a - b) degrees).
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from PIL import Image

from opens2v_hf.models.info import ModelInfo
from opens2v_hf.models.yolo_world.boxes import Detections


def level_of(image: Image.Image | np.ndarray) -> float:
    """The level of most pixels that are not black, nor the grey that pictures are padded with."""
    pixels = np.asarray(image)[..., 0].astype(int)
    seen = pixels[(pixels > 30) & (abs(pixels - 128) > 3)]
    return float(np.median(seen)) if seen.size else 0.0


class SquareFinder:
    """Finds every square for every prompt, also in a padded picture; remembers how many frames it saw."""

    def __init__(self) -> None:
        self.info = ModelInfo("detector", "squares")
        self.options = {"score_threshold": 0.5}
        self.num_seen = 0

    def prompts(self, image_embeds: torch.Tensor) -> torch.Tensor:
        return image_embeds

    def detect(self, frames: Sequence[np.ndarray], prompt_embeds: torch.Tensor) -> list[list[Detections]]:
        self.num_seen += len(frames)
        return [[self._squares(frame) for _ in prompt_embeds] for frame in frames]

    def _squares(self, frame: np.ndarray) -> Detections:
        plain = frame[..., 0].astype(int)
        _, _, found, _ = cv2.connectedComponentsWithStats(((plain > 30) & (abs(plain - 128) > 3)).astype(np.uint8))
        boxes = [[x, y, x + w, y + h] for x, y, w, h, area in found[1:] if area > 40]
        return Detections(np.float32(boxes).reshape(-1, 4), np.full(len(boxes), 0.9, np.float32))


class LevelEncoder:
    """The vector of a picture: the angle of its level."""

    def __init__(self, role: str) -> None:
        self.info = ModelInfo(role, "levels")
        self.options = {"kind": "levels"}
        self.num_seen = 0

    def embed(self, images: Sequence[Image.Image]) -> torch.Tensor:
        self.num_seen += len(images)
        angles = np.radians([level_of(image) for image in images])
        return torch.tensor(np.stack([np.cos(angles), np.sin(angles)], axis=1), dtype=torch.float32)


def models() -> tuple[SquareFinder, LevelEncoder, LevelEncoder]:
    return SquareFinder(), LevelEncoder("prompt_encoder"), LevelEncoder("subject_embedder")


def picture(*subjects: tuple[int, int, int, int], width: int = 96, height: int = 64) -> np.ndarray:
    """A black picture with subjects, each (left, top, side, level); levels from 40, and not about 128."""
    image = np.zeros((height, width, 3), np.uint8)
    for left, top, side, level in subjects:
        image[top : top + side, left : left + side] = level
    return image


def cosine(a: float, b: float) -> float:
    return float(np.cos(np.radians(a - b)))
