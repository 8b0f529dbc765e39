"""Decoding still images: every failure of the decoder becomes an `ImageError` that names the image."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from opens2v_hf.errors import ImageError


def read_image(source: str | os.PathLike[str] | bytes | Image.Image, *, name: str | None = None) -> Image.Image:
    """Decode an image to RGB, 8 bits a channel.

    As in the released code, transparency is dropped, only the first image of a file is read, and the orientation in
    EXIF is ignored. Values of more than 8 bits are scaled by their real range, see `_to_8_bits`.

    Args:
        source: a path, the bytes of a file, or a PIL image.
        name: for messages; by default the path.

    Raises:
        ImageError: the image is missing, broken, no image, or has too many pixels.
    """
    if isinstance(source, Image.Image):
        name = name or "the image"
        with _image_errors(name):
            return _to_rgb(source, name)
    with _opened(source, name) as (image, shown):
        return _to_rgb(image, shown)


def check_image(source: str | os.PathLike[str] | bytes, *, name: str | None = None) -> None:
    """Read the header of an image and no pixel.

    Args:
        source: a path, or the bytes of a file.
        name: for messages; by default the path.

    Raises:
        ImageError: the image is missing, no image, or has too many pixels.
    """
    with _opened(source, name):
        pass


def to_png(image: np.ndarray | Image.Image) -> bytes:
    """An image as a PNG file.

    Args:
        image: uint8 [H, W, 3] RGB, or a PIL image.
    """
    content = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(content, format="PNG")
    return content.getvalue()


@contextmanager
def _opened(source: str | os.PathLike[str] | bytes, name: str | None) -> Iterator[tuple[Image.Image, str]]:
    file: Path | io.BytesIO
    if isinstance(source, bytes):
        name, file = name or "the image", io.BytesIO(source)
    else:
        file = Path(os.fspath(source))
        name = name or str(file)
    with _image_errors(name):
        if isinstance(file, Path) and not os.path.isfile(file):
            raise ImageError(f"there is no image {file}; check the path")
        with Image.open(file) as image:
            yield image, name


@contextmanager
def _image_errors(name: str) -> Iterator[None]:
    try:
        with warnings.catch_warnings():
            # Pillow warns of damaged metadata and of large images that it can read; what it refuses are errors.
            warnings.simplefilter("ignore")
            yield
    except ImageError:
        raise
    except Image.DecompressionBombError as error:
        raise ImageError(f"{name} has too many pixels ({error}); scale it down") from error
    except UnidentifiedImageError as error:
        raise ImageError(f"{name} is no image that can be read; give a PNG or JPEG file") from error
    except Exception as error:
        # Pillow's decoders raise many types of exceptions for a damaged file: IndexError (QOI), RuntimeError (AVIF),
        # NotImplementedError (DDS), SyntaxError (PNG), struct.error, KeyError, MemoryError and others.
        reason = str(error) or type(error).__name__
        raise ImageError(f"{name} is a broken image ({reason}); write it again as PNG or JPEG") from error


def _to_rgb(image: Image.Image, name: str) -> Image.Image:
    if 0 in image.size:
        raise ImageError(f"{name} has no pixels ({image.width}x{image.height})")
    if image.mode == "F" or image.mode.startswith("I"):
        return Image.fromarray(_to_8_bits(np.asarray(image), name)).convert("RGB")
    return image.convert("RGB")


def _to_8_bits(values: np.ndarray, name: str) -> np.ndarray:
    """Grey values of more than 8 bits as uint8. Pillow itself would cut them off at 255.

    Pillow reads files of different depths into the same mode, and writes 8-bit values of mode "I" to 16-bit PNG files,
    so the range is taken from the values: 0..255 stay, larger ones are those of 16 or 31 bits; floats up to 1 are
    fractions of white. Negative values are black.
    """
    wide = values.astype(np.float64)
    highest = wide.max()
    if not np.isfinite(wide).all():
        raise ImageError(f"{name} has values that are no numbers (NaN or infinity)")
    if highest <= 1 and values.dtype.kind == "f":
        white = 1.0
    else:
        white = next((top for top in (255, 65535) if highest <= top), 2**31 - 1)
    return (wide * (255 / white)).round().clip(0, 255).astype(np.uint8)
