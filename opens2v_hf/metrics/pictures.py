"""Reading the reference pictures that users hand in."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image

from opens2v_hf.data.images import read_image
from opens2v_hf.errors import ArgumentError, ImageError


def load_picture(source: Any, *, name: str = "the picture") -> Image.Image:
    """Read one picture as RGB.

    Transparency is dropped, as the released code drops it; greyscale becomes grey RGB (16 bits are brought to 8).

    Args:
        source: a path, the bytes of a file, a dict with "path" or "bytes" (as `datasets` gives undecoded images), a PIL
            image, or a uint8 array [H, W, 3] or [H, W].
        name: for messages, where the source has none.

    Raises:
        ImageError: the file is missing, broken, no picture, or too huge to be one.
        ArgumentError: `source` is none of these.
    """
    if isinstance(source, Mapping):
        name = str(source.get("path") or name)
        source = bytes_or_path(source, name)
    if isinstance(source, np.ndarray):
        source = _from_array(source, name)
    if isinstance(source, bytearray | memoryview):
        source = bytes(source)
    if isinstance(source, str | os.PathLike):
        return read_image(source)
    if isinstance(source, bytes | Image.Image):
        return read_image(source, name=name)
    raise ArgumentError(
        f"{name} is a path, the bytes of a file, a PIL image or a uint8 array (got {type(source).__name__})"
    )


def bytes_or_path(source: Mapping[str, Any], name: str) -> Any:
    """The bytes, else the path, of a dict as `datasets` gives undecoded files; None where it has neither.

    Raises:
        ArgumentError: "bytes" is a text, such as an encoding of bytes, which must not be read as a path.
    """
    content = source.get("bytes")
    if isinstance(content, str):
        raise ArgumentError(f"{name}: 'bytes' must be the bytes of a file (got {content[:80]!r})")
    return source.get("path") if content is None else content


def _from_array(array: np.ndarray, name: str) -> Image.Image:
    grey_or_rgb = array.ndim == 2 or (array.ndim == 3 and array.shape[2] == 3)
    if array.dtype != np.uint8 or not grey_or_rgb:
        raise ArgumentError(f"{name} as an array is uint8 [H, W, 3] or [H, W] (got {array.dtype} {list(array.shape)})")
    if 0 in array.shape:
        raise ImageError(f"{name} has no pixels ({list(array.shape)})")
    return Image.fromarray(array).convert("RGB")
