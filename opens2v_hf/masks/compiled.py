"""Area, box and overlap of lists of masks in compiled code; needs numba (`pip install 'opens2v-hf[fast]'`).

`geometry` takes these functions where they pay. Each returns None where a mask is malformed, for NumPy's passes to say
what is wrong with it. numba stores what it has compiled in `__pycache__` here, or in the user's cache folder.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from typing import TypeVar, cast

import numba
import numpy as np

from opens2v_hf.masks.rle import MAX_GROUPS, RLE

_Function = TypeVar("_Function", bound=Callable[..., object])


def areas(rles: Sequence[RLE]) -> np.ndarray | None:
    """As `geometry.areas`; None where a mask is malformed."""
    found = np.empty(len(rles), np.int64)
    return found if _write_areas(*_joined(rles), found) else None


def boxes(rles: Sequence[RLE]) -> np.ndarray | None:
    """As `geometry.boxes`; None where a mask is malformed."""
    found = np.zeros((len(rles), 4), np.int64)
    return found if _write_boxes(*_joined(rles), found) else None


def iou_matrix(first: Sequence[RLE], second: Sequence[RLE]) -> np.ndarray | None:
    """As `geometry.iou_matrix`; None where a mask is malformed or of another size."""
    rles = [*first, *second]
    if len({rle.size for rle in rles}) > 1:
        return None
    found = np.zeros((len(first), len(second)), np.float64)
    return found if _write_ious(*_joined(rles), found) else None


def _joined(rles: Sequence[RLE]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """uint8 [C], the codes of masks one after another; int64 [N], where each ends; int64 [N, 2], their sizes."""
    codes = [rle.counts for rle in rles]
    sizes = np.fromiter(chain.from_iterable([rle.size for rle in rles]), np.int64, 2 * len(codes))
    # what is not ASCII becomes "&#...;", and no code holds "&"
    text = "".join(codes).encode("ascii", "xmlcharrefreplace")
    stops = np.fromiter(map(len, codes), np.int64, len(codes)).cumsum()
    return np.frombuffer(text, np.uint8), stops, sizes.reshape(-1, 2)


def _compile(function: _Function) -> _Function:
    try:
        compiled = numba.njit(function, nogil=True, cache=True)
    except RuntimeError:  # neither folder can be written: compiled anew in each process
        compiled = numba.njit(function, nogil=True)
    return cast(_Function, compiled)


@_compile
def _read(code: np.ndarray, num_pixels: int, lengths: np.ndarray) -> tuple[int, int]:
    """Writes the lengths of a code's runs, background first, to the beginning of `lengths`.

    Returns:
        How many runs, and the pixels of the subject; -1 runs where the code is malformed, by the rules of `rle.runs`.
    """
    malformed = -1, 0
    if code.size > MAX_GROUPS * (num_pixels + 1):
        return malformed
    count = np.uint64(0)  # without a sign: numba need not ask whether the index counts from the end
    number = shift = 0
    last = last_but_one = 0  # runs
    pixels = pixels_before = 0  # of the last run's kind, and of the other kind
    for character in code:
        group = int(character) - 48
        if group < 0 or group > 63:
            return malformed
        if group > 31:  # more groups follow
            number |= (group & 31) << shift
            shift += 5
            if shift == 5 * MAX_GROUPS:
                return malformed
            continue
        number |= ((group ^ 16) - 16) << shift
        if count > 2:
            number += last_but_one
        if np.uint64(number) > np.uint64(num_pixels):  # or less than 0
            return malformed
        lengths[count] = number
        count += np.uint64(1)
        last_but_one, last = last, number
        pixels_before, pixels = pixels, pixels_before + number
        number = shift = 0
    if shift or pixels + pixels_before != num_pixels:
        return malformed
    return int(count), pixels_before if count % 2 else pixels


@_compile
def _write_areas(codes: np.ndarray, stops: np.ndarray, sizes: np.ndarray, areas: np.ndarray) -> bool:
    lengths = np.empty(codes.size, np.int64)
    start = 0
    for mask, stop in enumerate(stops):
        count, areas[mask] = _read(codes[start:stop], sizes[mask, 0] * sizes[mask, 1], lengths)
        if count < 0:
            return False
        start = stop
    return True


@_compile
def _write_boxes(codes: np.ndarray, stops: np.ndarray, sizes: np.ndarray, boxes: np.ndarray) -> bool:
    lengths = np.empty(codes.size, np.int64)
    start = 0
    for mask, stop in enumerate(stops):
        height, width = sizes[mask, 0], sizes[mask, 1]
        count, area = _read(codes[start:stop], height * width, lengths)
        if count < 0:
            return False
        start = stop
        if area == 0:
            continue
        left, top, right, bottom = width, height, 0, 0
        column = row = 0
        for run in range(count):
            length = lengths[run]
            end = row + length
            if run % 2 and length:
                left = min(left, column)
                if end > height:  # it continues in the next column, and so touches bottom and top
                    top, bottom = 0, height
                    right = column + (end - 1) // height + 1
                else:
                    top, bottom = min(top, row), max(bottom, end)
                    right = column + 1
            row = end
            if row >= height:  # most often in the next column, which needs no division
                row -= height
                column += 1
            if row >= height:
                column += row // height
                row %= height
        boxes[mask, 0], boxes[mask, 1], boxes[mask, 2], boxes[mask, 3] = left, top, right, bottom
    return True


@_compile
def _write_ious(codes: np.ndarray, stops: np.ndarray, sizes: np.ndarray, ious: np.ndarray) -> bool:
    lengths = np.empty(codes.size, np.int64)
    starts, ends = np.empty(codes.size, np.int64), np.empty(codes.size, np.int64)  # of the subjects' runs
    firsts, areas = np.zeros(stops.size + 1, np.int64), np.zeros(stops.size, np.int64)
    start = num_runs = 0
    for mask, stop in enumerate(stops):
        count, areas[mask] = _read(codes[start:stop], sizes[mask, 0] * sizes[mask, 1], lengths)
        if count < 0:
            return False
        start = stop
        position = 0
        for run in range(1, count, 2):
            position += lengths[run - 1]
            if lengths[run]:
                starts[num_runs], ends[num_runs] = position, position + lengths[run]
                num_runs += 1
            position += lengths[run]
        firsts[mask + 1] = num_runs
    num_rows, num_columns = ious.shape
    for row in range(num_rows):
        for column in range(num_columns):
            other = num_rows + column
            a, b, c, d = firsts[row], firsts[row + 1], firsts[other], firsts[other + 1]
            shared = _overlap(starts[a:b], ends[a:b], starts[c:d], ends[c:d])
            if shared:
                ious[row, column] = shared / (areas[row] + areas[other] - shared)
    return True


@_compile
def _overlap(starts: np.ndarray, ends: np.ndarray, other_starts: np.ndarray, other_ends: np.ndarray) -> int:
    """The number of pixels that two subjects share."""
    shared, one = 0, np.uint64(1)  # without a sign, as in `_read`
    i, num = np.uint64(0), np.uint64(starts.size)
    k, num_others = np.uint64(0), np.uint64(other_starts.size)
    while i < num and k < num_others:
        shared += max(min(ends[i], other_ends[k]) - max(starts[i], other_starts[k]), 0)
        if ends[i] < other_ends[k]:
            i += one
        else:
            k += one
    return shared
