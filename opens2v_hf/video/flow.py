"""Optical flow between consecutive frames, as they come."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import cv2
import numpy as np

FARNEBACK = {
    "pyr_scale": 0.5,
    "levels": 3,
    "winsize": 15,
    "iterations": 3,
    "poly_n": 5,
    "poly_sigma": 1.2,
}
"""Settings of Farneback's method (released code v1.1)."""


def farneback_flow(frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Dense flow from each frame to the next, by Farneback's method; two frames are in memory at a time.

    Args:
        frames: uint8 [H, W, 3] RGB, all of one size.

    Yields:
        float32 [H, W, 2]: for every pixel the motion to the right and downwards, in pixels per frame; one map less than
        there are frames.
    """
    previous: np.ndarray | None = None
    for frame in frames:
        # The released code greys RGB frames with the weights that are meant for BGR.
        grey = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
        if previous is not None:
            yield cv2.calcOpticalFlowFarneback(previous, grey, None, **FARNEBACK, flags=0)  # type: ignore[call-overload]
        previous = grey
