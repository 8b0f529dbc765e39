"""Turning decoded frames upright: the display matrix of a file, read as ffmpeg's command line reads it."""

from __future__ import annotations

import math
import struct

from opens2v_hf.errors import VideoError

_ONE_DEGREE = 1.0

Filters = tuple[tuple[str, str], ...]
"""Names of libavfilter's filters with their arguments, in order."""


def upright_filters(matrix: bytes | None, name: str) -> Filters:
    """The filters that turn a frame upright.

    The same ones as ffmpeg inserts, so that frames are the same to the bit: angles are rounded to whole degrees, a
    matrix without an angle (all zero, as some browsers write it) is ignored, and so are scale and shear.

    Args:
        matrix: 9 numbers of 32 bits (16.16 fixed point but for the last column; ISO/IEC 14496-12, 8.3.2), in the byte
            order of this machine; None where there is none.
        name: of the video, for messages.

    Raises:
        VideoError: if the angle is, rounded, neither a multiple of 90° nor within 1° of one.

    Example:
        >>> upright_filters(struct.pack("=9i", 0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30), "a.mp4")
        (('transpose', 'clock'),)
    """
    if matrix is None:
        return ()
    numbers = struct.unpack("=9i", matrix[:36])
    angle = _clockwise_degrees(numbers)
    if angle is None:
        return ()
    rounded = math.copysign(math.floor(abs(angle) + 0.5), angle)
    degrees = rounded - 360 * math.floor(rounded / 360 + 0.9 / 360)
    if abs(degrees - 90) < _ONE_DEGREE:
        return (("transpose", "cclock_flip" if numbers[3] > 0 else "clock"),)
    if abs(degrees - 180) < _ONE_DEGREE:
        flips = (("hflip", ""),) if numbers[0] < 0 else ()
        return (*flips, ("vflip", "")) if numbers[4] < 0 else flips
    if abs(degrees - 270) < _ONE_DEGREE:
        return (("transpose", "clock_flip" if numbers[3] < 0 else "cclock"),)
    if abs(degrees) > _ONE_DEGREE:
        raise VideoError(
            f"{name}: is to be shown turned by {angle:.4g}° clockwise, which is no quarter turn; re-encode it upright"
        )
    return (("vflip", ""),) if abs(degrees) < _ONE_DEGREE and numbers[4] < 0 else ()


def upright_size(filters: Filters, width: int, height: int) -> tuple[int, int]:
    """Width and height of a frame when it is upright."""
    return (height, width) if any(name == "transpose" for name, _ in filters) else (width, height)


def _clockwise_degrees(matrix: tuple[int, ...]) -> float | None:
    """The angle of a display matrix; None where it has none."""
    x_scale, y_scale = math.hypot(matrix[0], matrix[3]), math.hypot(matrix[1], matrix[4])
    if not x_scale or not y_scale:
        return None
    return math.degrees(math.atan2(matrix[1] / y_scale, matrix[0] / x_scale))
