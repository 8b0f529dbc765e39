"""The self-contained HTML page of an explanation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opens2v_hf.reports.explain_words import dropped_words, headline, rule_words, variant_explanations, why
from opens2v_hf.reports.explanation import Explanation, Moment, ReferenceView, Seen
from opens2v_hf.reports.page import data_url, environment
from opens2v_hf.reports.plots import PALETTE
from opens2v_hf.scores.nexus import NexusBox

DROPPED_COLOR = "#9ca3af"
MOST_DROPPED = 3
"""Dropped boxes that are drawn in a frame for each reference, those of the highest score."""
_LEAST_HEIGHT = 0.04
"""Of a bar, so that it can be seen."""


def render_page(explanation: Explanation) -> str:
    """The page as HTML text; pictures are embedded as data URLs."""
    return (
        environment()
        .get_template("explain.html.j2")
        .render(
            explanation=explanation,
            headline=headline(explanation),
            why=why(explanation),
            labels=[reference.label for reference in explanation.references],
            variant_explanations=variant_explanations(explanation),
            references=[_reference(explanation, reference) for reference in explanation.references],
            frames=[_frame(explanation, index) for index in explanation.frames],
            boxes=[_box(explanation, box) for box in explanation.boxes],
            dropped_color=DROPPED_COLOR,
        )
    )


def _reference(explanation: Explanation, reference: ReferenceView) -> Mapping[str, Any]:
    return {
        "view": reference,
        "number": reference.position + 1,
        "color": _color(reference.position),
        "picture": data_url(reference.picture),
        "counts": {str(seen): reference.num_frames(seen) for seen in Seen},
        "dropped": dropped_words(reference, explanation.thresholds),
        "cells": [_cell(explanation, position, moment) for position, moment in enumerate(reference.timeline)],
    }


def _cell(explanation: Explanation, position: int, moment: Moment) -> Mapping[str, Any]:
    when = f"frame {explanation.frame_indices[position]}, {explanation.seconds(position):.2f} s"
    if moment.seen is Seen.ABSENT:
        words = "not detected"
    elif moment.rule is not None:
        words = f"dropped, best detector score {moment.score:.2f}: {rule_words(moment.rule, explanation.thresholds)}"
    else:
        words = f"found, similarity {_number(moment.similarity)}"
    return {
        "seen": str(moment.seen),
        "frame": explanation.frame_indices[position],
        "height": max(_LEAST_HEIGHT, min(1.0, moment.similarity or 0.0)) if moment.seen is Seen.FOUND else 0.0,
        "title": f"{when}: {words}",
    }


def _frame(explanation: Explanation, index: int) -> Mapping[str, Any]:
    position = explanation.frame_indices.index(index)
    own = explanation.boxes_of(index)
    drawn = drawn_boxes(own)
    return {
        "index": index,
        "seconds": explanation.seconds(position),
        "times": explanation.frame_indices.count(index),
        "picture": data_url(explanation.frames[index]),
        "boxes": [_box(explanation, box) for box in drawn],
        "kept": sum(box.kept for box in own),
        "dropped": sum(not box.kept for box in own),
        "hidden": len(own) - len(drawn),
    }


def drawn_boxes(boxes: list[NexusBox]) -> list[NexusBox]:
    """The boxes of one frame to draw: all kept ones, and below them the best dropped ones of each reference."""
    dropped: list[NexusBox] = []
    for reference in dict.fromkeys(box.reference for box in boxes):
        own = [box for box in boxes if box.reference == reference and not box.kept]
        dropped += sorted(own, key=lambda box: -box.score)[:MOST_DROPPED]
    return [*dropped, *(box for box in boxes if box.kept)]


def _box(explanation: Explanation, box: NexusBox) -> Mapping[str, Any]:
    left, top, right, bottom = box.box
    (reference,) = [reference for reference in explanation.references if reference.position == box.reference]
    words = "kept" if box.kept else f"dropped: {rule_words(box.verdict, explanation.thresholds)}"
    numbers = (
        f"detector {box.score:.3f}, with the picture {_number(box.image_similarity)}, "
        f"with the label {_number(box.text_similarity)}"
    )
    return {
        "kept": box.kept,
        "frame": explanation.frame_indices[box.frame],
        "seconds": explanation.seconds(box.frame),
        "label": reference.label,
        "number": reference.position + 1,
        "color": _color(box.reference) if box.kept else DROPPED_COLOR,
        "left": left,
        "top": top,
        "width": max(right - left, 0),
        "height": max(bottom - top, 0),
        "corners": ", ".join(f"{value:.0f}" for value in box.box),
        "score": f"{box.score:.3f}",
        "image_similarity": _number(box.image_similarity),
        "text_similarity": _number(box.text_similarity),
        "words": words,
        "title": f"{reference.label}: {words} ({numbers})",
    }


def _color(position: int) -> str:
    return PALETTE[position % len(PALETTE)]


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}"
