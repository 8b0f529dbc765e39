"""The run-length code of COCO, compressed: how OpenS2V-5M stores its masks.

A mask is read column by column (column-major) as runs of equal pixels that alternate, beginning with a run, possibly
empty, of background. From the fourth run on, a run is stored as its difference to the run two before it. Each number
is written in groups of five bits, lowest first, one character of code 48 + (32 if more groups follow) + group; the
highest bit of the last group is the sign.

>>> import numpy as np
>>> mask = np.array([[False, True], [False, True]])
>>> encode(mask)
RLE(size=(2, 2), counts='22')
>>> decode(RLE((2, 2), "22")).tolist()
[[False, True], [False, True]]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from opens2v_hf.errors import MaskError, short_repr

MAX_PIXELS = 1 << 27
"""Pixels of the largest picture (16K x 8K): a larger mask is hostile or broken."""

MAX_GROUPS = 6
"""Groups of five bits in a number: enough for any difference between two runs of `MAX_PIXELS`."""

_FIRST_CHARACTER = 48
_BITS = 5
_MORE = 1 << _BITS
_SIGN = 1 << (_BITS - 1)
_PAYLOAD = _MORE - 1


@dataclass(frozen=True)
class RLE:
    """A mask in COCO's compressed run-length code.

    The size is checked here; the code itself when it is read (`runs`, `decode`, ...), because a stream of records holds
    many masks that are never read.

    Attributes:
        size: (height, width) in pixels, each at least 1, together at most `MAX_PIXELS`.
        counts: the code, ASCII.

    Raises:
        MaskError: when the size is no pair of positive whole numbers or too large, or the code is no text.
    """

    size: tuple[int, int]
    counts: str

    def __post_init__(self) -> None:
        if len(self.size) != 2 or not all(isinstance(side, int | np.integer) for side in self.size):
            raise MaskError(f"a mask's size must be two whole numbers (height, width), got {short_repr(self.size)}")
        height, width = int(self.size[0]), int(self.size[1])
        if max(height, width) > MAX_PIXELS:
            raise MaskError(f"a mask's sides are at most {MAX_PIXELS} pixels, got {short_repr((height, width))}")
        if height < 1 or width < 1:
            raise MaskError(f"a mask of {height} x {width} pixels has no area: both sides must be at least 1")
        if height * width > MAX_PIXELS:
            raise MaskError(f"a mask of {height} x {width} pixels is larger than any picture ({MAX_PIXELS} pixels)")
        if not isinstance(self.counts, str):
            raise MaskError(f"a mask's counts must be a string, got {type(self.counts).__name__}")
        object.__setattr__(self, "size", (height, width))

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> RLE:
        """Reads the form of the released records: `{"size": [h, w], "counts": ...}`; other keys are left alone.

        Args:
            record: counts may be the compressed string, its bytes (as pycocotools returns them) or the plain list of
                runs that COCO uses for crowds.

        Raises:
            MaskError: when a key is missing or has a value of another kind.
        """
        if not isinstance(record, Mapping) or "size" not in record or "counts" not in record:
            raise MaskError(f"a mask must be a dict with 'size' and 'counts', got {short_repr(record)}")
        size, counts = record["size"], record["counts"]
        if not isinstance(size, Sequence | np.ndarray) or isinstance(size, str):
            raise MaskError(f"a mask's size must be [height, width], got {short_repr(size)}")
        if isinstance(counts, bytes):
            try:
                counts = counts.decode("ascii")
            except UnicodeDecodeError as error:
                raise MaskError(f"a mask's counts are not ASCII: {error}") from error
        if isinstance(counts, str):
            return cls(tuple(size), counts)
        try:
            lengths = np.asarray(counts)
        except (ValueError, OverflowError) as error:  # lists of different lengths, numbers that fit no type
            raise MaskError(f"a mask's runs must be a list of whole numbers ({error})") from error
        return from_runs(tuple(size), lengths)

    def to_dict(self) -> dict[str, Any]:
        """The form of the released records: `{"size": [h, w], "counts": "..."}`."""
        return {"size": list(self.size), "counts": self.counts}


def runs(rle: RLE) -> np.ndarray:
    """The lengths of a mask's runs, background first.

    Returns:
        int64 [R], all at least 0, their sum exactly height * width.

    Raises:
        MaskError: when the code has characters of another alphabet, ends within a number, or has runs that are
            negative or do not fill the picture exactly. Nothing larger than the code is allocated before that is known.
    """
    height, width = rle.size
    lengths = _read_numbers(rle)
    lengths[1::2] = np.cumsum(lengths[1::2])
    lengths[2::2] = np.cumsum(lengths[2::2])
    if lengths.min() < 0:
        where = int(np.argmax(lengths < 0))
        raise MaskError(f"run {where} of a {height} x {width} mask has the negative length {lengths[where]}")
    total = int(lengths.sum(dtype=np.float64))  # no sum of hostile numbers may wrap around to the right one
    if total != height * width:
        raise MaskError(f"the runs of a {height} x {width} mask cover {total} pixels, not {height * width}")
    return lengths


class RunPairs(NamedTuple):
    """The runs of several masks, one mask after another.

    Attributes:
        pairs: int64 [P, 2], a run of background and the run of the subject after it; 0 where a mask ends with
            background.
        firsts: int64 [N], the first pair of each mask.
    """

    pairs: np.ndarray
    firsts: np.ndarray


def run_pairs(rles: Sequence[RLE]) -> RunPairs:
    """The runs of one or more masks, read together: several times as fast as one by one.

    Raises:
        MaskError: as `runs`, for the first malformed mask.
    """
    found = _read_together(rles) if len(rles) > 1 else None
    if found is not None:
        return found
    # alone, or one of them is malformed, and `runs` says what is wrong with it
    lengths = [runs(rle) for rle in rles]
    padded = [np.append(one, 0) if one.size % 2 else one for one in lengths]
    num_pairs = np.array([one.size // 2 for one in padded])
    return RunPairs(np.concatenate(padded).reshape(-1, 2), np.cumsum(num_pairs) - num_pairs)


def from_runs(size: tuple[int, int], lengths: np.ndarray) -> RLE:
    """Encodes runs.

    Args:
        size: (height, width) in pixels.
        lengths: whole numbers [R] at least 0, background first, their sum height * width.

    Raises:
        MaskError: when the runs are of another kind or do not fill the picture exactly.
    """
    if lengths.ndim != 1 or lengths.size == 0 or not np.issubdtype(lengths.dtype, np.integer):
        raise MaskError("a mask's runs must be a list of whole numbers")
    blank = RLE(size, "")
    height, width = blank.size
    # In float64, so that a sum of hostile numbers cannot wrap around to the right one.
    total = lengths.sum(dtype=np.float64)
    if lengths.min() < 0 or total != height * width:
        raise MaskError(f"the runs of a {height} x {width} mask must be at least 0 and cover {height * width} pixels")
    deltas = lengths.astype(np.int64)
    deltas[3:] -= lengths[1:-2].astype(np.int64)
    return RLE(blank.size, _write_numbers(deltas))


def decode(rle: RLE) -> np.ndarray:
    """The mask as pixels.

    Returns:
        bool [height, width], column-major in memory (as the code is).

    Raises:
        MaskError: as `runs`.
    """
    height, width = rle.size
    lengths = runs(rle)
    values = np.zeros(lengths.size, dtype=np.bool_)
    values[1::2] = True
    return np.repeat(values, lengths).reshape(width, height).T


def encode(mask: np.ndarray) -> RLE:
    """Encodes a mask; the same characters as pycocotools writes.

    Args:
        mask: [height, width], bool or numbers of which 0 is background.

    Raises:
        MaskError: when the array is not two-dimensional, has no pixel or too many.
    """
    if mask.ndim != 2:
        raise MaskError(f"a mask must have two dimensions [height, width], got the shape {mask.shape}")
    size = RLE((mask.shape[0], mask.shape[1]), "").size
    flat = np.asarray(mask, dtype=np.bool_).ravel(order="F")
    borders = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    lengths = np.diff(borders, prepend=0, append=flat.size)
    if flat[0]:
        lengths = np.concatenate(([0], lengths))
    return from_runs(size, lengths)


def _read_numbers(rle: RLE) -> np.ndarray:
    """int64 [R]: the numbers of a code as they are written, differences and all."""
    height, width = rle.size
    if len(rle.counts) > MAX_GROUPS * (height * width + 1):
        raise MaskError(f"a code of {len(rle.counts)} characters is too long for a {height} x {width} mask")
    try:
        code = rle.counts.encode("ascii")
    except UnicodeEncodeError as error:
        raise MaskError(f"a mask's counts are not ASCII: {error}") from error
    groups = np.frombuffer(code, dtype=np.uint8) - np.uint8(_FIRST_CHARACTER)  # below '0' it wraps, and is too large
    if groups.size == 0:
        raise MaskError("a mask's counts are empty")
    if groups.max() >= 2 * _MORE:
        where = int(np.argmax(groups >= 2 * _MORE))
        raise MaskError(
            f"character {rle.counts[where]!r} at position {where} is not in the alphabet of a mask's counts"
        )
    ends = np.flatnonzero(groups < _MORE)
    if ends.size == 0 or ends[-1] != groups.size - 1:
        raise MaskError("a mask's counts end in the middle of a number: the text has been cut off")
    widths = np.diff(ends, prepend=-1)
    longest = int(widths.max())
    if longest > MAX_GROUPS:
        raise MaskError(f"a mask's counts hold a number of {longest} characters, more than any picture needs")
    return _joined(groups, ends, widths)


def _joined(groups: np.ndarray, ends: np.ndarray, widths: np.ndarray) -> np.ndarray:
    """int64 [R]: numbers from their groups of bits.

    Args:
        groups: uint8 [C], the characters less the first of the alphabet.
        ends: [R], position of each number's last group.
        widths: [R], groups in each number.
    """
    # flipping the sign bit and taking it away again gives it its negative weight
    numbers = (groups[ends] ^ _SIGN).astype(np.int64) - _SIGN
    longer, group = np.flatnonzero(widths > 1), 1
    while longer.size:  # from the last group, which carries the sign, down to the first
        numbers[longer] = (numbers[longer] << _BITS) | (groups[ends[longer] - group] & _PAYLOAD)
        group += 1
        longer = longer[widths[longer] > group]
    return numbers


def _read_together(rles: Sequence[RLE]) -> RunPairs | None:
    """The runs of masks; None where one of them is malformed."""
    text = "".join([rle.counts for rle in rles])
    num_characters = np.array([len(rle.counts) for rle in rles])
    num_pixels = np.array([rle.size[0] * rle.size[1] for rle in rles])
    is_plausible = (num_characters > 0) & (num_characters <= MAX_GROUPS * (num_pixels + 1))
    if not text.isascii() or not is_plausible.all():
        return None
    groups = np.frombuffer(text.encode("ascii"), dtype=np.uint8) - np.uint8(_FIRST_CHARACTER)
    stops = np.cumsum(num_characters)
    if groups.max() >= 2 * _MORE or (groups[stops - 1] >= _MORE).any():
        return None
    ends = np.flatnonzero(groups < _MORE)
    widths = np.diff(ends, prepend=-1)
    if widths.max() > MAX_GROUPS:
        return None
    numbers = _joined(groups, ends, widths)
    number_stops = np.searchsorted(ends, stops)
    num_runs = np.diff(number_stops, prepend=0)
    is_odd = num_runs % 2 == 1
    if is_odd.any():  # it ends with background: an empty run of the subject makes a pair of it
        numbers = np.insert(numbers, number_stops[is_odd], 0)
    num_pairs = (num_runs + 1) // 2
    firsts = np.cumsum(num_pairs) - num_pairs
    # Runs are differences to the run two before, but for the first three: the sums begin anew with each mask.
    pairs = numbers.reshape(-1, 2)
    first_backgrounds = pairs[firsts, 0]
    pairs[firsts, 0] = 0
    pairs = np.cumsum(pairs, axis=0)
    before = np.concatenate((np.zeros((1, 2), np.int64), pairs[firsts[1:] - 1]))
    pairs -= np.repeat(before, num_pairs, axis=0)
    pairs[firsts, 0] = first_backgrounds
    pairs[(firsts + num_pairs - 1)[is_odd], 1] = 0
    if pairs.min() < 0 or pairs.max() > MAX_PIXELS or (np.add.reduceat(pairs.ravel(), 2 * firsts) != num_pixels).any():
        return None
    return RunPairs(pairs, firsts)


def _write_numbers(numbers: np.ndarray) -> str:
    """Writes int64 [R] in as few groups as each number needs."""
    columns = []
    rest = numbers
    unfinished = np.ones(numbers.shape, dtype=bool)
    while unfinished.any():
        group = rest & _PAYLOAD
        rest = rest >> _BITS
        more = unfinished & (rest != np.where(group & _SIGN, -1, 0))
        columns.append(np.where(unfinished, group + np.where(more, _MORE, 0) + _FIRST_CHARACTER, 0))
        unfinished = more
    characters = np.stack(columns, axis=1).astype(np.uint8).ravel()
    return characters[characters > 0].tobytes().decode("ascii")
