"""Area, box, overlap and crop of a mask, computed on its runs: no mask is decoded here."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from opens2v_hf.errors import MaskError
from opens2v_hf.masks.rle import RLE, from_runs, runs


def area(rle: RLE) -> int:
    """The number of pixels of the subject.

    >>> area(RLE((2, 2), "22"))
    2

    Raises:
        MaskError: as `opens2v_hf.masks.rle.runs`.
    """
    return int(runs(rle)[1::2].sum())


def box(rle: RLE) -> tuple[int, int, int, int] | None:
    """The smallest box around the subject.

    >>> box(RLE((2, 2), "22"))
    (1, 0, 2, 2)

    Returns:
        (x0, y0, x1, y1) in pixels, x1 and y1 exclusive; None when the mask is empty.

    Raises:
        MaskError: as `opens2v_hf.masks.rle.runs`.
    """
    height = rle.size[0]
    starts, ends = _intervals(rle)
    if starts.size == 0:
        return None
    first_columns, last_columns = starts // height, (ends - 1) // height
    if (first_columns != last_columns).any():  # a run that goes on in the next column touches bottom and top
        top, bottom = 0, height
    else:
        top, bottom = int((starts % height).min()), int(((ends - 1) % height).max()) + 1
    return int(first_columns[0]), top, int(last_columns[-1]) + 1, bottom


def intersection(first: RLE, second: RLE) -> int:
    """The number of pixels that two masks of one picture share.

    Raises:
        MaskError: when the masks have different sizes; as `opens2v_hf.masks.rle.runs`.
    """
    if first.size != second.size:
        raise MaskError(f"masks of different pictures cannot be compared: {first.size} and {second.size}")
    return _overlap(_intervals(first), _intervals(second))


def iou(first: RLE, second: RLE) -> float:
    """Intersection over union of two masks of one picture.

    >>> iou(RLE((2, 2), "22"), RLE((2, 2), "31"))
    0.5

    Returns:
        0..1; 0 when both are empty.

    Raises:
        MaskError: as `intersection`.
    """
    return float(iou_matrix([first], [second])[0, 0])


def iou_matrix(first: list[RLE], second: list[RLE]) -> np.ndarray:
    """Intersection over union of every mask of one list with every mask of another, each read once.

    Returns:
        float64 [len(first), len(second)] in 0..1.

    Raises:
        MaskError: as `intersection`.
    """
    sizes = {rle.size for rle in (*first, *second)}
    if len(sizes) > 1:
        raise MaskError(f"masks of different pictures cannot be compared: {sorted(sizes)}")
    rows, columns = [_intervals(rle) for rle in first], [_intervals(rle) for rle in second]
    result = np.zeros((len(rows), len(columns)), dtype=np.float64)
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            shared = _overlap(row, column)
            if shared:
                result[i, j] = shared / (_length(row) + _length(column) - shared)
    return result


def covered_by(masks: Sequence[RLE], max_iou: float) -> list[int | None]:
    """Which masks of one picture show what a larger one shows.

    From the largest on (the first of equal ones), a mask stays unless it overlaps one that has stayed.

    >>> whole, half = RLE((2, 2), "04"), RLE((2, 2), "22")
    >>> covered_by([half, whole, half], 0.4)
    [1, None, 1]

    Args:
        masks: of one picture.
        max_iou: intersection over union up to which two masks both stay.

    Returns:
        For each mask the position of the one that it overlaps most; None where it stays.

    Raises:
        MaskError: as `intersection`.
    """
    overlaps = iou_matrix(list(masks), list(masks))
    areas = [area(mask) for mask in masks]
    stay: list[int] = []
    found: list[int | None] = [None] * len(masks)
    for index in sorted(range(len(masks)), key=lambda index: -areas[index]):
        nearest = max(stay, key=lambda other: overlaps[index, other], default=None)
        if nearest is not None and overlaps[index, nearest] > max_iou:
            found[index] = nearest
        else:
            stay.append(index)
    return found


def crop(rle: RLE, box_xyxy: tuple[int, int, int, int]) -> RLE:
    """The part of a mask within a box, as a mask of the box's size.

    >>> crop(RLE((2, 2), "22"), (1, 0, 2, 2))
    RLE(size=(2, 1), counts='02')

    Args:
        rle: the mask.
        box_xyxy: (x0, y0, x1, y1) in whole pixels, x1 and y1 exclusive, within the mask.

    Raises:
        MaskError: when the box has no area or leaves the mask; as `opens2v_hf.masks.rle.runs`.
    """
    height, width = rle.size
    left, top, right, bottom = box_xyxy
    if not (0 <= left < right <= width and 0 <= top < bottom <= height):
        raise MaskError(f"the box {box_xyxy} does not lie within a mask of {width} x {height} pixels (x0, y0, x1, y1)")
    starts, ends = _intervals(rle)
    starts = np.maximum(starts - left * height, 0)
    ends = np.minimum(ends - left * height, (right - left) * height)
    inside = starts < ends
    starts, ends = starts[inside], ends[inside]
    if bottom - top < height:
        starts, ends = _crop_rows(starts, ends, height, top, bottom)
    return _from_intervals((bottom - top, right - left), starts, ends)


_Intervals = tuple[np.ndarray, np.ndarray]


def _intervals(rle: RLE) -> _Intervals:
    """Starts and ends (exclusive), int64 [K] each, of the subject's runs in column-major order; none is empty."""
    lengths = runs(rle)
    borders = np.cumsum(lengths)
    ends = borders[1::2]
    starts = borders[: 2 * ends.size : 2]
    filled = ends > starts
    return (starts, ends) if filled.all() else (starts[filled], ends[filled])


def _length(intervals: _Intervals) -> int:
    return int((intervals[1] - intervals[0]).sum())


def _overlap(first: _Intervals, second: _Intervals) -> int:
    """The number of positions that two sets of disjoint, ascending intervals share."""
    if first[0].size == 0 or second[0].size == 0:
        return 0
    return int((_covered(first, second[1]) - _covered(first, second[0])).sum())


def _covered(intervals: _Intervals, positions: np.ndarray) -> np.ndarray:
    """int64: how many positions before each of the given ones the intervals hold."""
    starts, ends = intervals
    before = np.concatenate(([0], np.cumsum(ends - starts)))
    opened = np.searchsorted(starts, positions)
    tail = np.where(opened > 0, np.minimum(positions - ends[opened - 1], 0), 0)
    return before[opened] + tail


def _crop_rows(starts: np.ndarray, ends: np.ndarray, height: int, top: int, bottom: int) -> _Intervals:
    """Cuts intervals at the borders of their columns and keeps what lies in the rows top..bottom."""
    first_columns = starts // height
    spanned = (ends - 1) // height - first_columns + 1
    piece = np.arange(int(spanned.sum())) - np.repeat(np.cumsum(spanned) - spanned, spanned)
    columns = np.repeat(first_columns, spanned) + piece
    low = np.maximum(np.repeat(starts, spanned), columns * height + top)
    high = np.minimum(np.repeat(ends, spanned), columns * height + bottom)
    inside = low < high
    shift = columns[inside] * (height - (bottom - top)) + top
    return low[inside] - shift, high[inside] - shift


def _from_intervals(size: tuple[int, int], starts: np.ndarray, ends: np.ndarray) -> RLE:
    """Encodes disjoint ascending intervals, joining those that touch."""
    joined = starts[1:] == ends[:-1]
    starts = starts[np.concatenate(([True], ~joined))] if starts.size else starts
    ends = ends[np.concatenate((~joined, [True]))] if ends.size else ends
    borders = np.stack([starts, ends], axis=1).ravel()
    total = size[0] * size[1]
    lengths = np.diff(borders, prepend=0, append=total)
    if borders.size and borders[-1] == total:
        lengths = lengths[:-1]  # the code ends with the subject; a last empty run of background is not written
    return from_runs(size, lengths)
