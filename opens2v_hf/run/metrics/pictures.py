"""Reading the reference pictures that users hand in."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

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
        inside = [source.get(key) for key in ("bytes", "path")]
        name = str(source.get("path") or name)
        source = next((value for value in inside if value is not None), None)
    if isinstance(source, Image.Image):
        return _rgb(source, name)
    if isinstance(source, np.ndarray):
        return _from_array(source, name)
    if isinstance(source, bytes | bytearray | memoryview):
        return _open(io.BytesIO(bytes(source)), name)
    if isinstance(source, str | os.PathLike):
        path = Path(os.fspath(source))
        if not path.is_file():
            raise ImageError(f"there is no picture {path}; check the path")
        return _open(path, str(path))
    raise ArgumentError(
        f"{name} is a path, the bytes of a file, a PIL image or a uint8 array (got {type(source).__name__})"
    )


def _open(file: Path | io.BytesIO, name: str) -> Image.Image:
    try:
        with warnings.catch_warnings():
            # what Pillow warns of is large but can be read; what it refuses is an error below
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(file) as picture:
                return _rgb(picture, name)
    except Image.DecompressionBombError as error:
        raise ImageError(f"{name} has too many pixels to be a reference ({error}); scale it down") from error
    except UnidentifiedImageError as error:
        raise ImageError(f"{name} is no picture that can be read; give a PNG or JPEG file") from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise ImageError(f"{name} is broken ({error}); write it anew as PNG or JPEG") from error


def _rgb(picture: Image.Image, name: str) -> Image.Image:
    if 0 in picture.size:
        raise ImageError(f"{name} has no pixels ({picture.width}x{picture.height})")
    if picture.mode.startswith("I"):
        # Pillow would cut 16-bit greys off at 255
        wide = np.asarray(picture).astype(np.float64)
        return Image.fromarray((wide / 257).round().clip(0, 255).astype(np.uint8)).convert("RGB")
    return picture.convert("RGB")


def _from_array(array: np.ndarray, name: str) -> Image.Image:
    grey_or_rgb = array.ndim == 2 or (array.ndim == 3 and array.shape[2] == 3)
    if array.dtype != np.uint8 or not grey_or_rgb:
        raise ArgumentError(f"{name} as an array is uint8 [H, W, 3] or [H, W] (got {array.dtype} {list(array.shape)})")
    if 0 in array.shape:
        raise ImageError(f"{name} has no pixels ({list(array.shape)})")
    return Image.fromarray(array).convert("RGB")
