"""An explanation made by hand: two references in eight sampled frames, without a model."""

import numpy as np
from PIL import Image

from opens2v_hf.reports.explanation import Explanation, ReferenceView
from opens2v_hf.scores.nexus import NexusBox, Thresholds, Verdict
from opens2v_hf.scores.outcome import VideoScore

CUP_FRAMES = (0.8, 0.9, 0.7, 0.6)
"""Kept similarities of the cup in frames 0 to 3; their mean is 0.75."""

NUM_FRAMES = 8
FRAMES_WITH_BOX = 6
"""0 to 3 by the cup; 4 and 5 by boxes that are dropped."""


def box(frame, reference, verdict=Verdict.KEPT, *, score=0.9, g_i=0.5, g_t=0.5, corners=(10.0, 8.0, 60.0, 44.0)):
    return NexusBox(frame, reference, corners, score, g_i, g_t, verdict)


def hand_made_boxes():
    """Kept: the cup in frames 0-3. Dropped: the dog in 1 (score), 4 (label) and 5 (label, below it no pixel)."""
    return (
        box(0, 0, g_i=0.8),
        box(1, 0, g_i=0.9),
        box(1, 1, Verdict.LOW_BOX_SCORE, score=0.55, corners=(50.0, 20.0, 90.0, 60.0)),
        box(2, 0, g_i=0.7),
        box(3, 0, g_i=0.6),
        box(4, 1, Verdict.LOW_TEXT_SIMILARITY, score=0.8, g_t=0.1, corners=(50.0, 20.0, 90.0, 60.0)),
        box(5, 1, Verdict.LOW_TEXT_SIMILARITY, score=0.8, g_t=0.2, corners=(50.0, 20.0, 90.0, 60.0)),
        box(5, 1, Verdict.EMPTY_CROP, score=0.7, g_i=None, g_t=None, corners=(50.2, 20.0, 50.4, 60.0)),
    )


def hand_made(
    boxes=None,
    *,
    outcome=None,
    labels=("Cup", "Dog"),
    texts=None,
    variant="released",
    title="clip.mp4",
    sample_id="singleobj_1",
    note="",
):
    """24 frames at 12 fps, of which every third is sampled."""
    boxes = hand_made_boxes() if boxes is None else tuple(boxes)
    texts = labels if texts is None else texts
    pictures = [Image.new("RGB", (40, 30), color) for color in ("#a03020", "#2050a0")]
    indices = tuple(range(0, 24, 3))
    ramp = np.linspace(60, 200, 96).astype(np.uint8)
    frame = Image.fromarray(np.repeat(np.tile(ramp, (64, 1))[..., None], 3, axis=2))
    return Explanation(
        title=title,
        sample_id=sample_id,
        outcome=VideoScore.scored(0.125) if outcome is None else outcome,
        variant=variant,
        thresholds=Thresholds(),
        boxes=boxes,
        references=tuple(
            ReferenceView.of(boxes, position, label, text, picture, num_frames=NUM_FRAMES)
            for position, (label, text, picture) in enumerate(zip(labels, texts, pictures, strict=False))
        ),
        frame_indices=indices,
        fps=12.0,
        size=(96, 64),
        frames=dict.fromkeys(indices, frame),
        models=({"role": "detector", "name": "some-detector", "revision": "abc", "dtype": "float32", "device": "cpu"},),
        options={"variant": variant},
        note=note,
    )
