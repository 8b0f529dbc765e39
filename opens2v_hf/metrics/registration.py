"""Registration of a picture with a frame: the position and size of its best fit, and how well it fits there."""

from __future__ import annotations

import cv2
import numpy as np
from PIL import Image

Corners = tuple[int, int, int, int]

BOX_PX = 24
"""Longer side of the box in the search: smaller things than a 24th of it do not count."""

SCALES = tuple(1.12**step for step in range(-3, 8))
"""Longer sides of the picture that are tried, in longer sides of the box: 0.71 to 2.21."""

_REACH = 1.7  # half the side of the part of the frame that is searched, likewise
_LEAST_PX = 6


def best_correlation(image: Image.Image, frame: np.ndarray, corners: Corners) -> float:
    """Best match of a picture in a frame near a box, over positions and sizes, without rotation or warping.

    Normalised cross-correlation over pixels and colours (mean and contrast do not count), at a resolution where the box
    is `BOX_PX` px long. A picture that was pasted there fits with about 1.

    Args:
        image: the picture.
        frame: uint8 [H, W, 3] RGB.
        corners: of the box, left, top, right, bottom in px, at least a px wide and high.

    Returns:
        In [-1, 1]; 0 for a picture of one colour.
    """
    side = max(corners[2] - corners[0], corners[3] - corners[1])
    middle_x, middle_y = (corners[0] + corners[2]) / 2, (corners[1] + corners[3]) / 2
    reach = max(round(_REACH * side), 1)
    left, top = round(middle_x) - reach, round(middle_y) - reach
    around = _window(frame, left, top, 2 * reach)
    searched = cv2.resize(around, (round(2 * _REACH * BOX_PX),) * 2, interpolation=cv2.INTER_AREA)
    pixels = np.asarray(image.convert("RGB"))
    best = -1.0
    for scale in SCALES:
        factor = scale * BOX_PX / max(image.size)
        size = max(round(image.width * factor), _LEAST_PX), max(round(image.height * factor), _LEAST_PX)
        laid = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
        if laid.std() == 0 or max(size) > len(searched):
            continue
        found = cv2.matchTemplate(searched, laid, cv2.TM_CCOEFF_NORMED)
        # a region of one colour has no correlation; OpenCV gives inf, NaN or 1 by version
        flat = ~np.isfinite(found) | (np.abs(found) > 1.001)
        best = max(best, float(np.where(flat, 0.0, found).max()))
    return min(max(best, -1.0), 1.0) if best > -1.0 else 0.0


def _window(frame: np.ndarray, left: int, top: int, side: int) -> np.ndarray:
    """A square part of a frame, padded with the pixels of the border."""
    rows = np.clip(np.arange(top, top + side), 0, frame.shape[0] - 1)
    columns = np.clip(np.arange(left, left + side), 0, frame.shape[1] - 1)
    return np.ascontiguousarray(frame[rows][:, columns])
