"""Pictures and boxes as SAM 2 takes them, and masks as it gives them.

The processor of transformers needs torchvision. It resizes to a square without keeping the aspect, normalises, and
scales the boxes along with the picture (`Sam2ImageProcessor` and `Sam2Processor` in transformers 5.24).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from opens2v_hf.video.resize import resize

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def square_pixels(
    image: np.ndarray, side: int, mean: Sequence[float] = IMAGENET_MEAN, std: Sequence[float] = IMAGENET_STD
) -> Tensor:
    """A picture resized to a square (bilinear, anti-aliased) and normalised.

    Args:
        image: uint8 [H, W, 3], RGB.
        side: of the square in pixels.
        mean: of each channel, 0..1.
        std: of each channel.

    Returns:
        float32 [3, side, side].
    """
    square = np.asarray(resize(Image.fromarray(image), (side, side), Image.Resampling.BILINEAR), np.float32)
    normalised = (square / 255 - np.asarray(mean, np.float32)) / np.asarray(std, np.float32)
    return torch.from_numpy(normalised.transpose(2, 0, 1).copy())


def square_boxes(boxes: np.ndarray, height: int, width: int, side: int) -> Tensor:
    """Boxes of a picture as boxes of its square.

    Args:
        boxes: float [N, 4], xyxy in pixels of the picture.
        height: of the picture.
        width: of the picture.
        side: of the square.

    Returns:
        float32 [N, 4].

    Example:
        >>> square_boxes(np.array([[0, 50, 100, 100]]), height=100, width=200, side=400)
        tensor([[  0., 200., 200., 400.]])
    """
    scale = np.array([side / width, side / height] * 2)
    return torch.from_numpy((np.asarray(boxes, np.float64).reshape(-1, 4) * scale).astype(np.float32))


def frame_logits(logits: Tensor, height: int, width: int) -> Tensor:
    """Logits of masks, resized (bilinear) to the picture; a pixel belongs to the mask where its logit is above 0.

    Args:
        logits: [N, h, w], of the whole square.
        height: of the picture.
        width: of the picture.

    Returns:
        float32 [N, height, width].
    """
    return F.interpolate(logits[:, None].float(), (height, width), mode="bilinear", align_corners=False)[:, 0]
