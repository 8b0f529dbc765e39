"""MotionAmplitude: how much moves in a video, by the optical flow between consecutive frames.

The released score (v1.1) averages signed components and takes the absolute value at the end, so that opposite motions
cancel: a person who walks to the left before a camera that pans to the right may score near 0, as a still does. It is
also in pixels per frame, so that it grows with the size of the picture and falls with the frame rate.
`motion_magnitude` is the length of the motion itself, which neither cancels nor depends on either.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from opens2v_hf._util.argument_types import checked
from opens2v_hf.errors import ArgumentError

RELEASED = "released"
MAGNITUDE = "magnitude"
VARIANTS = (RELEASED, MAGNITUDE)
"""Definitions of the score; the first is the leaderboard's."""

REDUCED_WIDTH = 16
"""Width to which flow maps are reduced before they are averaged (released code v1.1)."""


def reduced_size(width: int, height: int) -> tuple[int, int]:
    """Width and height to which the flow of frames of this size is reduced: in proportion, the height truncated.

    Args:
        width: of a frame in pixels, from 1.
        height: likewise.

    Raises:
        ArgumentError: the picture is so flat that no row would be left.

    Example:
        >>> reduced_size(832, 480)
        (16, 9)
    """
    rows = int(height * (REDUCED_WIDTH / width))
    if rows < 1:
        raise ArgumentError(
            f"a frame of {width}x{height} is too flat for MotionAmplitude: reduced to width {REDUCED_WIDTH}, no row "
            "is left of it"
        )
    return REDUCED_WIDTH, rows


@checked
def motion_amplitude(pair_means: Sequence[float]) -> float:
    r"""Absolute value of the mean of all components of all reduced flow maps (released code v1.1).

    .. math:: \mathrm{MotionAmplitude} = \left| \frac{1}{P} \sum_{p=1}^{P} m_p \right|

    where m_p is the mean over both signed components and all places of the p-th of P maps, all of one size.

    Args:
        pair_means: m_p in pixels per frame, one for each two consecutive frames.

    Returns:
        From 0, in pixels per frame. The leaderboard clips it to [0, 1].

    Raises:
        ArgumentError: there is no pair, or a mean is no finite number.

    Example:
        >>> motion_amplitude([0.5, 0.25, -1.5])
        0.25
    """
    return abs(_mean(pair_means))


@checked
def motion_magnitude(pair_lengths: Sequence[float], *, fps: float, width: int, height: int) -> float:
    """Mean length of the motion, in diagonals of the picture per second; this project's own definition.

    Args:
        pair_lengths: mean over a flow map of the length of its vectors, in pixels per frame; one for each two
            consecutive frames.
        fps: frames per second, above 0.
        width: of a frame in pixels.
        height: likewise.

    Returns:
        From 0. A picture that moves as a whole by its own diagonal within a second has 1.

    Raises:
        ArgumentError: there is no pair, a length is no finite number, or the frame rate is not above 0.

    Example:
        >>> motion_magnitude([2.0, 4.0], fps=10.0, width=300, height=400)
        0.06
    """
    if not fps > 0 or not math.isfinite(fps):
        raise ArgumentError(f"motion per second needs a frame rate above 0 (got {fps=})")
    return _mean(pair_lengths) * fps / math.hypot(width, height)


def _mean(values: Sequence[float]) -> float:
    if len(values) == 0:
        raise ArgumentError("MotionAmplitude compares consecutive frames and needs at least two (got fewer)")
    if not all(math.isfinite(value) for value in values):
        raise ArgumentError("the optical flow between two frames is not a finite number")
    return math.fsum(values) / len(values)
