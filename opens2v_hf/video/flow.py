"""Optical flow between consecutive frames, as they come."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from typing import TypeVar

import cv2
import numpy as np

from opens2v_hf._util.threads import in_order

FARNEBACK = {
    "pyr_scale": 0.5,
    "levels": 3,
    "winsize": 15,
    "iterations": 3,
    "poly_n": 5,
    "poly_sigma": 1.2,
}
"""Settings of Farneback's method (released code v1.1)."""

_Measured = TypeVar("_Measured")


def farneback_flow(
    frames: Iterable[np.ndarray], measure: Callable[[np.ndarray], _Measured], *, threads: int | None = None
) -> Iterator[_Measured]:
    """Measure the dense flow from each frame to the next, by Farneback's method.

    A pair of frames takes one core and does not depend on the others, so several are worked out at a time; the values
    are the same.

    Args:
        frames: uint8 [H, W, 3] RGB, all of one size; few more than `threads` are in memory at a time.
        measure: gets the flow, float32 [H, W, 2]: for every pixel the motion to the right and downwards, in pixels per
            frame. It is called by other threads.
        threads: see `in_order`.

    Yields:
        What `measure` returns, for each pair in order: one value less than there are frames.
    """

    def measured(pair: tuple[np.ndarray, np.ndarray]) -> _Measured:
        return measure(cv2.calcOpticalFlowFarneback(*pair, None, **FARNEBACK, flags=0))  # type: ignore[call-overload]

    # The released code greys RGB frames with the weights that are meant for BGR.
    greys = (cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY) for frame in frames)
    yield from in_order(measured, pairwise(greys), threads=threads)
