"""Interface of segmenters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

from opens2v_hf.models.info import ModelInfo


class Segmentation(NamedTuple):
    """The masks of N boxes.

    Attributes:
        masks: bool [N, H, W], of the picture's size. A mask may be empty, and may reach beyond its box.
        scores: float32 [N], the model's own estimate of each mask's IoU, about 0..1.
    """

    masks: np.ndarray
    scores: np.ndarray


class Segmenter(Protocol):
    """Cuts out what is in a box."""

    info: ModelInfo

    def segment(self, image: np.ndarray, boxes: np.ndarray | Sequence[Sequence[float]]) -> Segmentation:
        """Segment what each box shows.

        Args:
            image: uint8 [H, W, 3], RGB.
            boxes: float [N, 4], xyxy in pixels of the picture; N may be 0.

        Raises:
            ArgumentError: the picture or the boxes have another form.
        """
        ...
