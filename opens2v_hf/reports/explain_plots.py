"""The picture of an explanation: references with their timelines above, frames with boxes below."""

from __future__ import annotations

import math
import textwrap
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from opens2v_hf.reports.explain_words import headline, why
from opens2v_hf.reports.explanation import Explanation, Moment, ReferenceView, Seen
from opens2v_hf.reports.plots import PALETTE
from opens2v_hf.scores.nexus import NexusBox

DROPPED_COLOR = "#9ca3af"
"""Of what the rules drop."""

MOST_DROPPED = 3
"""Dropped boxes that are drawn in a frame for each reference, those of the highest score."""

_FEWEST_COLUMNS = 4
_MOST_COLUMNS = 8
_WORDS_WIDTH = 160  # characters

# all in inches
_WIDTH = 13.0
_MARGIN = 0.2
_GAP = 0.07
_PICTURE = 0.95
_OVER_PICTURE = 0.22
_UNDER_PICTURE = 0.5
_OVER_FRAME = 0.2

_SOFT = "#6b7280"


def color_of(position: int) -> str:
    """The colour of a reference."""
    return PALETTE[position % len(PALETTE)]


def drawn_boxes(boxes: list[NexusBox]) -> list[NexusBox]:
    """The boxes of one frame that are drawn: all kept ones, and of each reference a few dropped ones below them."""
    dropped: list[NexusBox] = []
    for reference in dict.fromkeys(box.reference for box in boxes):
        own = [box for box in boxes if box.reference == reference and not box.kept]
        dropped += sorted(own, key=lambda box: -box.score)[:MOST_DROPPED]
    return [*dropped, *(box for box in boxes if box.kept)]


def draw(explanation: Explanation) -> Figure:
    """References, timelines, and every distinct sampled frame."""
    indices = list(explanation.frames)
    columns = min(max(_FEWEST_COLUMNS, len(indices)), _MOST_COLUMNS)
    width, height = explanation.size
    frame_width = (_WIDTH - 2 * _MARGIN - (columns - 1) * _GAP) / columns
    frame_height = frame_width * height / width
    words = textwrap.wrap(" ".join(why(explanation)[:2]), _WORDS_WIDTH)
    references_top = _MARGIN + 0.45 + 0.19 * len(words)
    frames_top = references_top + len(explanation.references) * (_PICTURE + _UNDER_PICTURE)
    rows = math.ceil(len(indices) / columns)
    sheet = _Sheet(frames_top + rows * (frame_height + _OVER_FRAME) + _MARGIN)

    sheet.write(f"{headline(explanation)}   {explanation.title}", top=_MARGIN, fontsize=14, weight="bold")
    sheet.write("\n".join(words), top=_MARGIN + 0.32, fontsize=9.5)
    for row, reference in enumerate(explanation.references):
        top = references_top + row * (_PICTURE + _UNDER_PICTURE) + _OVER_PICTURE
        _draw_picture(sheet.panel(_MARGIN, top, _PICTURE, _PICTURE), reference)
        left = _MARGIN + _PICTURE + 0.45
        _draw_timeline(sheet.panel(left, top, _WIDTH - left - _MARGIN, _PICTURE), reference, explanation)
    for place, index in enumerate(indices):
        left = _MARGIN + place % columns * (frame_width + _GAP)
        top = frames_top + place // columns * (frame_height + _OVER_FRAME) + _OVER_FRAME
        _draw_frame(sheet.panel(left, top, frame_width, frame_height), explanation, index)
    return sheet.figure


class _Sheet:
    """A figure in which things are placed in inches from its left and upper edges."""

    def __init__(self, height: float) -> None:
        self.height = height
        self.figure = Figure(figsize=(_WIDTH, height))

    def panel(self, left: float, top: float, width: float, height: float) -> Axes:
        bottom = self.height - top - height
        return self.figure.add_axes((left / _WIDTH, bottom / self.height, width / _WIDTH, height / self.height))

    def write(self, text: str, *, top: float, **style: Any) -> None:
        # names and labels may hold a dollar sign, which is no formula
        self.figure.text(_MARGIN / _WIDTH, 1 - top / self.height, text, va="top", parse_math=False, **style)


def _draw_picture(panel: Axes, reference: ReferenceView) -> None:
    panel.imshow(reference.picture, aspect="equal")
    panel.set_xticks([])
    panel.set_yticks([])
    for spine in panel.spines.values():
        spine.set(color=color_of(reference.position), linewidth=2)


def _draw_timeline(panel: Axes, reference: ReferenceView, explanation: Explanation) -> None:
    if reference.text is None:
        panel.axis("off")
        panel.text(0, 0.5, f"{reference.label}: not looked for", va="center", color=_SOFT, parse_math=False)
        return
    color = color_of(reference.position)
    for place, moment in enumerate(reference.timeline):
        panel.bar(place, 1, width=0.92, color="#f3f4f6", zorder=0)
        if moment.seen is Seen.FOUND:
            panel.bar(place, bar_height(moment), width=0.92, color=color, zorder=2)
        elif moment.seen is Seen.DROPPED:
            panel.text(place, 0.5, "×", ha="center", va="center", color="#4b5563", fontsize=11, zorder=2)
    panel.set_xlim(-0.6, len(reference.timeline) - 0.4)
    panel.set_ylim(0, 1)
    panel.set_yticks([0, 0.5, 1])
    panel.tick_params(labelsize=7, length=2, colors=_SOFT)
    step = math.ceil(len(reference.timeline) / 16)
    places = list(range(0, len(reference.timeline), step))
    panel.set_xticks(places, [str(explanation.frame_indices[place]) for place in places])
    panel.spines[["top", "right", "left", "bottom"]].set_visible(False)
    read_as = "" if reference.text == reference.label else f", read as {reference.text!r}"
    counts = (
        f"{textwrap.shorten(reference.label, 40)}{read_as}: found in {reference.num_frames(Seen.FOUND)}, "
        f"detected and dropped (×) in {reference.num_frames(Seen.DROPPED)}, "
        f"not detected in {reference.num_frames(Seen.ABSENT)} of {len(reference.timeline)} frames; "
        "bars: best kept similarity with the picture"
    )
    panel.set_title(counts, fontsize=8.5, loc="left", pad=3, color=color, parse_math=False)


def bar_height(moment: Moment) -> float:
    """A found reference's share of the full bar: the similarity, and never so little that it cannot be seen."""
    return max(0.04, min(1.0, moment.similarity or 0.0))


def _draw_frame(panel: Axes, explanation: Explanation, index: int) -> None:
    width, height = explanation.size
    panel.imshow(explanation.frames[index], extent=(0, width, height, 0), aspect="equal")
    panel.set_xlim(0, width)
    panel.set_ylim(height, 0)
    panel.axis("off")
    place = explanation.frame_indices.index(index)
    panel.set_title(f"frame {index}, {explanation.seconds(place):.2f} s", fontsize=7, pad=2, color=_SOFT, loc="left")
    for box in drawn_boxes(explanation.boxes_of(index)):
        _draw_box(panel, box)


def _draw_box(panel: Axes, box: NexusBox) -> None:
    left, top, right, bottom = box.box
    color = color_of(box.reference) if box.kept else DROPPED_COLOR
    style = {"linewidth": 1.8} if box.kept else {"linewidth": 0.9, "linestyle": (0, (3, 2))}
    panel.add_patch(Rectangle((left, top), right - left, bottom - top, fill=False, edgecolor=color, **style))
    if box.kept and box.image_similarity is not None:
        label = {"facecolor": color, "edgecolor": "none", "pad": 0.8}
        text = f"{box.image_similarity:.2f}"
        panel.text(left, max(top, 0), text, fontsize=6.5, color="white", va="top", bbox=label, clip_on=True)
