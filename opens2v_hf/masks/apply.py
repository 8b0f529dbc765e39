"""The picture of a subject, cut out of a frame by its mask."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np

from opens2v_hf.errors import ArgumentError, MaskError, short_repr
from opens2v_hf.masks import geometry
from opens2v_hf.masks.rle import RLE, decode

Background = Literal["white", "black", "transparent"]
_LEVELS = {"white": 255, "black": 0, "transparent": 0}


def cut_out(image: np.ndarray, rle: RLE, *, background: Background = "white", crop: bool = True) -> np.ndarray:
    """A subject without its surroundings.

    Args:
        image: uint8 [H, W, 3], the frame that the mask belongs to.
        rle: the subject's mask, of size (H, W).
        background: what replaces the surroundings.
        crop: to the smallest box around the subject; otherwise the picture keeps its size.

    Returns:
        uint8 [h, w, 3]; [h, w, 4] for a transparent background, alpha 255 on the subject, colour and alpha 0 elsewhere.

    Raises:
        ArgumentError: when the image is no RGB picture or the background is unknown.
        MaskError: when the mask is empty and `crop` is set, or does not fit the image.
    """
    if background not in _LEVELS:
        raise ArgumentError(f"background must be one of {', '.join(_LEVELS)}, got {background!r}")
    _check(image)
    if rle.size != image.shape[:2]:
        raise MaskError(f"a mask of {rle.size} does not fit an image of {image.shape[:2]} (height, width)")
    mask = decode(rle)
    if crop:
        around = geometry.box(rle)
        if around is None:
            raise MaskError("the mask is empty: there is no subject to cut out")
        left, top, right, bottom = around
        image, mask = image[top:bottom, left:right], mask[top:bottom, left:right]
    mask = np.ascontiguousarray(mask).view(np.uint8)
    picture = cv2.copyTo(image, mask, np.full(image.shape, _LEVELS[background], np.uint8))
    if background == "transparent":
        return np.dstack([picture, mask * np.uint8(255)])
    return picture


def cut_box(image: np.ndarray, box_xyxy: tuple[float, float, float, float]) -> np.ndarray:
    """The content of a box, with the surroundings of the subject.

    Corners are rounded to the nearest pixel, half to even, and parts outside the image are left out.

    Args:
        image: uint8 [H, W, 3].
        box_xyxy: (x0, y0, x1, y1) in pixels, x1 and y1 exclusive.

    Returns:
        uint8 [h, w, 3], a view of the image.

    Raises:
        ArgumentError: when the image is no RGB picture, or nothing of it lies in the box.
    """
    _check(image)
    height, width = image.shape[:2]
    if len(box_xyxy) != 4 or not all(isinstance(corner, int | float | np.number) for corner in box_xyxy):
        raise ArgumentError(f"a box is four numbers (x0, y0, x1, y1), got {short_repr(box_xyxy)}")
    if not np.isfinite(box_xyxy).all():
        raise ArgumentError(f"the box {box_xyxy} has corners that are no numbers")
    left, top, right, bottom = (round(corner) for corner in box_xyxy)
    left, right = max(left, 0), min(right, width)
    top, bottom = max(top, 0), min(bottom, height)
    if left >= right or top >= bottom:
        raise ArgumentError(f"nothing of an image of {width} x {height} pixels lies in the box {box_xyxy}")
    return image[top:bottom, left:right]


def _check(image: np.ndarray) -> None:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ArgumentError(f"an image must be uint8 [height, width, 3], got {image.dtype} {image.shape}")
