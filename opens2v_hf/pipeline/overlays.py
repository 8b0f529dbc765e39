"""Overlays of a clip: watermarks, logos of broadcasters and lines of subtitles, found by OpenCV alone.

An overlay is text-like (many strong edges in several directions), is near the border of the picture, and does not move
while the picture around it changes. Subtitles that change are found in parts of the clip: text in one part, and text in
the same rows in a later one.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import cv2
import numpy as np

from opens2v_hf._util.numbers import is_number, is_whole
from opens2v_hf.errors import ArgumentError

Box = tuple[int, int, int, int]

_JOIN_WIDTH, _JOIN_HEIGHT = 0.03, 0.015  # of the frame's width and height: gaps between words and between letters
_MIN_SIDE_PX = 4  # of an overlay
_MIN_EDGES = 0.001  # of an overlay, as part of the pixels of the picture
_HALO_PX = 2  # edges reach that far outside of what is drawn
_RING_PX, _NEAREST_PX = 12, 4  # width of the surroundings in which motion, and black bars, are measured
_SMOOTH = (3, 3)
_MAD_TO_DEVIATION = 1.4826  # of a normal distribution
_DARK, _PLAIN = 48, 4.0  # level of a black bar, and its deviation over time
_IN_BAR_PART = 0.7  # of an overlay's surroundings that belong to the bar around it
_MIN_SPECK_PIXELS = 4  # of edges that touch each other; fewer are no part of a letter
_PART, _STRIDE = 8, 4  # frames of a part of the clip in which text stays, and from one part to the next
_SAME_ROWS = 0.6  # of the higher of two lines of text that both have
_LINE_ASPECT = 2.0  # width of a line of text over its height, at least
_MOST_OVERLAYS = 10  # all combinations of cuts are tried
_STEADY = 4  # frames before and after a line is replaced in which its pixels must stay
_MIN_STEP = 24  # levels by which a pixel changes where a line is replaced
_MOST_UNSTEADY = 0.35  # of that change, which a pixel may vary by before and after it
_MOST_STEPPING = 0.08  # of the band of rows; where more changes at once, it is no line of text
_MOST_STEPPING_AROUND = 0.05  # likewise of the line's surroundings
_LONG_LINE = 0.1  # of the picture's width, at least
_LONG_LINE_ASPECT = 5.0  # things that come to rest have wide outlines as well, but none so wide
_BOTH_SIGNS = 0.2  # of the pixels that change: those of the line that goes, and those of the one that comes


@dataclass(frozen=True)
class OverlayRules:
    """Thresholds for finding overlays, and the largest part of the picture to cut off with them.

    Attributes:
        num_frames: spread evenly over the clip, that are compared.
        changing: search three times as many frames for lines of subtitles that change within the clip.
        min_contrast: of an edge in the mean of these frames, in levels (of 255) a pixel.
        min_agreement: part of the frames in which an edge must be where the mean has it.
        min_motion: deviation over time of a pixel that moves, in levels, by the median absolute deviation.
        min_moving: part of the picture, and of the surroundings of the overlay, that must move.
        min_density: part of an overlay's box that is edges.
        max_around: part of its surroundings that is edges at most, relative to that of its box.
        min_directions: part of these edges that is upright, and part that is level; text has both, a post has one.
        max_area: of an overlay's box, as part of the picture.
        border: distance of an overlay's centre from a border of the picture at most, as part of its height or width.
        max_loss: part of the picture that may be cut off; a clip that would lose more is dropped.

    Raises:
        ArgumentError: a value is out of range.
    """

    num_frames: int = 12
    changing: bool = True
    min_contrast: float = 6.0
    min_agreement: float = 0.8
    min_motion: float = 6.0
    min_moving: float = 0.3
    min_density: float = 0.2
    max_around: float = 0.25
    min_directions: float = 0.15
    max_area: float = 0.15
    border: float = 0.2
    max_loss: float = 0.2

    def __post_init__(self) -> None:
        if not is_whole(self.num_frames, 3):
            raise ArgumentError(f"num_frames must be a whole number from 3 (got {self.num_frames!r})")
        if not isinstance(self.changing, bool):
            raise ArgumentError(f"changing must be true or false (got {self.changing!r})")
        for name, most in (("min_contrast", 255.0), ("min_motion", 255.0)):
            self._check(name, most)
        for name in (
            "min_agreement",
            "min_moving",
            "min_density",
            "max_around",
            "min_directions",
            "max_area",
            "border",
            "max_loss",
        ):
            self._check(name, 1.0)

    def _check(self, name: str, most: float) -> None:
        value = getattr(self, name)
        if not is_number(value, 0, most):
            raise ArgumentError(f"{name} of overlays must be a number in 0..{most:g} (got {value!r})")

    @classmethod
    def of(cls, given: OverlayRules | Mapping[str, Any] | bool | None) -> OverlayRules | None:
        """Rules of what a user gives: True for the default, False or None for no search, or some of the values.

        Raises:
            ArgumentError: there is no such rule, or a value is out of range.
        """
        if given is None or given is False:
            return None
        if given is True:
            return cls()
        if isinstance(given, OverlayRules):
            return given
        if not isinstance(given, Mapping):
            raise ArgumentError(f"overlays must be true, false or a mapping of rules (got {given!r})")
        names = [field.name for field in fields(cls)]
        if unknown := sorted(set(given) - set(names)):
            raise ArgumentError(f"the rules of overlays are {', '.join(names)} (got {unknown[0]!r})")
        return cls(**given)

    def facts(self) -> dict[str, Any]:
        """The values, JSON-compatible."""
        return asdict(self)

    def positions(self, num_frames: int) -> list[int]:
        """The frames of a clip in which overlays are searched, ascending.

        Args:
            num_frames: of the clip.
        """
        count = 3 * (self.num_frames - 1) + 1 if self.changing else self.num_frames
        return sorted({int(position) for position in np.linspace(0, num_frames - 1, count)})


def find_overlays(grey: np.ndarray, rules: OverlayRules) -> list[Box]:
    """The overlays of a clip.

    Args:
        grey: uint8 [n, H, W], frames at `OverlayRules.positions`, some hundred pixels high.
        rules: see `OverlayRules`.

    Returns:
        (x0, y0, x1, y1) of each in pixels, x1 and y1 exclusive, at most 10 of them, the largest first.
    """
    if not rules.changing:
        return find_static(grey, rules)
    found = find_changing(grey, rules)
    for box in find_replaced(grey, rules):
        found = _joined(found, box)
    step = max(1, (len(grey) - 1) // (rules.num_frames - 1))  # 3, less in a short clip
    for box in find_static(grey[::step], rules):
        found = _joined(found, box)
    return sorted(found, key=lambda box: (-_area(box), box))[:_MOST_OVERLAYS]


def find_changing(grey: np.ndarray, rules: OverlayRules) -> list[Box]:
    """Lines of subtitles that change: text that stays for a part of the clip, and text in the same rows later.

    Each text must stay for 11 of the frames to be found surely. That two parts without a common frame must have one
    keeps what happens to be still for a moment out.

    Args:
        grey: uint8 [n, H, W], frames close enough that a text stays for several.
        rules: see `OverlayRules`.

    Returns:
        As `find_overlays`: a box around all texts of the same rows.
    """
    if len(grey) < 2 * _PART:
        return []
    # eight frames of a slow camera have edges that last by chance; they are weak
    strict = replace(
        rules, min_agreement=max(0.85, rules.min_agreement), min_contrast=min(255.0, 3 * rules.min_contrast)
    )
    found = [
        (start, box)
        for start in range(0, len(grey) - _PART + 1, _STRIDE)
        for box in find_static(grey[start : start + _PART], strict)
        if box[2] - box[0] >= _LINE_ASPECT * (box[3] - box[1])
    ]
    lines: list[Box] = []
    for start, box in found:
        partners = [
            other for begin, other in found if abs(begin - start) >= _PART and _same_line(box, other)
        ]  # a text is its own partner where it stays for long
        for partner in partners:
            lines = _joined(lines, _around(box, partner))
    return sorted(lines, key=lambda box: (-_area(box), box))


def find_replaced(grey: np.ndarray, rules: OverlayRules) -> list[Box]:
    """Lines of subtitles at the upper or lower border that are replaced at once, whether the picture moves or not.

    All pixels of the two texts change between two frames, and stay the same before and after, which hardly anything
    else does. One line must follow another directly, or text must come or go twice in the same rows.

    Args:
        grey: uint8 [n, H, W], as for `find_changing`.
        rules: see `OverlayRules`.

    Returns:
        As `find_overlays`.
    """
    height, width = grey.shape[1:]
    band = min(height, round((rules.border + 0.1) * height))  # of lines whose centre is near enough to the border
    lines: list[Box] = []
    for top in {0, height - band} if band > 4 * _MIN_SIDE_PX else ():
        found = list(_replacements(grey[:, top : top + band], rules))
        for time, box, both in found:
            partners = [other for when, other, _ in found if abs(when - time) >= _STEADY and _same_line(box, other)]
            for other in [*partners, *([box] if both else [])]:
                x0, y0, x1, y1 = _grown(_around(box, other), _HALO_PX, (band, width))
                y = (y0 + y1) / 2 + top
                if min(y, height - y) <= rules.border * height:
                    lines = _joined(lines, (x0, y0 + top, x1, y1 + top))
    return sorted(lines, key=lambda box: (-_area(box), box))


def _replacements(band: np.ndarray, rules: OverlayRules) -> Iterator[tuple[int, Box, bool]]:
    """Frames after which a line of text comes or goes, its box, and whether one goes and another comes."""
    anywhere = replace(rules, border=1.0, max_area=1.0)
    size = band.shape[1:]
    for time in range(_STEADY - 1, len(band) - _STEADY):
        if (cv2.absdiff(band[time], band[time + 1]) >= _MIN_STEP).mean() < _MIN_EDGES:
            continue
        before, after = (band[at : at + _STEADY].astype(np.float32) for at in (time + 1 - _STEADY, time + 1))
        change = after.mean(axis=0) - before.mean(axis=0)
        step = np.abs(change)
        vary = np.maximum(np.ptp(before, axis=0), np.ptp(after, axis=0))
        steps = (step >= _MIN_STEP) & (vary <= _MOST_UNSTEADY * step)
        if not _MIN_EDGES <= steps.mean() <= _MOST_STEPPING:
            continue
        edges, upright = _lasting_edges(change[None], rules)
        edges = _without_specks(edges & (cv2.dilate(steps.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0))
        for box in _joined_edges(edges, round(size[0] / (rules.border + 0.1))):
            x0, y0, x1, y1 = box
            if x1 - x0 < max(_LONG_LINE_ASPECT * (y1 - y0), _LONG_LINE * size[1]):
                continue
            if not _is_text_like(box, edges, upright, anywhere):
                continue
            if steps[_ring(box, _RING_PX, size)].mean() > _MOST_STEPPING_AROUND:
                continue
            inside = change[y0:y1, x0:x1][steps[y0:y1, x0:x1]]
            brighter = float((inside > 0).mean()) if len(inside) else 0.0
            yield time, box, _BOTH_SIGNS <= brighter <= 1 - _BOTH_SIGNS


def find_static(grey: np.ndarray, rules: OverlayRules) -> list[Box]:
    """The overlays that stay the same in all frames; see `find_overlays`."""
    if len(grey) < 3 or min(grey.shape[1:]) < 4 * _MIN_SIDE_PX:
        return []
    values = grey.astype(np.float32)
    motion = _motion(values)
    if (motion >= rules.min_motion).mean() < rules.min_moving:
        return []  # in a picture that does not move everything looks like an overlay
    edges, upright = _lasting_edges(values, rules)
    height, width = edges.shape
    edges = _without_specks(edges)
    found = []
    for box in _joined_edges(edges, height):
        if _is_text_like(box, edges, upright, rules) and _is_still(box, values, motion, edges, rules):
            found.append(_grown(box, _HALO_PX, (height, width)))
    return sorted(found, key=lambda box: (-_area(box), box))[:_MOST_OVERLAYS]


def best_crop(picture: Box, overlays: Sequence[Box]) -> Box:
    """The largest part of a picture that no overlay reaches into.

    Args:
        picture: (x0, y0, x1, y1) in pixels.
        overlays: likewise.

    Returns:
        Likewise; of size 0 where overlays leave nothing.

    Example:
        >>> best_crop((0, 0, 100, 60), [(10, 50, 90, 56), (90, 2, 98, 8)])
        (0, 0, 90, 50)
    """
    x0, y0, x1, y1 = picture
    sides = (
        {x0, *(box[2] for box in overlays)},
        {y0, *(box[3] for box in overlays)},
        {x1, *(box[0] for box in overlays)},
        {y1, *(box[1] for box in overlays)},
    )
    whole = [
        (left, top, right, bottom)
        for left, top, right, bottom in itertools.product(*(sorted(side) for side in sides))
        if x0 <= left < right <= x1 and y0 <= top < bottom <= y1
    ]
    free = (crop for crop in whole if not any(_overlap(crop, box) for box in overlays))
    return max(free, key=lambda crop: (_area(crop), [-value for value in crop]), default=(x0, y0, x0, y0))


def _motion(values: np.ndarray) -> np.ndarray:
    """Change of each pixel over time [H, W]: a standard deviation, by the median absolute deviation.

    It is robust, because a subject that passes in front of a still background must not make that a moving picture.
    """
    deviation = np.median(np.abs(values - np.median(values, axis=0)), axis=0)
    return np.asarray(_MAD_TO_DEVIATION * deviation)


def _lasting_edges(values: np.ndarray, rules: OverlayRules) -> tuple[np.ndarray, np.ndarray]:
    """Bool [H, W]: edges that nearly all frames have where their mean has one; and which of them are upright."""

    def gradient(frame: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        smooth = cv2.GaussianBlur(frame, _SMOOTH, 0)
        return cv2.Sobel(smooth, cv2.CV_32F, 1, 0) / 8, cv2.Sobel(smooth, cv2.CV_32F, 0, 1) / 8

    mean_x, mean_y = gradient(values.mean(axis=0))
    square = mean_x**2 + mean_y**2
    agreeing = np.zeros(square.shape, np.int32)
    for frame in values:
        x, y = gradient(frame)
        agreeing += x * mean_x + y * mean_y >= 0.5 * square
    lasting = (square >= rules.min_contrast**2) & (agreeing >= rules.min_agreement * len(values))
    return lasting, np.abs(mean_x) > np.abs(mean_y)


def _joined_edges(edges: np.ndarray, height: int) -> list[Box]:
    """Boxes around edges that are as near to each other as letters and words are in a picture of this height."""
    kernel = np.ones((max(3, round(_JOIN_HEIGHT * height)), max(3, round(_JOIN_WIDTH * edges.shape[1]))), np.uint8)
    joined = cv2.morphologyEx(edges.astype(np.uint8), cv2.MORPH_CLOSE, kernel)
    count, _, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    return [(x, y, x + w, y + h) for x, y, w, h, _ in stats[1:count].tolist()]


def _without_specks(edges: np.ndarray) -> np.ndarray:
    _, labels, stats, _ = cv2.connectedComponentsWithStats(edges.astype(np.uint8), connectivity=8)
    return edges & (stats[:, cv2.CC_STAT_AREA] >= _MIN_SPECK_PIXELS)[labels]


def _is_text_like(box: Box, edges: np.ndarray, upright: np.ndarray, rules: OverlayRules) -> bool:
    x0, y0, x1, y1 = box
    height, width = edges.shape
    inside = edges[y0:y1, x0:x1]
    count = int(inside.sum())
    if min(x1 - x0, y1 - y0) < _MIN_SIDE_PX or count < _MIN_EDGES * edges.size:
        return False
    if count < rules.min_density * inside.size or inside.size > rules.max_area * edges.size:
        return False
    x, y = (x0 + x1) / 2 / width, (y0 + y1) / 2 / height
    if min(x, 1 - x, y, 1 - y) > rules.border:
        return False
    share = float(upright[y0:y1, x0:x1][inside].mean())
    return rules.min_directions <= share <= 1 - rules.min_directions


def _is_still(box: Box, values: np.ndarray, motion: np.ndarray, edges: np.ndarray, rules: OverlayRules) -> bool:
    """Whether the edges stay while their surroundings move, or are in a black bar."""
    size = edges.shape
    nearest, ring = _ring(box, _NEAREST_PX, size), _ring(box, _RING_PX, size)
    if not nearest.any():
        return False
    in_bar = (values[:, nearest].mean(axis=0) <= _DARK) & (motion[nearest] <= _PLAIN)
    if in_bar.mean() >= _IN_BAR_PART:
        return True
    x0, y0, x1, y1 = box
    if edges[ring].mean() > rules.max_around * edges[y0:y1, x0:x1].mean():
        return False  # in a slow pan edges last everywhere
    within = np.zeros(size, bool)
    within[y0:y1, x0:x1] = True
    moves = float((motion[ring] >= rules.min_motion).mean()) >= rules.min_moving
    # an edge of the scene that trembles changes more than its surroundings, one that is drawn over the picture less
    return moves and float(np.median(motion[within & edges])) < float(np.median(motion[ring]))


def _ring(box: Box, width: int, size: tuple[int, int]) -> np.ndarray:
    """Bool [H, W]: the surroundings of a box."""
    inner, outer = _grown(box, _HALO_PX, size), _grown(box, _HALO_PX + width, size)
    ring = np.zeros(size, bool)
    ring[outer[1] : outer[3], outer[0] : outer[2]] = True
    ring[inner[1] : inner[3], inner[0] : inner[2]] = False
    return ring


def _same_line(one: Box, other: Box) -> bool:
    rows = min(one[3], other[3]) - max(one[1], other[1])
    columns = min(one[2], other[2]) - max(one[0], other[0])
    return columns > 0 and rows >= _SAME_ROWS * max(one[3] - one[1], other[3] - other[1])


def _joined(boxes: Sequence[Box], box: Box) -> list[Box]:
    """The boxes and one more; those that overlap it become one with it."""
    for other in boxes:
        if _overlap(other, box):
            return _joined([one for one in boxes if one != other], _around(other, box))
    return [*boxes, box]


def _around(one: Box, other: Box) -> Box:
    return min(one[0], other[0]), min(one[1], other[1]), max(one[2], other[2]), max(one[3], other[3])


def _grown(box: Box, margin: int, size: tuple[int, int]) -> Box:
    x0, y0, x1, y1 = box
    return max(0, x0 - margin), max(0, y0 - margin), min(size[1], x1 + margin), min(size[0], y1 + margin)


def _area(box: Sequence[int]) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])


def _overlap(one: Sequence[int], other: Sequence[int]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
