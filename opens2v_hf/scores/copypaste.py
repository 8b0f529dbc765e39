"""Copy-paste: whether a video shows a subject, or the very picture of it that was given."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from opens2v_hf._util.argument_types import checked
from opens2v_hf.errors import ArgumentError

MIN_ANGLE = 0.35
"""Radians, a correlation of 0.94; a view nearer to the given picture does not tell which of the two a video shows."""


@dataclass(frozen=True)
class CopyPaste:
    """The copy-paste score of a video with what it rests on.

    Attributes:
        value: in [0, 1]: the mean of `by_reference` over the references that have one; None where none has.
        by_reference: for each reference 1 where it was not copied and 0 where it was; None where it was never found.
        frames_compared: for each reference the number of frames in which it was found.
    """

    value: float | None
    by_reference: tuple[float | None, ...]
    frames_compared: tuple[int, ...]


@checked
def copy_excess(given: float, views: Sequence[float], between: Sequence[float]) -> float | None:
    r"""How much nearer a crop is to the given picture than to other true views of the same subject.

    .. math:: e = \frac{1}{V} \sum_{j=1}^{V} \frac{\theta_j - \theta_0}{\beta_j}

    with the angles (arccos of the cosines) of the crop to the given picture, theta_0, and to view j, theta_j, and of
    the picture to view j, beta_j. A pasted picture has theta_0 = 0 and theta_j = beta_j: 1. A subject in a pose of its
    own is as far from the picture as from the views: 0. One that looks like a view has up to -1. Angles instead of
    cosines, and their ratio to the angle between the pictures, are also what the copy-paste measure of WithAnyone
    (arXiv 2510.14975) has, for faces and with the ground truth as the other view.

    Args:
        given: cosine of the crop and the given picture; a correlation of pixels is one, too.
        views: likewise of the crop and each of the V views.
        between: likewise of the given picture and each of the V views.

    Returns:
        In [-1, 1], each ratio is clipped to it; None where every view is nearer to the picture than `MIN_ANGLE`.

    Raises:
        ArgumentError: no view, as many cosines of one kind as of another there are not, or one is not finite.

    Example:
        >>> copy_excess(1.0, [0.5], [0.5]), copy_excess(0.5, [0.5], [0.5]), copy_excess(0.5, [1.0], [1.0])
        (1.0, 0.0, None)
    """
    if len(views) == 0 or len(views) != len(between):
        raise ArgumentError(
            f"copy-paste compares with at least one view, each by two cosines (got {len(views)} and {len(between)})"
        )
    if not all(math.isfinite(value) for value in (given, *views, *between)):
        raise ArgumentError("a cosine of two pictures is a finite number (got one that is not)")
    ratios = [
        min(max((_angle(view) - _angle(given)) / _angle(apart), -1.0), 1.0)
        for view, apart in zip(views, between, strict=True)
        if _angle(apart) >= MIN_ANGLE
    ]
    return math.fsum(ratios) / len(ratios) if ratios else None


@checked
def copypaste(excesses: Sequence[Sequence[float | None]]) -> CopyPaste:
    r"""The share of a video's subjects that are not copies of the pictures that were given.

    .. math:: \mathrm{CopyPaste} = \frac{1}{K} \sum_{k=1}^{K} \Bigl(1 - \max\bigl(0, \tfrac{1}{|F_k|}
        \sum_{i \in F_k} e_{ik}\bigr)\Bigr)

    with F_k the frames in which reference k was found, and K the references that were found at all. The mean over
    frames is taken before it is cut at 0, so that what is a little nearer now to the one and now to the other costs
    nothing. It does not say whether the subject is the right one: a stranger is no copy. That is what identity is for.

    Args:
        excesses: for each reference, for each frame: `copy_excess`, None in a frame without the reference.

    Raises:
        ArgumentError: no reference, or references with different numbers of frames.

    Example:
        >>> copypaste([[1.0, None, 0.5], [-0.25, 0.25, 0.0]])
        CopyPaste(value=0.625, by_reference=(0.25, 1.0), frames_compared=(2, 3))
        >>> copypaste([[None, None]]).value is None
        True
    """
    if len(excesses) == 0 or len({len(row) for row in excesses}) != 1:
        raise ArgumentError(
            f"copy-paste needs references, all with the same frames (got {[len(row) for row in excesses]} frames)"
        )
    found = [[value for value in row if value is not None] for row in excesses]
    by_reference = tuple(1.0 - max(0.0, math.fsum(row) / len(row)) if row else None for row in found)
    values = [value for value in by_reference if value is not None]
    return CopyPaste(
        math.fsum(values) / len(values) if values else None, by_reference, tuple(len(row) for row in found)
    )


def _angle(cosine: float) -> float:
    """In radians; a cosine beyond 1 by rounding is 1."""
    return math.acos(min(max(cosine, -1.0), 1.0))
