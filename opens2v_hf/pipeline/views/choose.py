"""Which subjects of a clip get a view, and what the model is shown of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from opens2v_hf.masks.apply import cut_box
from opens2v_hf.masks.geometry import iou_matrix
from opens2v_hf.pipeline.views.options import ViewOptions

MIN_MASK_SHARE = 1 / 32
"""Of the frame, as the authors' filter of references has it."""

RELEASED_BOX_SHARE = 0.08
"""Of the frame, that a box must exceed in the released code."""

GROWTH = 0.2
"""By which a box is larger than the subject's, so that nothing is cut off and the surroundings show its size."""

_SAME_IOU = 0.8
_MOST_BORDERS = 1
_NAMED = ("background", "subject", "object")


def chosen_subjects(row: Mapping[str, Any], options: ViewOptions) -> list[Mapping[str, Any]]:
    """Subjects of a row that qualify, in the order of preference, at most `max_views_per_clip`."""
    if options.choice == "released":
        return _released(row, options)
    found = [subject for subject in row["subjects"] if _is_whole(subject, row)]
    found.sort(key=lambda subject: (-(subject["aesthetic"] or 0.0), -subject["mask"].area, subject["id"]))
    chosen: list[Mapping[str, Any]] = []
    for subject in found:
        if len(chosen) < options.max_views_per_clip and not _is_another_name(subject, chosen):
            chosen.append(subject)
    return chosen


def crop_of(frame: np.ndarray, box_xyxy: Sequence[float]) -> np.ndarray:
    """The subject with some of its surroundings: its box grown by `GROWTH`, within the frame.

    Args:
        frame: uint8 [H, W, 3].
        box_xyxy: in pixels.

    Returns:
        uint8 [h, w, 3].

    Raises:
        ArgumentError: the box is outside of the frame.
    """
    left, top, right, bottom = box_xyxy
    dx, dy = GROWTH / 2 * (right - left), GROWTH / 2 * (bottom - top)
    return np.ascontiguousarray(cut_box(frame, (left - dx, top - dy, right + dx, bottom + dy)))


def shown_images(frame: np.ndarray, crop: np.ndarray, *, with_frame: bool) -> list[Image.Image]:
    """Inputs of the model: the crop, and the whole frame for the context."""
    return [Image.fromarray(picture) for picture in ([crop, frame] if with_frame else [crop])]


def _is_whole(subject: Mapping[str, Any], row: Mapping[str, Any]) -> bool:
    mask = subject["mask"]
    box = None if mask is None else mask.box
    if box is None or subject["label"] in row["tags"]["background"]:
        return False
    height, width = mask.size
    borders = sum((box[0] <= 0, box[1] <= 0, box[2] >= width, box[3] >= height))
    return mask.area >= MIN_MASK_SHARE * height * width and borders <= _MOST_BORDERS


def _is_another_name(subject: Mapping[str, Any], chosen: Sequence[Mapping[str, Any]]) -> bool:
    return bool(chosen) and bool(
        (iou_matrix([subject["mask"].rle], [one["mask"].rle for one in chosen]) > _SAME_IOU).any()
    )


def _released(row: Mapping[str, Any], options: ViewOptions) -> list[Mapping[str, Any]]:
    """Named things whose box is large, a random number of them; here the same ones each time."""
    named = {tag for kind in _NAMED for tag in row["tags"][kind] or ()}
    area = RELEASED_BOX_SHARE * row["frame_height"] * row["frame_width"]
    found: dict[str, Mapping[str, Any]] = {}
    for subject in row["subjects"]:
        left, top, right, bottom = subject["box"]
        if subject["label"] in named and (right - left) * (bottom - top) > area and subject["mask"] is not None:
            found.setdefault(subject["label"], subject)
    seed = hashlib.sha256(f"{options.seed}/{row['id']}".encode()).digest()
    rng = np.random.default_rng(int.from_bytes(seed[:8], "little"))
    order = rng.permutation(len(found))[: int(rng.integers(1, options.max_views_per_clip + 1))]
    subjects = list(found.values())
    return [subjects[index] for index in sorted(order.tolist())]
