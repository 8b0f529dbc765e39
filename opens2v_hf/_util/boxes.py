"""Boxes as xyxy in pixels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def box_iou(first: Sequence[float] | np.ndarray, second: Sequence[float] | np.ndarray) -> float:
    """Intersection over union of two boxes; 0.0 where they do not overlap, or have no area.

    Example:
        >>> box_iou((0, 0, 2, 2), (1, 0, 3, 2))
        0.3333333333333333
        >>> box_iou((0, 0, 2, 2), (2, 2, 3, 3))
        0.0
    """
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (first, second))
    return float(shared / (areas - shared))
