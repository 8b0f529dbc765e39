"""Estimate of the work for a video before anything of it is decoded."""

from __future__ import annotations

import os
from collections.abc import Sequence

from opens2v_hf.errors import VideoError
from opens2v_hf.video.probe import probe
from opens2v_hf.video.sampling import SamplingRule

# A frame that a model reads costs some tens of times its decoding; models scale small frames up
# and large ones down, so that their work grows with a frame's pixels within bounds only (here the embedder's).
_MODEL_TO_DECODING = 16
_MODEL_PIXELS = (256 * 28 * 28, 1280 * 28 * 28)


def video_cost(video: str | os.PathLike[str] | bytes, rules: Sequence[SamplingRule]) -> float:
    """About how much work a video is, in decoded pixels; from its header alone.

    Args:
        video: a local path, or the bytes of a file.
        rules: the frames that models read, a rule for each metric.

    Returns:
        0 for what cannot be opened: scoring finds that out, and why, at once.
    """
    try:
        header = probe(video)
    except VideoError:
        return 0.0
    return cost_of_frames(header.num_frames, header.width * header.height, rules)


def cost_of_frames(num_frames: int, pixels: int, rules: Sequence[SamplingRule]) -> float:
    """The same for a video of some frames with so many pixels each."""
    looked_at = sum(len(set(rule.indices(num_frames))) for rule in rules)
    low, high = _MODEL_PIXELS
    return float(num_frames * pixels + _MODEL_TO_DECODING * looked_at * min(max(pixels, low), high))
