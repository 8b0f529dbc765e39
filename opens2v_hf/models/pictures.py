"""The one form of pictures that models take."""

from __future__ import annotations

import numpy as np

from opens2v_hf.errors import ArgumentError


def check_picture(image: np.ndarray, what: str = "a picture") -> tuple[int, int]:
    """Height and width of a picture.

    Args:
        image: uint8 [H, W, 3], RGB, of at least one pixel.
        what: it is, for the message.

    Raises:
        ArgumentError: it has another form.
    """
    array = np.asarray(image)
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or array.size == 0:
        raise ArgumentError(f"{what} must be uint8 [H, W, 3], RGB (got {array.dtype} {list(array.shape)})")
    return array.shape[0], array.shape[1]
