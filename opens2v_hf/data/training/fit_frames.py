"""Resizing frames to the size of a training clip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import cv2
import numpy as np
from torch.utils.data import get_worker_info

from opens2v_hf.errors import ArgumentError
from opens2v_hf.video.decoded_frame import DecodedFrame, Region
from opens2v_hf.video.fast_resize import resize

Fit = Literal["crop", "stretch"]


@dataclass(frozen=True)
class Resize:
    """Resizing to one size, see `resize`.

    Attributes:
        height: in pixels.
        width: in pixels.
        fit: "crop" keeps the aspect ratio and cuts off both sides alike; "stretch" keeps all.

    Raises:
        ArgumentError: a side is below 1 or `fit` unknown.
    """

    height: int
    width: int
    fit: Fit = "crop"

    def __post_init__(self) -> None:
        if self.height < 1 or self.width < 1:
            raise ArgumentError(f"a size is (height, width), each at least 1 (got {(self.height, self.width)})")
        if self.fit not in get_args(Fit):
            raise ArgumentError(f"fit is one of {', '.join(get_args(Fit))} (got {self.fit=})")

    @classmethod
    def to(cls, size: Any, fit: Fit) -> Resize:
        """The resizing to a size, (height, width).

        Raises:
            ArgumentError: it is no pair of whole numbers.
        """
        if not isinstance(size, Sequence) or [type(side) for side in size] != [int, int]:
            raise ArgumentError(f"size must be (height, width), two whole numbers of pixels (got {size!r})")
        return cls(size[0], size[1], fit)

    def region(self, height: int, width: int) -> tuple[int, int, int, int]:
        """The part of a picture that remains, (x0, y0, x1, y1) in its pixels.

        >>> Resize(100, 100).region(100, 160)
        (30, 0, 130, 100)
        >>> Resize(100, 100, "stretch").region(100, 160)
        (0, 0, 160, 100)
        """
        if self.fit == "stretch":
            return 0, 0, width, height
        kept_width = min(width, max(1, round(height * self.width / self.height)))
        kept_height = min(height, max(1, round(width * self.height / self.width)))
        left, top = (width - kept_width) // 2, (height - kept_height) // 2
        return left, top, left + kept_width, top + kept_height

    def apply(self, picture: np.ndarray) -> np.ndarray:
        """The picture in the size of this rule.

        Args:
            picture: uint8 [H, W, 3].

        Returns:
            uint8 [height, width, 3]; a view of the picture if it has that size already.
        """
        left, top, right, bottom = self.region(*picture.shape[:2])
        return resize(picture[top:bottom, left:right], self.height, self.width)

    def apply_to_frame(self, frame: DecodedFrame, crop: Region, out: np.ndarray) -> None:
        """Write a part of a frame in the size of this rule, see `DecodedFrame.write_resized`.

        Args:
            frame: of a video.
            crop: the part.
            out: for the result, uint8 [height, width, 3].

        Raises:
            VideoError: if the frame cannot be converted.
        """
        x0, y0, x1, y1 = crop
        left, top, right, bottom = self.region(y1 - y0, x1 - x0)
        frame.write_resized((x0 + left, y0 + top, x0 + right, y0 + bottom), out)


def letterbox(picture: np.ndarray, height: int, width: int, level: int) -> np.ndarray:
    """A whole picture in the middle of a canvas, as large as fits.

    Args:
        picture: uint8 [H, W, channels].
        height: of the canvas.
        width: of the canvas.
        level: value of the canvas in all channels.

    Returns:
        uint8 [height, width, channels].
    """
    scale = min(height / picture.shape[0], width / picture.shape[1])
    inner_height = min(height, max(1, round(picture.shape[0] * scale)))
    inner_width = min(width, max(1, round(picture.shape[1] * scale)))
    canvas = np.full((height, width, picture.shape[2]), level, np.uint8)
    top, left = (height - inner_height) // 2, (width - inner_width) // 2
    canvas[top : top + inner_height, left : left + inner_width] = resize(picture, inner_height, inner_width)
    return canvas


def quiet_in_worker() -> None:
    """Keeps OpenCV to one thread in a worker of a DataLoader: its threads do not survive a fork."""
    if get_worker_info() is not None:
        cv2.setNumThreads(0)
