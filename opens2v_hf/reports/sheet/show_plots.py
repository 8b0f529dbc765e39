"""The sheet about a sample of OpenS2V-5M: what `Shown` holds, drawn."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from opens2v_hf.reports.plots import PALETTE
from opens2v_hf.reports.sheet.sheet import CHARACTER_EM, POINTS_PER_INCH, Sheet, characters_in, line_height
from opens2v_hf.reports.sheet.shown import PairSide, Shown, ShownClip, ShownSubject

OVERLAY_PX = 960
"""Longer side of the annotated frame as it is drawn."""

CARD_PX = 260
"""Longer side of the small pictures as they are drawn."""

MASK_OPACITY = 0.32

# all in inches
_WIDTH = 13.0
_MARGIN = 0.25
_INNER = _WIDTH - 2 * _MARGIN
_GAP = 0.1
_FRAME_WIDTH = 7.4
_TALLEST_FRAME = 7.0
_CARD_PICTURE = 1.3
_HEADING = 0.28
_SECTION_GAP = 0.16

# in points
_TEXT = 9.0
_SMALL = 7.5
_LABEL = 7.5

_COLUMNS = 8
_SOFT = "#6b7280"
_PANEL = "#eef0f3"


@dataclass(frozen=True)
class _Card:
    """One or two small pictures side by side, and the words below."""

    pictures: tuple[np.ndarray | None, ...]
    lines: tuple[str, ...]
    color: str
    missing: tuple[str, ...] = ("no picture",)


@dataclass(frozen=True)
class _Block:
    """A part of the sheet: how high it is, and what draws it at a distance from the upper edge."""

    height: float
    draw: Callable[[Sheet, float], None]


def draw_sheet(shown: Shown) -> Figure:
    """One sheet with all there is."""
    blocks = [_heading(shown)]
    if shown.clip is not None:
        blocks += _clip_blocks(shown.clip)
    if shown.pairs:
        cards = [
            _pair_card(pair.own, pair.other, number, _similarities(pair)) for number, pair in enumerate(shown.pairs)
        ]
        blocks += _cards("Cross-video pairs: the same subject in another clip", cards, columns=_COLUMNS // 2)
    if shown.views is not None:
        cards = [_Card((_small(shown.views.main),), ("the frame",), _SOFT)]
        cards += [
            _Card((_small(view),), (tag,), color_of(place)) for place, (tag, view) in enumerate(shown.views.views)
        ]
        blocks += _cards("Synthesised views", cards)
    problems = [*(shown.clip.problems if shown.clip else ()), *shown.notes]
    if problems:
        blocks.append(_notes(problems))
    sheet = Sheet(_WIDTH, 2 * _MARGIN + sum(block.height for block in blocks))
    top = _MARGIN
    for block in blocks:
        block.draw(sheet, top)
        top += block.height
    return sheet.figure


def color_of(place: int) -> str:
    """The colour of a subject by its place in the sample."""
    return PALETTE[place % len(PALETTE)]


def overlay(frame: np.ndarray, masks: Sequence[np.ndarray | None], *, opacity: float = MASK_OPACITY) -> np.ndarray:
    """A frame with masks laid over it, each in its colour and with a line around it; small masks lie on top.

    Args:
        frame: uint8 [H, W, 3].
        masks: bool [H, W] each, in the order of the subjects; None where there is none.
        opacity: of the colours, 0..1.

    Returns:
        uint8 [H, W, 3].
    """
    blended = frame.copy()
    present = [(place, mask) for place, mask in enumerate(masks) if mask is not None and mask.any()]
    for place, mask in sorted(present, key=lambda entry: -int(entry[1].sum())):
        color = np.array(to_rgb(color_of(place))) * 255
        blended[mask] = (frame[mask] * (1 - opacity) + color * opacity).round().astype(np.uint8)
        outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(blended, outlines, -1, color.tolist(), 2)
    return blended


def place_labels(
    corners: Sequence[tuple[float, float]], sizes: Sequence[tuple[float, float]], area: tuple[float, float]
) -> list[tuple[float, float]]:
    """Upper left corners for labels so that none hides another.

    Args:
        corners: (x, y) of the upper left corner of each box.
        sizes: (width, height) of each label, in the same unit.
        area: (width, height) in which they lie.

    Returns:
        (x, y) for each: just above its box where there is room, else the next free place below.
    """
    placed: list[tuple[float, float, float, float]] = []
    for (x, y), (width, height) in zip(corners, sizes, strict=True):
        left = min(max(x, 0.0), max(area[0] - width, 0.0))
        wished = min(max(y - height, 0.0), max(area[1] - height, 0.0))
        steps = [wished + number * height for number in range(int((area[1] - wished) // height))]
        steps += [wished - number * height for number in range(1, int(wished // height) + 1)]
        free = (top for top in steps if not any(_overlap((left, top, width, height), other) for other in placed))
        placed.append((left, next(free, wished), width, height))
    return [(left, top) for left, top, _, _ in placed]


def _overlap(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    slack = 1e-6  # labels may touch
    return all(
        one[axis] + slack < other[axis] + other[axis + 2] and other[axis] + slack < one[axis] + one[axis + 2]
        for axis in (0, 1)
    )


def _heading(shown: Shown) -> _Block:
    clip = shown.clip
    lines = []
    if clip is not None:
        height, width = clip.frame_size
        lines.append(
            f"{clip.part}    frames {clip.clip[0]} to {clip.clip[1] - 1} of the file, {clip.duration_s:.2f} s "
            f"at {clip.fps:.3g} frames a second, {width} × {height} pixels after crop"
        )

    def draw(sheet: Sheet, top: float) -> None:
        sheet.write(textwrap.shorten(shown.title, 110), left=_MARGIN, top=top, fontsize=13, weight="bold")
        sheet.write("\n".join(lines), left=_MARGIN, top=top + 0.27, fontsize=_TEXT, color=_SOFT)

    return _Block(0.36 + line_height(_TEXT) * len(lines), draw)


def _clip_blocks(clip: ShownClip) -> list[_Block]:
    blocks = [_annotated_frame(clip)]
    if len(clip.film) > 1:
        blocks.append(_film(clip))
    cards = [
        _Card(
            (None if subject.picture is None else _small(subject.picture),),
            _subject_lines(subject),
            color_of(place),
        )
        for place, subject in enumerate(clip.subjects)
    ]
    if clip.background is not None:
        cards.append(_Card((_small(clip.background),), ("background", "subjects painted out"), _SOFT))
    if cards:
        blocks += _cards("Subjects, cut out of the annotated frame", cards)
    return blocks


def _annotated_frame(clip: ShownClip) -> _Block:
    height, width = clip.frame_size
    frame_width = min(_FRAME_WIDTH, _TALLEST_FRAME * width / height)
    frame_height = frame_width * height / width
    words_left = _MARGIN + frame_width + 0.3
    columns = characters_in(_WIDTH - _MARGIN - words_left, _TEXT)
    paragraphs = [
        ("Caption", _wrapped(clip.caption, columns)),
        ("Tags", [line for kind, words in clip.tags.items() if words for line in _tag_lines(kind, words, columns)]),
        ("Scores", [f"{name.replace('_', ' ')}: {_figure(value)}" for name, value in clip.scores.items()]),
    ]
    lines = sum(len(text) + 2 for _, text in paragraphs)

    def draw(sheet: Sheet, top: float) -> None:
        _draw_annotated(sheet.panel(_MARGIN, top, frame_width, frame_height), clip, frame_width)
        place = top
        for title, text in paragraphs:
            sheet.write(title, left=words_left, top=place, fontsize=_TEXT, weight="bold")
            place += line_height(_TEXT)
            sheet.write("\n".join(text), left=words_left, top=place, fontsize=_TEXT)
            place += line_height(_TEXT) * (len(text) + 0.7)

    return _Block(max(frame_height, lines * line_height(_TEXT)) + _SECTION_GAP, draw)


def _draw_annotated(panel: Axes, clip: ShownClip, inches: float) -> None:
    height, width = clip.frame_size
    scale = OVERLAY_PX / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    frame = np.full((size[1], size[0], 3), 238, np.uint8)
    if clip.frame is not None:
        frame = np.asarray(Image.fromarray(clip.frame).resize(size, Image.Resampling.LANCZOS))
    masks = [
        None
        if subject.mask is None
        else np.asarray(Image.fromarray(subject.mask).resize(size, Image.Resampling.NEAREST))
        for subject in clip.subjects
    ]
    panel.imshow(overlay(frame, masks), extent=(0, width, height, 0), aspect="auto")
    panel.set_xlim(0, width)
    panel.set_ylim(height, 0)
    panel.axis("off")
    em = _LABEL / POINTS_PER_INCH * width / inches  # of the labels' font, in pixels of the frame
    texts = [f"{subject.id} {textwrap.shorten(subject.label, 28, placeholder='…')}" for subject in clip.subjects]
    sizes = [((len(text) * CHARACTER_EM + 0.9) * em, 1.7 * em) for text in texts]
    corners = [subject.box_xyxy[:2] for subject in clip.subjects]
    for place, (subject, text, (left, top)) in enumerate(
        zip(clip.subjects, texts, place_labels(corners, sizes, (width, height)), strict=True)
    ):
        x0, y0, x1, y1 = subject.box_xyxy
        panel.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, edgecolor=color_of(place), linewidth=1.4))
        label_width, label_height = sizes[place]
        panel.add_patch(Rectangle((left, top), label_width, label_height, color=color_of(place), linewidth=0, zorder=3))
        panel.text(
            left + 0.4 * em, top + label_height / 2, text, fontsize=_LABEL, color="white", va="center_baseline",
            parse_math=False, clip_on=True, zorder=4,
        )  # fmt: skip


def _film(clip: ShownClip) -> _Block:
    height, width = clip.frame_size
    columns = max(len(clip.film), 4)
    frame_width = (_INNER - (columns - 1) * _GAP) / columns
    frame_height = frame_width * height / width

    def draw(sheet: Sheet, top: float) -> None:
        for place, (index, frame) in enumerate(clip.film):
            left = _MARGIN + place * (frame_width + _GAP)
            panel = sheet.panel(left, top, frame_width, frame_height)
            panel.imshow(_small(frame), aspect="auto")
            panel.axis("off")
            words = f"frame {index}" + (", annotated" if place == 0 else "")
            sheet.write(words, left=left, top=top + frame_height + 0.03, fontsize=_SMALL, color=_SOFT)

    return _Block(frame_height + line_height(_SMALL) + _SECTION_GAP, draw)


def _cards(title: str, cards: Sequence[_Card], *, columns: int = _COLUMNS) -> list[_Block]:
    """A heading, and a block for every row of cards."""
    card_width = (_INNER - (columns - 1) * _GAP) / columns
    characters = characters_in(card_width, _SMALL)
    blocks = [
        _Block(_HEADING, lambda sheet, top: sheet.write(title, left=_MARGIN, top=top, fontsize=10, weight="bold"))
    ]
    for start in range(0, len(cards), columns):
        row = cards[start : start + columns]
        words = [_card_words(card, characters) for card in row]
        text_height = line_height(_SMALL) * max(len(title) + len(lines) for title, lines in words)

        def draw(sheet: Sheet, top: float, row: Sequence[_Card] = row, words: list[_Words] = words) -> None:
            for place, (card, (title, lines)) in enumerate(zip(row, words, strict=True)):
                left = _MARGIN + place * (card_width + _GAP)
                _draw_card(sheet, card, title, lines, left, top, card_width)

        blocks.append(_Block(_CARD_PICTURE + 0.06 + text_height + _SECTION_GAP, draw))
    return blocks


_Words = tuple[list[str], list[str]]


def _card_words(card: _Card, characters: int) -> _Words:
    """The lines of its title, and those below."""
    title, *rest = (textwrap.wrap(text, characters, max_lines=2, placeholder="…") for text in card.lines)
    return title, [line for lines in rest for line in lines]


def _draw_card(
    sheet: Sheet, card: _Card, title: list[str], lines: list[str], left: float, top: float, width: float
) -> None:
    each = width / len(card.pictures)
    for number, picture in enumerate(card.pictures):
        panel = sheet.panel(left + number * each, top, each, _CARD_PICTURE)
        panel.set_facecolor(_PANEL)
        panel.set_xticks([])
        panel.set_yticks([])
        for spine in panel.spines.values():
            spine.set(color=card.color, linewidth=1.6)
        if picture is None:
            words = textwrap.fill(card.missing[number], characters_in(each, _SMALL) - 1)
            panel.text(
                0.5, 0.5, words, ha="center", va="center", color=_SOFT, fontsize=_SMALL, parse_math=False
            )  # fmt: skip
        else:
            _draw_whole(panel, picture, each / _CARD_PICTURE)
    place = top + _CARD_PICTURE + 0.06
    sheet.write("\n".join(title), left=left, top=place, fontsize=_SMALL, color=card.color, weight="bold")
    place += line_height(_SMALL) * len(title)
    sheet.write("\n".join(lines), left=left, top=place, fontsize=_SMALL, color=_SOFT)


def _draw_whole(panel: Axes, picture: np.ndarray, ratio: float) -> None:
    """A picture as large as a panel of this ratio of width to height allows, in its middle."""
    height, width = picture.shape[:2]
    margin = 1.06
    span_x, span_y = (width, width / ratio) if width / height > ratio else (height * ratio, height)
    panel.imshow(picture, extent=(0, width, height, 0), aspect="auto")
    panel.set_xlim(width / 2 - margin * span_x / 2, width / 2 + margin * span_x / 2)
    panel.set_ylim(height / 2 + margin * span_y / 2, height / 2 - margin * span_y / 2)


def _subject_lines(subject: ShownSubject) -> tuple[str, ...]:
    lines = [f"{subject.id} {subject.label}"]
    if subject.mask is not None and not subject.mask.any():
        lines.append("empty mask")
    elif subject.mask is None:
        lines.append("no mask")
    figures = (("text", subject.text_similarity), ("aesthetic", subject.aesthetic), ("mask", subject.mask_score))
    return (*lines, *(f"{name} {_figure(value)}" for name, value in figures))


def _similarities(pair: Any) -> str:
    return f"similarity: text {_figure(pair.text_similarity)}, image {_figure(pair.image_similarity)}"


def _pair_card(own: PairSide, other: PairSide, place: int, similarities: str) -> _Card:
    pictures = tuple(None if side.picture is None else _small(side.picture) for side in (own, other))
    labels = f"{own.subject_id} {own.label}  |  {other.subject_id} {other.label}"
    lines = (labels, similarities, f"{other.part}/{other.id}")
    return _Card(pictures, lines, color_of(place), (own.missing, other.missing))


def _notes(problems: Sequence[str]) -> _Block:
    lines = [line for problem in problems for line in textwrap.wrap(problem, characters_in(_INNER, _SMALL))]

    def draw(sheet: Sheet, top: float) -> None:
        sheet.write("\n".join(lines), left=_MARGIN, top=top, fontsize=_SMALL, color=_SOFT)

    return _Block(line_height(_SMALL) * len(lines) + 0.1, draw)


def _small(picture: np.ndarray) -> np.ndarray:
    image = Image.fromarray(picture)
    image.thumbnail((CARD_PX, CARD_PX), Image.Resampling.LANCZOS)
    return np.asarray(image)


def _wrapped(text: str, columns: int) -> list[str]:
    return [line for paragraph in text.splitlines() for line in textwrap.wrap(paragraph, columns) or [""]]


def _tag_lines(kind: str, words: Sequence[str], columns: int) -> list[str]:
    name = {"pre_define": "always looked for"}.get(kind, kind)
    return textwrap.wrap(f"{name}: {', '.join(words)}", columns)


def _figure(value: float | None) -> str:
    """A number with three digits that count.

    >>> _figure(4.06915), _figure(0.01224), _figure(None)
    ('4.07', '0.0122', 'none')
    """
    if value is None:
        return "none"
    digits = max(0, 2 - math.floor(math.log10(abs(value)))) if value else 2
    return f"{value:.{min(digits, 6)}f}"
