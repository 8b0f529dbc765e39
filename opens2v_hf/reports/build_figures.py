"""Figures of the page about a build: histograms as SVG, and frames with boxes and masks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from PIL import Image, ImageDraw

from opens2v_hf.errors import MaskError
from opens2v_hf.masks.rle import RLE, decode
from opens2v_hf.reports.page import data_url
from opens2v_hf.reports.sheet.page import color_of, overlay

BINS = 24
LONG_SIDE_PX = 420

_WIDTH, _HEIGHT, _BASE = 320, 120, 96
_BOX_PX = 2


@dataclass(frozen=True)
class Threshold:
    """A bound on a score."""

    value: float  # of the score
    rule: str  # that it belongs to


@dataclass(frozen=True)
class Bar:
    """A bar of a histogram, in units of the picture."""

    x: float  # its left side
    width: float  # of the bar
    kept: float  # height of the part of kept values
    dropped: float  # height of the part above, of dropped values


@dataclass(frozen=True)
class Histogram:
    """The values of a score."""

    title: str  # of the score
    num_kept: int  # number of kept values
    num_dropped: int  # number of dropped values
    low: float  # left end of the axis
    high: float  # right end
    bars: tuple[Bar, ...]  # from left to right
    thresholds: tuple[tuple[float, Threshold], ...]  # position on the axis and bound
    median: float | None  # of kept values; None without any

    width, height, base = _WIDTH, _HEIGHT, _BASE


def histogram(
    title: str, kept: Sequence[float], dropped: Sequence[float], thresholds: Sequence[Threshold] = ()
) -> Histogram | None:
    """Kept and dropped values in bins of one width; None without any value.

    Only finite values count. The axis includes all values and thresholds.
    """
    both = [np.array([v for v in values if v is not None], np.float64) for values in (kept, dropped)]
    both = [values[np.isfinite(values)] for values in both]
    everything = np.concatenate(both)
    if not len(everything):
        return None
    bounds = [one.value for one in thresholds]
    low, high = min([*bounds, everything.min()]), max([*bounds, everything.max()])
    if high - low < 1e-9 * max(1.0, abs(low)):
        low, high = low - 0.5, high + 0.5
    counts = [np.histogram(values, BINS, (low, high))[0] for values in both]
    scale = (_BASE - 4) / max(1, int((counts[0] + counts[1]).max()))
    step = _WIDTH / BINS
    bars = tuple(
        Bar(number * step + 0.5, step - 1, round(float(one * scale), 2), round(float(other * scale), 2))
        for number, (one, other) in enumerate(zip(*counts, strict=True))
    )
    placed = tuple(((one.value - low) / (high - low) * _WIDTH, one) for one in thresholds)
    median = float(np.median(both[0])) if len(both[0]) else None
    return Histogram(title, len(both[0]), len(both[1]), float(low), float(high), bars, placed, median)


@dataclass(frozen=True)
class DrawnSubject:
    """A subject as it is drawn."""

    label: str  # of the subject
    box_xyxy: Sequence[float]  # in pixels of the frame
    mask: RLE | None  # of the frame; None if there is none


def drawn(frame: np.ndarray, subjects: Sequence[DrawnSubject]) -> Markup:
    """A frame with masks and boxes as a data URL; each subject has the colour of its index, see `color_of`.

    Args:
        frame: uint8 [H, W, 3].
        subjects: of the frame. A mask that is malformed or of another size is left out.
    """
    picture = Image.fromarray(overlay(frame, [_mask(subject, frame) for subject in subjects]))
    scale = min(1.0, LONG_SIDE_PX / max(picture.size))
    picture = picture.resize([max(1, round(side * scale)) for side in picture.size], Image.Resampling.LANCZOS)
    pen = ImageDraw.Draw(picture)
    for position, subject in enumerate(subjects):
        left, top, right, bottom = (corner * scale for corner in subject.box_xyxy)
        if math.isfinite(left + top + right + bottom) and right >= left and bottom >= top:
            pen.rectangle(
                (left, top, max(left, right - 1), max(top, bottom - 1)), outline=color_of(position), width=_BOX_PX
            )
    return data_url(picture)


def _mask(subject: DrawnSubject, frame: np.ndarray) -> np.ndarray | None:
    if subject.mask is None or subject.mask.size != frame.shape[:2]:
        return None
    try:
        return decode(subject.mask)
    except MaskError:
        return None
