"""Area, box, overlap and crop of a mask, computed on its runs: no mask is decoded here."""

from __future__ import annotations

import functools
import importlib
import time
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from opens2v_hf.errors import MaskError
from opens2v_hf.masks.rle import RLE, from_runs, run_pairs, runs

_seconds_before_loading = 0.5
"""What may still be spent in NumPy's passes before `compiled` is loaded, which takes about as long."""


def _compiled_where_it_pays(passes: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
    """Let the function of the same name in `compiled` do the work once numba pays its loading.

    What it refuses goes to NumPy's passes, for their message.
    """

    @functools.wraps(passes)
    def chosen(*lists: Any) -> np.ndarray:
        global _seconds_before_loading
        compiled = _load_compiled() if _seconds_before_loading <= 0 else None
        found = getattr(compiled, passes.__name__)(*lists) if compiled else None
        if found is not None:
            return found
        start = time.perf_counter()
        try:
            return passes(*lists)
        finally:
            _seconds_before_loading -= time.perf_counter() - start

    return chosen


@functools.cache
def _load_compiled() -> ModuleType | None:
    try:
        return importlib.import_module("opens2v_hf.masks.compiled")
    except ImportError:  # numba is not installed, or does not support this NumPy
        return None


def area(rle: RLE) -> int:
    """The number of pixels of the subject.

    >>> area(RLE((2, 2), "22"))
    2

    Raises:
        MaskError: as `opens2v_hf.masks.rle.runs`.
    """
    return int(runs(rle)[1::2].sum())


@_compiled_where_it_pays
def areas(rles: Sequence[RLE]) -> np.ndarray:
    """`area` of several masks, several times as fast as one by one; faster still with numba.

    >>> areas([RLE((2, 2), "22"), RLE((3, 3), "9")]).tolist()
    [2, 0]

    Returns:
        int64 [N].

    Raises:
        MaskError: as `area`, for one of the masks.
    """
    if not rles:
        return np.zeros(0, np.int64)
    pairs, firsts = run_pairs(rles)
    return np.add.reduceat(pairs[:, 1], firsts)


def box(rle: RLE) -> tuple[int, int, int, int] | None:
    """The smallest box around the subject.

    >>> box(RLE((2, 2), "22"))
    (1, 0, 2, 2)

    Returns:
        (x0, y0, x1, y1) in pixels, x1 and y1 exclusive; None when the mask is empty.

    Raises:
        MaskError: as `opens2v_hf.masks.rle.runs`.
    """
    left, top, right, bottom = boxes([rle])[0].tolist()
    return (left, top, right, bottom) if right else None


@_compiled_where_it_pays
def boxes(rles: Sequence[RLE]) -> np.ndarray:
    """`box` of several masks, several times as fast as one by one.

    >>> boxes([RLE((2, 2), "22"), RLE((3, 3), "9")]).tolist()
    [[1, 0, 2, 2], [0, 0, 0, 0]]

    Returns:
        int64 [N, 4], (x0, y0, x1, y1); zeros where a mask is empty.

    Raises:
        MaskError: as `box`, for one of the masks.
    """
    found = np.zeros((len(rles), 4), np.int64)
    if not rles:
        return found
    starts, ends, stops = _all_intervals(rles)
    num_intervals = np.diff(stops, prepend=0)
    filled = np.flatnonzero(num_intervals)
    if filled.size == 0:
        return found
    firsts, lasts = (stops - num_intervals)[filled], stops[filled] - 1
    distinct = {rle.size[0] for rle in rles}
    # dividing by one number is twice as fast
    heights = distinct.pop() if len(distinct) == 1 else np.repeat([rle.size[0] for rle in rles], num_intervals)
    first_columns, first_rows = np.divmod(starts, heights)
    last_columns, last_rows = np.divmod(ends - 1, heights)
    spans = first_columns != last_columns  # a run that continues in the next column touches bottom and top
    found[filled, 0] = first_columns[firsts]
    found[filled, 1] = np.minimum.reduceat(np.where(spans, 0, first_rows), firsts)
    found[filled, 2] = last_columns[lasts] + 1
    found[filled, 3] = np.maximum.reduceat(np.where(spans, heights - 1, last_rows), firsts) + 1
    return found


def intersection(first: RLE, second: RLE) -> int:
    """The number of pixels that two masks of one picture share.

    Raises:
        MaskError: when the masks have different sizes; as `opens2v_hf.masks.rle.runs`.
    """
    if first.size != second.size:
        raise MaskError(f"masks of different pictures cannot be compared: {first.size} and {second.size}")
    return _overlap(*_intervals([first, second]))


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


@_compiled_where_it_pays
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
    rows, columns = _intervals(first), _intervals(second)
    result = np.zeros((len(rows), len(columns)), dtype=np.float64)
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            shared = _overlap(row, column)
            if shared:
                result[i, j] = shared / (row.area + column.area - shared)
    return result


def covered_by(masks: Sequence[RLE], max_iou: float) -> list[int | None]:
    """Find the masks of one picture that show the same as a larger one.

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
    sizes = areas(masks)
    stay: list[int] = []
    found: list[int | None] = [None] * len(masks)
    for index in sorted(range(len(masks)), key=lambda index: -sizes[index]):
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
    [(starts, ends, _)] = _intervals([rle])
    starts = np.maximum(starts - left * height, 0)
    ends = np.minimum(ends - left * height, (right - left) * height)
    inside = starts < ends
    starts, ends = starts[inside], ends[inside]
    if bottom - top < height:
        starts, ends = _crop_rows(starts, ends, height, top, bottom)
    return _from_intervals((bottom - top, right - left), starts, ends)


class _Intervals(NamedTuple):
    """Starts and ends (exclusive), int64 [K] each, of a subject's runs in column-major order; none is empty.

    `before` is int64 [K + 1]: pixels in the intervals before each, and in all of them.
    """

    starts: np.ndarray
    ends: np.ndarray
    before: np.ndarray

    @property
    def area(self) -> int:
        return int(self.before[-1])


def _all_intervals(rles: Sequence[RLE]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Starts and ends, as in `_Intervals`, of one mask after another, and how many there are up to the end of each."""
    if len(rles) == 1:  # a third faster than what follows
        borders = np.cumsum(runs(rles[0]))
        ends = borders[1::2]
        starts = borders[: 2 * ends.size : 2]
        filled = ends > starts
        return starts[filled], ends[filled], np.array([np.count_nonzero(filled)])
    pairs, firsts = run_pairs(rles)
    num_pairs = np.diff(firsts, append=len(pairs))
    pixels = np.array([rle.size[0] * rle.size[1] for rle in rles])
    ends = np.cumsum(pairs).reshape(-1, 2)[:, 1] - np.repeat(np.cumsum(pixels) - pixels, num_pairs)
    lengths = pairs[:, 1]
    filled = lengths > 0
    stops = np.cumsum(filled)[firsts + num_pairs - 1]
    return (ends - lengths)[filled], ends[filled], stops


def _intervals(rles: Sequence[RLE]) -> list[_Intervals]:
    if not rles:
        return []
    starts, ends, stops = _all_intervals(rles)
    return [
        _Intervals(start, end, np.concatenate(([0], np.cumsum(end - start))))
        for start, end in zip(np.split(starts, stops[:-1]), np.split(ends, stops[:-1]), strict=True)
    ]


def _overlap(first: _Intervals, second: _Intervals) -> int:
    """The number of positions that two sets of disjoint, ascending intervals share."""
    if first.area == 0 or second.area == 0 or first.starts[0] >= second.ends[-1] or second.starts[0] >= first.ends[-1]:
        return 0
    return int((_covered(first, second.ends) - _covered(first, second.starts)).sum())


def _covered(intervals: _Intervals, positions: np.ndarray) -> np.ndarray:
    """int64: how many positions before each of the given ones the intervals hold."""
    opened = np.searchsorted(intervals.starts, positions)
    tail = np.where(opened > 0, np.minimum(positions - intervals.ends[opened - 1], 0), 0)
    return intervals.before[opened] + tail


def _crop_rows(
    starts: np.ndarray, ends: np.ndarray, height: int, top: int, bottom: int
) -> tuple[np.ndarray, np.ndarray]:
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
