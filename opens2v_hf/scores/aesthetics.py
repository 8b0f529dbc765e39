"""Aesthetics: how beautiful a video's frames are."""

from __future__ import annotations

import math
from collections.abc import Sequence

from opens2v_hf._util.argument_types import checked
from opens2v_hf.errors import ArgumentError


@checked
def aesthetics_score(ratings: Sequence[float]) -> float:
    """Mean over frames of their ratings (released code v1.1).

    Args:
        ratings: one a frame, by a predictor that was trained on ratings 1..10.

    Returns:
        Mostly within 1..10; higher is better. The leaderboard scales [4, 7] to [0, 1].

    Raises:
        ArgumentError: there is no frame, or a rating is no finite number.

    Example:
        >>> aesthetics_score([4.5, 5.0, 5.5])
        5.0
    """
    if len(ratings) == 0:
        raise ArgumentError("Aesthetics needs the rating of at least one frame (got none)")
    if not all(math.isfinite(rating) for rating in ratings):
        raise ArgumentError(f"the aesthetic rating of a frame is a finite number (got {list(ratings)})")
    return math.fsum(ratings) / len(ratings)
