"""The page about a sample of OpenS2V-5M: HTML in which all images are data URLs."""

from __future__ import annotations

import functools
import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import jinja2
import numpy as np
from PIL import Image, ImageColor, ImageFilter

from opens2v_hf._util.data_url import picture_url
from opens2v_hf.reports.sheet.shown import PairSide, Shown, ShownClip, ShownSubject

FRAME_PX = 960
"""Longer side of the annotated frame."""

THUMBNAIL_PX = 320
"""Longer side of all other images."""

MASK_OPACITY = 0.32
COLORS = ("#2563eb", "#c2410c", "#047857", "#7c3aed", "#dc2626", "#0e7490", "#a16207", "#db2777", "#4b5563")
"""Of the subjects; as text on white each has a contrast of at least 4.5."""

_WEBP_QUALITY = 82
_EMPTY_LEVEL = 238
_OUTLINE_PX = 2

# of the frame's width
_LABEL_EM = 0.03
_CHARACTER_EM = 0.56


def render_page(shown: Shown) -> str:
    """The whole page; it loads nothing and runs no script."""
    return _environment().get_template("sheet.html.j2").render(_content(shown))


def render_fragment(shown: Shown) -> str:
    """The same content, with its styles, to be put into another page."""
    return _environment().get_template("sheet_content.html.j2").render(_content(shown))


def color_of(position: int) -> str:
    """The colour of the subject at a position in the sample."""
    return COLORS[position % len(COLORS)]


def overlay(frame: np.ndarray, masks: Sequence[np.ndarray | None], *, opacity: float = MASK_OPACITY) -> np.ndarray:
    """Blend each mask in its colour over a frame and outline it; smaller masks cover larger ones.

    Args:
        frame: uint8 [H, W, 3].
        masks: bool [H, W] each, in the order of the subjects; None if there is none.
        opacity: of the colours, 0..1.

    Returns:
        uint8 [H, W, 3].
    """
    blended = frame.copy()
    present = [(position, mask) for position, mask in enumerate(masks) if mask is not None and mask.any()]
    for position, mask in sorted(present, key=lambda entry: -int(entry[1].sum())):
        color = np.array(ImageColor.getrgb(color_of(position)))
        blended[mask] = (frame[mask] * (1 - opacity) + color * opacity).round().astype(np.uint8)
        # padded, because the filter repeats the border and would leave the outline open there
        padded = Image.fromarray(np.pad(mask, _OUTLINE_PX).astype(np.uint8))
        inner = np.asarray(padded.filter(ImageFilter.MinFilter(2 * _OUTLINE_PX + 1)), dtype=bool)
        blended[mask & ~inner[_OUTLINE_PX:-_OUTLINE_PX, _OUTLINE_PX:-_OUTLINE_PX]] = color
    return blended


def place_labels(
    corners: Sequence[tuple[float, float]], sizes: Sequence[tuple[float, float]], area: tuple[float, float]
) -> list[tuple[float, float]]:
    """Upper left corners for labels so that none covers another.

    Args:
        corners: (x, y) of the upper left corner of each box.
        sizes: (width, height) of each label, in the same unit.
        area: (width, height) of their coordinates.

    Returns:
        (x, y) for each: just above its box where there is room, else the next free position below.
    """
    placed: list[tuple[float, float, float, float]] = []
    for (x, y), (width, height) in zip(corners, sizes, strict=True):
        left = min(max(x, 0.0), max(area[0] - width, 0.0))
        preferred = min(max(y - height, 0.0), max(area[1] - height, 0.0))
        steps = [preferred + number * height for number in range(int((area[1] - preferred) // height))]
        steps += [preferred - number * height for number in range(1, int(preferred // height) + 1)]
        free = (top for top in steps if not any(_overlap((left, top, width, height), other) for other in placed))
        placed.append((left, next(free, preferred), width, height))
    return [(left, top) for left, top, _, _ in placed]


def _overlap(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    slack = 1e-6  # labels may touch
    return all(
        one[axis] + slack < other[axis] + other[axis + 2] and other[axis] + slack < one[axis] + one[axis + 2]
        for axis in (0, 1)
    )


@functools.cache
def _environment() -> jinja2.Environment:
    # captions, labels and ids come from outside: everything is escaped
    return jinja2.Environment(
        loader=jinja2.PackageLoader("opens2v_hf.reports"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _content(shown: Shown) -> Mapping[str, Any]:
    clip, views = shown.clip, shown.views
    return {
        "title": shown.title,
        "clip": clip and _clip(clip),
        "pairs": [
            {
                "sides": [_side(pair.own), _side(pair.other)],
                "color": color_of(position),
                "similarities": (_figure(pair.text_similarity), _figure(pair.image_similarity)),
                "other": f"{pair.other.part}/{pair.other.id}",
            }
            for position, pair in enumerate(shown.pairs)
        ],
        "views": views
        and [
            {"name": "the frame", "image": _thumbnail(views.main)},
            *({"name": tag, "image": _thumbnail(view)} for tag, view in views.views),
        ],
        "notes": [
            *(clip.problems if clip else ()),
            *(views.problems if views else ()),
            *shown.notes,
        ],
    }  # fmt: skip


def _clip(clip: ShownClip) -> Mapping[str, Any]:
    height, width = clip.frame_size
    return {
        "about": (
            f"{clip.part}, frames {clip.clip[0]} to {clip.clip[1] - 1} of the file, {clip.duration_s:.2f} s "
            f"at {clip.fps:.3g} frames a second, {width} × {height} pixels after crop"
        ),
        "caption": clip.caption,
        "tags": [
            ({"pre_define": "always searched for"}.get(kind, kind), ", ".join(words))
            for kind, words in clip.tags.items()
            if words
        ],
        "scores": [(name.replace("_", " "), _figure(value)) for name, value in clip.scores.items()],
        "width": width,
        "height": height,
        "image": _annotated(clip),
        "boxes": _boxes(clip),
        "film": [{"index": index, "image": _thumbnail(frame)} for index, frame in clip.film],
        "subjects": [_subject(position, subject) for position, subject in enumerate(clip.subjects)],
        "background": None if clip.background is None else _thumbnail(clip.background),
    }


def _annotated(clip: ShownClip) -> str:
    height, width = clip.frame_size
    scale = FRAME_PX / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    frame = np.full((size[1], size[0], 3), _EMPTY_LEVEL, np.uint8)
    if clip.frame is not None:
        frame = np.asarray(Image.fromarray(clip.frame).resize(size, Image.Resampling.LANCZOS))
    masks = [
        None
        if subject.mask is None
        else np.asarray(Image.fromarray(subject.mask).resize(size, Image.Resampling.NEAREST))
        for subject in clip.subjects
    ]
    return _data_url(Image.fromarray(overlay(frame, masks)))


def _boxes(clip: ShownClip) -> list[Mapping[str, Any]]:
    height, width = clip.frame_size
    em = _LABEL_EM * width
    texts = [f"{subject.id} {textwrap.shorten(subject.label, 28, placeholder='…')}" for subject in clip.subjects]
    sizes = [((len(text) * _CHARACTER_EM + 0.9) * em, 1.6 * em) for text in texts]
    labels = place_labels([subject.box_xyxy[:2] for subject in clip.subjects], sizes, (width, height))
    boxes: list[Mapping[str, Any]] = []
    for position, (subject, text, size, label) in enumerate(zip(clip.subjects, texts, sizes, labels, strict=True)):
        left, top, right, bottom = subject.box_xyxy
        boxes.append(
            {
                "box": (left, top, max(right - left, 0), max(bottom - top, 0)),
                "label": (*label, *size),
                "text": text,
                "em": em,
                "name": f"{subject.id} {subject.label}",
                "color": color_of(position),
            }
        )
    return boxes


def _subject(position: int, subject: ShownSubject) -> Mapping[str, Any]:
    lines = []
    if subject.mask is None:
        lines.append("no mask")
    elif not subject.mask.any():
        lines.append("empty mask")
    figures = (("text", subject.text_similarity), ("aesthetic", subject.aesthetic), ("mask", subject.mask_score))
    return {
        "name": f"{subject.id} {subject.label}",
        "lines": [*lines, *(f"{name} {_figure(value)}" for name, value in figures)],
        "image": None if subject.picture is None else _thumbnail(subject.picture),
        "color": color_of(position),
    }


def _side(side: PairSide) -> Mapping[str, Any]:
    return {
        "name": f"{side.subject_id} {side.label}",
        "image": None if side.picture is None else _thumbnail(side.picture),
        "missing": side.missing,
    }


def _thumbnail(pixels: np.ndarray) -> str:
    image = Image.fromarray(pixels)
    image.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX), Image.Resampling.LANCZOS)
    return _data_url(image)


def _data_url(image: Image.Image) -> str:
    return picture_url(image, "webp", quality=_WEBP_QUALITY)


def _figure(value: float | None) -> str:
    """A number with three significant digits.

    >>> _figure(4.06915), _figure(0.01224), _figure(None)
    ('4.07', '0.0122', 'none')
    """
    if value is None:
        return "none"
    digits = max(0, 2 - math.floor(math.log10(abs(value)))) if value else 2
    return f"{value:.{min(digits, 6)}f}"
