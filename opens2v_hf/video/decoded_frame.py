"""Decoded frames whose RGB is made on request: the whole picture, or a part of it in another size."""

from __future__ import annotations

import av
import numpy as np

from opens2v_hf.video.fast_resize import block_size, resize
from opens2v_hf.video.guard import errors_as_video_errors
from opens2v_hf.video.orientation import Filters
from opens2v_hf.video.rgb import RgbConverter, plane_bytes

Region = tuple[int, int, int, int]
"""(x0, y0, x1, y1) in pixels, x1 and y1 exclusive."""

_HALVED_CHROMA = {"yuv420p", "yuvj420p"}


class Converters:
    """What converts the frames of one video; made once, used for all of them.

    Args:
        upright: the filters that turn the video's frames upright.
        name: of the video, for messages.
    """

    def __init__(self, upright: Filters, name: str) -> None:
        self.upright = upright
        self.name = name
        self.whole = RgbConverter(upright)
        self.resized = RgbConverter(())
        self._small: av.VideoFrame | None = None

    def small(self, like: av.VideoFrame, width: int, height: int) -> av.VideoFrame:
        """A frame of another size with the format and colour tags of one; the same memory each time."""
        small = self._small
        if small is None or (small.width, small.height, small.format.name) != (width, height, like.format.name):
            small = self._small = av.VideoFrame(width, height, like.format.name)
        small.colorspace, small.color_range = like.colorspace, like.color_range
        small.time_base = like.time_base
        return small


class DecodedFrame:
    """One decoded frame; made by `VideoReader.iter_decoded`."""

    def __init__(self, frame: av.VideoFrame, converters: Converters) -> None:
        self._frame = frame
        self._converters = converters
        self._rgb: np.ndarray | None = None

    def rgb(self) -> np.ndarray:
        """The whole frame, uint8 [H, W, 3], upright: to the bit what `VideoReader.iter_frames` gives.

        Raises:
            VideoError: if it cannot be converted.
        """
        if self._rgb is None:
            with errors_as_video_errors(self._converters.name):
                self._rgb = self._converters.whole.convert(self._frame)
        return self._rgb

    def write_resized(self, region: Region, out: np.ndarray) -> None:
        """Write a part of the frame in the size of `out`.

        Where the video has 8 bits and chroma at half the resolution, is stored upright, and the sides of the region and
        of `out` are even, luma and chroma are resized before they become RGB, in some 0.7 of the time of converting the
        whole frame and resizing RGB: the result has chroma at half its own resolution, as a video that is encoded in
        that size. Otherwise, and where the region has the size of `out`, RGB is cut and resized. Both resize by
        `fast_resize.resize`.

        Args:
            region: of the upright frame, within it.
            out: uint8 [height, width, 3], contiguous.

        Raises:
            VideoError: if the frame cannot be converted.
        """
        left, top, right, bottom = region
        height, width = out.shape[:2]
        with errors_as_video_errors(self._converters.name):
            if (bottom - top, right - left) != (height, width) and self._has_planes_for(region, height, width):
                self._resize_planes(region, out)
            else:
                resize(self.rgb()[top:bottom, left:right], height, width, out)

    def _has_planes_for(self, region: Region, height: int, width: int) -> bool:
        return (
            self._frame.format.name in _HALVED_CHROMA
            and not self._converters.upright
            and all(plane.line_size > 0 for plane in self._frame.planes)  # rows from the bottom up are negative
            and all(number % 2 == 0 for number in (*region, height, width))
        )

    def _resize_planes(self, region: Region, out: np.ndarray) -> None:
        height, width = out.shape[:2]
        left, right = _whole_blocks(region[0], region[2], width)
        top, bottom = _whole_blocks(region[1], region[3], height)
        small = self._converters.small(self._frame, width, height)
        for plane, target, step in zip(self._frame.planes, small.planes, (1, 2, 2), strict=True):
            part = plane_bytes(plane)[top // step : bottom // step, left // step : right // step]
            resize(part, target.height, target.width, plane_bytes(target)[:, : target.width])
        self._converters.resized.convert_into(small, out)


def _whole_blocks(start: int, stop: int, size: int) -> tuple[int, int]:
    """The middle of a range that is cut into the same blocks of luma and of chroma when it is resized."""
    rest = (stop - start) % (2 * block_size(stop - start, size))
    start += rest // 4 * 2
    return start, stop - rest + rest // 4 * 2
