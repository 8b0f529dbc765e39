"""Perceptual hashes: 64 bits that stay nearly the same when a picture is resized or compressed again."""

from __future__ import annotations

import numpy as np
from PIL import Image

from opens2v_hf.video.resize import resize

_SIDE = 32  # of the picture that is transformed
_LOW = 8  # frequencies each way
_COSINES = 2 * np.cos(np.pi * np.outer(np.arange(_LOW), 2 * np.arange(_SIDE) + 1) / (2 * _SIDE))
_DECIMALS = 6  # of a picture of one colour all but one coefficient are 0, and would be rounding errors


def phash(image: np.ndarray | Image.Image) -> int:
    """The hash of a picture: which of its 8x8 lowest frequencies are above their median.

    The picture is made grey and scaled to 32x32 pixels (Lanczos), then transformed by an unnormalised DCT-II, as the
    package ImageHash does it with Pillow 10 to 12.

    Args:
        image: uint8 [H, W, 3] in RGB, or a PIL image.

    Returns:
        0..2^64 - 1; the mean of the picture is the highest bit.
    """
    picture = image if isinstance(image, Image.Image) else Image.fromarray(image)
    small = np.asarray(resize(picture.convert("L"), (_SIDE, _SIDE), Image.Resampling.LANCZOS), dtype=np.float64)
    low = (_COSINES @ small @ _COSINES.T).round(_DECIMALS)
    return int.from_bytes(np.packbits(low > np.median(low)).tobytes(), "big")


def phash_distance(first: int, second: int) -> int:
    """Number of bits that differ, 0..64.

    Example:
        >>> phash_distance(0b1100, 0b1010)
        2
    """
    return (first ^ second).bit_count()
