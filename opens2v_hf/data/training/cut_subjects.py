"""From an annotated frame to the picture of a subject."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from opens2v_hf.data.training.choose_subjects import SubjectRule, mask_of
from opens2v_hf.data.training.fit_frames import letterbox
from opens2v_hf.data.training.problems import BadBox, BadMask
from opens2v_hf.errors import ArgumentError, MaskError
from opens2v_hf.masks.apply import cut_box, cut_out

_CANVAS = {"white": 255, "black": 0, "transparent": 0, "box": 255}


def cut_subject(frame: np.ndarray, subject: Mapping[str, Any], rule: SubjectRule) -> np.ndarray:
    """The picture of a subject.

    Args:
        frame: uint8 [H, W, 3], the annotated frame after `crop`.
        subject: an entry of the row's `subjects`.
        rule: says as what kind of picture, and how large.

    Returns:
        uint8 [h, w, C], C = 4 for "transparent", else 3.

    Raises:
        BadSample: the mask is missing, empty, malformed or of another frame, or the box is outside the frame.
    """
    if rule.form == "box":
        try:
            picture = cut_box(frame, tuple(subject["box"]))
        except ArgumentError as error:
            raise BadBox(f"the box of subject {subject['id']} cannot be cut out: {error}") from error
    else:
        mask = mask_of(subject)
        try:
            picture = cut_out(frame, mask, background=rule.form)
        except MaskError as error:
            raise BadMask(f"subject {subject['id']} cannot be cut out: {error}") from error
    return picture if rule.size is None else letterbox(picture, *rule.size, _CANVAS[rule.form])
