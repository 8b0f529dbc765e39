"""GmeScore: how well a video shows what its prompt says."""

from __future__ import annotations

import math
from collections.abc import Sequence

from opens2v_hf.errors import ArgumentError


def gme_score(similarities: Sequence[float]) -> float:
    r"""Mean over frames of the similarity of the frame and the prompt (released code v1.1).

    .. math:: \mathrm{GmeScore} = \frac{1}{N} \sum_{i=1}^{N} \langle t, f_i \rangle

    with the L2-normalised embeddings t of the prompt and f_i of the N frames.

    Args:
        similarities: dot products, one a frame, each in [-1, 1] up to rounding.

    Returns:
        In [-1, 1] up to rounding; higher is better. The leaderboard clips it to [0, 1].

    Raises:
        ArgumentError: there is no frame, or a similarity is not a finite number.

    Example:
        >>> gme_score([0.25, 0.5, 0.75])
        0.5
    """
    if len(similarities) == 0:
        raise ArgumentError("GmeScore needs the similarity of at least one frame (got none)")
    if not all(math.isfinite(value) for value in similarities):
        raise ArgumentError(f"a similarity of a frame and a prompt is a finite number (got {list(similarities)})")
    return math.fsum(similarities) / len(similarities)
