"""Functions on subjects that several stages share."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from opens2v_hf.errors import SampleError
from opens2v_hf.masks.rle import RLE, decode
from opens2v_hf.pipeline.records import ClipRecord, Subject
from opens2v_hf.pipeline.stage import Dropped


def numbered(subjects: Iterable[Subject]) -> tuple[Subject, ...]:
    """The subjects with the ids 1..n, in their order."""
    return tuple(replace(subject, id=number) for number, subject in enumerate(subjects, 1))


def dropped_subject(clip: ClipRecord, stage: str, subject: Subject | str, rule: str, reason: str) -> Dropped:
    """A dropped subject or tag of a clip that remains."""
    label = subject if isinstance(subject, str) else subject.label
    return Dropped(clip.id, stage, rule, reason, subject=label, record=clip)


def masks_of(clip: ClipRecord) -> list[RLE]:
    """The masks of a clip's subjects, in their order.

    Raises:
        SampleError: a subject has no mask yet, or one of another size than the frame.
    """
    found = []
    for subject in clip.subjects:
        if subject.mask is None:
            raise SampleError(f"{clip.id}: subject {subject.id} has no mask; apply the stage 'segment' first")
        if subject.mask.size != clip.frame_size:
            raise SampleError(
                f"{clip.id}: the mask of subject {subject.id} is {subject.mask.size} and the frame {clip.frame_size} "
                "(height, width); apply the stages from 'detect' on again after a changed crop"
            )
        found.append(subject.mask)
    return found


def foreground(clip: ClipRecord) -> np.ndarray:
    """Bool [H, W]: where a subject is that no tag of the background names."""
    surroundings = set(clip.tags.get("background", ()))
    covered = np.zeros(clip.frame_size, bool)
    for subject, mask in zip(clip.subjects, masks_of(clip), strict=True):
        if subject.label not in surroundings:
            covered |= decode(mask)
    return covered
