"""Resizing with OpenCV, for what is fed to a training: fast, and no part of any score."""

from __future__ import annotations

import cv2
import numpy as np


def resize(picture: np.ndarray, height: int, width: int, out: np.ndarray | None = None) -> np.ndarray:
    """A picture of another size, every pixel of which counts.

    A picture that shrinks to less than half is averaged over whole blocks of pixels first, for which up to a block's
    width is left out at its edges; the rest is bilinear, which misses no pixel down to a half. OpenCV's own averaging
    over fractions of pixels takes several times as long.

    Args:
        picture: uint8 [H, W, channels], or [H, W].
        height: in pixels.
        width: in pixels.
        out: for the result; by default new memory.

    Returns:
        uint8 [height, width, channels], or [height, width]; the picture itself where it has that size and `out` is not
        given.
    """
    if picture.shape[:2] == (height, width):
        if out is None:
            return picture
        out[...] = picture
        return out
    down, across = block_size(picture.shape[0], height), block_size(picture.shape[1], width)
    if down > 1 or across > 1:
        rows, columns = picture.shape[0] // down, picture.shape[1] // across
        top, left = (picture.shape[0] - rows * down) // 2, (picture.shape[1] - columns * across) // 2
        blocks = picture[top : top + rows * down, left : left + columns * across]
        if (rows, columns) == (height, width):
            return cv2.resize(blocks, (width, height), dst=out, interpolation=cv2.INTER_AREA)
        picture = cv2.resize(blocks, (columns, rows), interpolation=cv2.INTER_AREA)
    return cv2.resize(picture, (width, height), dst=out, interpolation=cv2.INTER_LINEAR)


def block_size(before: int, after: int) -> int:
    """Pixels of a side that `resize` averages before it interpolates, at least 1."""
    return max(1, before // after)
