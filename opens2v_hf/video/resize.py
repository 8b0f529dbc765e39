"""Resizing images in one order of passes, the same for every release of Pillow.

Pillow resizes along one axis and then along the other, and rounds to 8 bits in between, so the order decides pixels.
Pillow 10 to 12 go horizontally first; Pillow 13 goes vertically first at some sizes, 832x480 among them. The
leaderboard was made with the older order. Two resizes of one axis each leave Pillow no choice.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image


def resize(
    image: Image.Image, size: tuple[int, int], resample: Image.Resampling = Image.Resampling.BICUBIC
) -> Image.Image:
    """Resize an image horizontally, then vertically, as `Image.resize` does in Pillow 10 to 12.

    Some of these releases begin with the height of an image that is more than 100 times as high as wide; this does not.

    Args:
        image: of mode "RGB" or "L". Others are converted by `Image.resize`, here twice.
        size: width and height in pixels.
        resample: filter; the default is Pillow's own.
    """
    width, height = size
    return image.resize((width, image.height), resample).resize((width, height), resample)


def resizes_horizontally_first(image_processor: Any) -> Any:
    """An image processor of transformers whose resizes have the order of `resize`; it is changed in place.

    One that computes with torchvision does not resize with Pillow and stays as it is.
    """
    from transformers.image_processing_backends import PilBackend

    kind = type(image_processor)
    if isinstance(image_processor, PilBackend) and not issubclass(kind, _horizontally_first()):
        # behind the processor's own class, which may work out the size and leave the resizing to its base
        image_processor.__class__ = type(kind.__name__, (kind, _horizontally_first()), {"__module__": kind.__module__})
    return image_processor


_HORIZONTALLY_FIRST: type | None = None


def _horizontally_first() -> type:
    # made when it is needed: importing transformers takes seconds
    global _HORIZONTALLY_FIRST
    if _HORIZONTALLY_FIRST is not None:
        return _HORIZONTALLY_FIRST
    from transformers.image_processing_backends import PilBackend
    from transformers.image_utils import SizeDict

    class HorizontallyFirst(PilBackend):
        """A base for processors that resizes one axis at a time."""

        def resize(
            self,
            image: np.ndarray,
            size: SizeDict,
            resample: Any = None,
            reducing_gap: int | None = None,
            **kwargs: Any,
        ) -> np.ndarray:
            """Resize [C, H, W] horizontally, then vertically."""
            # what size it comes to is the backend's to say; without a filter that costs next to nothing
            blank = np.zeros((1, *image.shape[-2:]), np.uint8)
            height, width = super().resize(blank, size, resample=Image.Resampling.NEAREST, **kwargs).shape[-2:]
            for rows in (image.shape[-2], height):
                image = super().resize(
                    image, SizeDict(height=rows, width=width), resample=resample, reducing_gap=reducing_gap, **kwargs
                )
            return image

    _HORIZONTALLY_FIRST = HorizontallyFirst
    return HorizontallyFirst
