"""Frames as the network sees them: padded to a square, resized with PIL's filter, normalised."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from transformers import CLIPImageProcessorPil

from opens2v_hf.models.pictures import check_picture
from opens2v_hf.video.resize import resizes_horizontally_first


def pad_to_square(frame: np.ndarray, color: tuple[int, int, int]) -> Image.Image:
    """A frame in the middle of a square of its longer side; an odd pixel of the padding goes right or below.

    Args:
        frame: uint8 [H, W, 3] RGB.
        color: of the padding, RGB.

    Raises:
        ArgumentError: another shape or dtype, or no pixels.
    """
    height, width = check_picture(frame, "a frame")
    side = max(height, width)
    square = Image.new("RGB", (side, side), color)
    square.paste(Image.fromarray(frame), ((side - width) // 2, (side - height) // 2))
    return square


class FramePreprocessor:
    """Frames to pixels of the network.

    Args:
        image_processor: CLIP's, with its PIL back end. The other back end resizes with other filters.
    """

    def __init__(self, image_processor: CLIPImageProcessorPil) -> None:
        self.image_processor = resizes_horizontally_first(image_processor)
        red, green, blue = (int(255 * mean) for mean in image_processor.image_mean)
        self.color = (red, green, blue)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the pictures that it makes."""
        crop = self.image_processor.crop_size
        return int(crop["height"]), int(crop["width"])

    def __call__(self, frames: Sequence[np.ndarray]) -> Tensor:
        """Prepare frames.

        Args:
            frames: at least one, uint8 [H, W, 3] RGB, of any sizes.

        Returns:
            float32 [F, 3, S, S].

        Raises:
            ArgumentError: a frame has another shape or dtype, or no pixels.
        """
        squares = [pad_to_square(frame, self.color) for frame in frames]
        pixels = self.image_processor(squares, return_tensors="np", input_data_format="channels_last")["pixel_values"]
        return torch.from_numpy(np.ascontiguousarray(pixels, dtype=np.float32))
