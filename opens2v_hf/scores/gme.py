"""GmeScore: how well a video shows what its prompt says."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from opens2v_hf._util.argument_types import checked
from opens2v_hf.errors import ArgumentError

ROUNDINGS = ("float64", "float16")
"""Precisions of the mean; the second is that of the released code on a GPU."""


RELEASED, LOWEST = VARIANTS = ("released", "lowest")
"""Mean over the frames, the leaderboard's; lowest similarity of any frame."""


def check_rounding(rounding: str) -> str:
    """The rounding as it was given.

    Raises:
        ArgumentError: it is none of `ROUNDINGS`.
    """
    if rounding not in ROUNDINGS:
        raise ArgumentError(f"rounding must be one of {', '.join(ROUNDINGS)} (got {rounding!r})")
    return rounding


@checked
def gme_score(similarities: Sequence[float], *, rounding: str = "float64") -> float:
    r"""Mean over frames of the similarity of the frame and the prompt (released code v1.1).

    .. math:: \mathrm{GmeScore} = \frac{1}{N} \sum_{i=1}^{N} \langle t, f_i \rangle

    with the L2-normalised embeddings t of the prompt and f_i of the N frames.

    Args:
        similarities: dot products, one a frame, each in [-1, 1] up to rounding.
        rounding: "float64", or "float16": similarities and their mean are rounded to float16 (the sum is exact), as the
            released code has them on a GPU. For a score between 0.5 and 1 that moves the mean by at most half a step of
            float16, 2.4e-4.

    Returns:
        In [-1, 1] up to rounding; higher is better. The leaderboard clips it to [0, 1].

    Raises:
        ArgumentError: there is no frame, a similarity is not a finite number, or an unknown rounding.

    Example:
        >>> gme_score([0.25, 0.5, 0.75])
        0.5
        >>> gme_score([0.3, 0.3, 0.3001], rounding="float16")
        0.300048828125
    """
    check_rounding(rounding)
    _check(similarities)
    if rounding == "float16":
        halves = [float(np.float16(value)) for value in similarities]
        return float(np.float16(math.fsum(halves) / len(halves)))
    return math.fsum(similarities) / len(similarities)


@checked
def gme_lowest(similarities: Sequence[float]) -> float:
    r"""Lowest similarity of any frame and the prompt: a frame in which the prompt is not met costs, however short.

    .. math:: \min_i \langle t, f_i \rangle

    Args:
        similarities: see `gme_score`.

    Returns:
        In [-1, 1] up to rounding; higher is better.

    Raises:
        ArgumentError: there is no frame, or a similarity is not a finite number.

    Example:
        >>> gme_lowest([0.25, 0.5, 0.75])
        0.25
    """
    _check(similarities)
    return float(min(similarities))


def _check(similarities: Sequence[float]) -> None:
    if len(similarities) == 0:
        raise ArgumentError("GmeScore needs the similarity of at least one frame (got none)")
    if not all(math.isfinite(value) for value in similarities):
        raise ArgumentError(f"a similarity of a frame and a prompt must be a finite number (got {list(similarities)})")
