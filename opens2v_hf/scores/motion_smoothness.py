"""MotionSmoothness: how steady the quality of a video stays from frame to frame.

The released code (v1.1) rates a short window around every frame on five levels, and counts the frames at which the
rating jumps. Only numbers here: no model, no file.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from opens2v_hf._util.argument_types import checked
from opens2v_hf.errors import ArgumentError

LEVELS = ("excellent", "good", "fair", "poor", "bad")
"""Levels of the quality of a window, best first."""

LEVEL_WEIGHTS = (1.0, 0.75, 0.5, 0.25, 0.0)
"""The quality that each of `LEVELS` means."""

WINDOW_SIZE = 3
"""Frames in a window (released code v1.1)."""

JUMP_THRESHOLD = 0.025
"""Neighbouring windows whose ratings differ by more are a jump (released code v1.1)."""


def window(center: int, num_frames: int, size: int = WINDOW_SIZE) -> tuple[int, ...]:
    """The frames that are rated together for the frame `center` (released code v1.1).

    They are the neighbours of `center`, (size - 1) // 2 before it and the rest after it. A window that is cut off by an
    end of the video is filled up to its size: one that starts at frame 0 by repeating its last frame at its end, any
    other one by repeating its first frame in front. The windows of the first (size - 1) // 2 frames are frame 0 alone,
    repeated.

    Args:
        center: index of a frame.
        num_frames: of the video. A window that ends before the last frame is the same for any longer video.
        size: frames in a window, at least 1.

    Returns:
        `size` indices, ascending, each in 0..num_frames - 1.

    Raises:
        ArgumentError: there is no such frame, or no frame in a window.

    Example:
        >>> [window(center, 5) for center in range(5)]
        [(0, 0, 0), (0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 3, 4)]
    """
    if size < 1:
        raise ArgumentError(f"a window holds at least one frame (got {size=})")
    if not 0 <= center < num_frames:
        raise ArgumentError(f"a window is centred on a frame of the video (got {center=}, {num_frames=})")
    before = (size - 1) // 2
    if center < before:
        return (0,) * size
    start, stop = center - before, min(num_frames, center + size - before)
    present = tuple(range(start, stop))
    missing = size - len(present)
    if start == 0:
        return present + (present[-1],) * missing
    return (present[0],) * missing + present


def windows(num_frames: int, size: int = WINDOW_SIZE) -> tuple[tuple[int, ...], ...]:
    """The window of every frame, see `window`.

    Raises:
        ArgumentError: there is no frame, or no frame in a window.
    """
    if num_frames < 1:
        raise ArgumentError(f"windows are taken from a video of at least one frame (got {num_frames=})")
    return tuple(window(center, num_frames, size) for center in range(num_frames))


def level_scores(logits: np.ndarray) -> np.ndarray:
    r"""Quality of windows: the softmax over the five levels, weighted by the quality that each means.

    .. math:: s = \sum_i w_i \frac{e^{z_i}}{\sum_j e^{z_j}}, \quad w = (1, 0.75, 0.5, 0.25, 0)

    Probabilities and scores are rounded to the dtype of the logits, as they are where a network computes them: the
    released scores are float16 numbers, and it is their differences that are held against the threshold.

    Args:
        logits: float16, float32 or float64 [N, 5], of the words of `LEVELS` in this order.

    Returns:
        float64 [N], in [0, 1]; higher is better.

    Raises:
        ArgumentError: another shape or dtype, or a logit that is not finite.

    Example:
        >>> level_scores(np.array([[9.0, 9.0, 9.0, 9.0, 9.0], [0.0, -1e9, -1e9, -1e9, -1e9]])).round(6).tolist()
        [0.5, 1.0]
    """
    if logits.ndim != 2 or logits.shape[1] != len(LEVELS) or not np.issubdtype(logits.dtype, np.floating):
        raise ArgumentError(
            f"a quality is read off the logits of {len(LEVELS)} levels, [N, {len(LEVELS)}] of floats "
            f"(got {logits.dtype} {list(logits.shape)})"
        )
    if not np.isfinite(logits).all():
        raise ArgumentError("the logits of the levels are not finite numbers")
    exact = logits.astype(np.float64)
    weights = np.exp(exact - exact.max(axis=1, keepdims=True))
    probabilities = (weights / weights.sum(axis=1, keepdims=True)).astype(logits.dtype)
    return (probabilities.astype(np.float64) @ np.array(LEVEL_WEIGHTS)).astype(logits.dtype).astype(np.float64)


def jump_frames(scores: Sequence[float], threshold: float = JUMP_THRESHOLD) -> tuple[int, ...]:
    """The frames that touch a jump: i and i + 1 wherever their scores differ by more than the threshold.

    Args:
        scores: quality of the window of every frame. They are compared in float64, as they are given: scores of a
            half-precision model come as the half-precision numbers they are.
        threshold: a difference that equals it is no jump.

    Returns:
        Indices, ascending, each once.

    Raises:
        ArgumentError: a score is not a finite number.

    Example:
        >>> jump_frames([0.5, 0.5, 0.8, 0.5, 0.5])
        (1, 2, 3)
    """
    values = np.asarray(scores, dtype=np.float64)
    if not np.isfinite(values).all():
        raise ArgumentError(f"the quality of a frame is a finite number (got {values.tolist()})")
    jumps = np.flatnonzero(np.abs(np.diff(values)) > threshold)
    return tuple(np.union1d(jumps, jumps + 1).tolist())


@checked
def motion_smoothness(scores: Sequence[float], threshold: float = JUMP_THRESHOLD) -> float:
    """Share of the frames that touch no jump (released code v1.1).

    A video of one frame is smooth. So is one that is bad all along: only changes count.

    Args:
        scores: quality of the window of every frame.
        threshold: see `jump_frames`.

    Returns:
        In [0, 1]; higher is better.

    Raises:
        ArgumentError: there is no frame, or a score is not a finite number.

    Example:
        >>> motion_smoothness([0.5, 0.5, 0.8, 0.5, 0.5])
        0.4
    """
    if len(scores) == 0:
        raise ArgumentError("MotionSmoothness needs the quality of at least one frame (got none)")
    return 1.0 - len(jump_frames(scores, threshold)) / len(scores)
