"""Checks of the frames that a generator returns."""

from __future__ import annotations

import numpy as np

from opens2v_hf.errors import GenerationError

CHECKS = ("number of frames", "size", "finite values", "more than one colour", "motion")
"""What `checked_frames` checks, in words for the record of a video."""

_FLAT = 1.0 / 255.0  # standard deviation within a frame: less is one colour


def checked_frames(
    frames: np.ndarray, *, num_frames: int | None = None, width: int | None = None, height: int | None = None
) -> np.ndarray:
    """The frames as uint8, if they are a moving video of the requested size and length.

    Args:
        frames: uint8 [T, H, W, 3], or float in [0, 1] of the same shape.
        num_frames: required number; None for any.
        width: required, in pixels; None for any.
        height: required, in pixels; None for any.

    Returns:
        uint8 [T, H, W, 3].

    Raises:
        GenerationError: another shape or dtype, NaN or infinite values, values out of range, all frames of one colour
            (usually black, which NaN becomes in a conversion), or all frames equal.
    """
    if frames.ndim != 4 or frames.shape[-1] != 3 or 0 in frames.shape:
        raise GenerationError(f"frames must have the shape [T, H, W, 3] (got {list(frames.shape)})")
    count, rows, columns, _ = frames.shape
    if num_frames is not None and count != num_frames:
        raise GenerationError(f"the video must have {num_frames} frames (got {count})")
    if (width or columns, height or rows) != (columns, rows):
        raise GenerationError(f"the video must have {width or columns}x{height or rows} pixels (got {columns}x{rows})")
    if frames.dtype != np.uint8:
        if not np.issubdtype(frames.dtype, np.floating):
            raise GenerationError(f"frames must be uint8 or float (got {frames.dtype})")
        if not np.isfinite(frames).all():
            raise GenerationError("frames contain NaN or infinite values; another dtype of the weights may help")
        low, high = float(frames.min()), float(frames.max())
        if low < -1e-3 or high > 1 + 1e-3:
            raise GenerationError(f"float frames must be in [0, 1] (got {low:.3g} to {high:.3g})")
        frames = np.rint(frames.clip(0, 1) * 255).astype(np.uint8)
    if all(frame.std() < 255 * _FLAT for frame in frames):
        raise GenerationError(f"every frame has a single colour (mean {frames.mean():.0f} of 255)")
    if count > 1 and all((frame == frames[0]).all() for frame in frames[1:]):
        raise GenerationError(f"all {count} frames are equal")
    return frames
