"""Batches for the embedded segmenter: frames of scenes, boxes in them, and the masks of what the boxes show."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from opens2v_hf.data.synthetic.render import Rendered, render_frame
from opens2v_hf.data.synthetic.scenes import FIRST_TRAINING_SEED, draw_scene
from opens2v_hf.embedded.training.detector_data import worn
from opens2v_hf.embedded.training.optimisation import StepBatches
from opens2v_hf.models.segmenter.preprocess import square_boxes, square_pixels

MIN_VISIBLE_PX = 60
"""Subjects with a smaller visible part get no box."""

_BOX_ERROR = 0.03
"""Standard deviation of a box's sides, in parts of its width and height, as a detector may give it."""


@dataclass(frozen=True)
class SegmenterBatch:
    """P pictures, with K boxes in each.

    Attributes:
        pictures: float32 [P, 3, S, S], normalised.
        boxes: float32 [P, K, 4], xyxy in pixels of the square.
        masks: float32 [P, K, H, W], 1 where the subject is, in pixels of the frame.
    """

    pictures: torch.Tensor
    boxes: torch.Tensor
    masks: torch.Tensor


class SegmenterBatches(StepBatches[SegmenterBatch]):
    """A map from a step's number to its batch.

    Args:
        seed: of all choices.
        num_steps: length of the training.
        num_pictures: in a batch.
        num_boxes: of each picture; the same one twice if there is only one.
        image_size: side of a picture as the network sees it.
    """

    def __init__(self, seed: int, num_steps: int, num_pictures: int, num_boxes: int, image_size: int) -> None:
        super().__init__(seed, num_steps)
        self.num_pictures, self.num_boxes, self.image_size = num_pictures, num_boxes, image_size

    def _batch(self, step: int, rng: np.random.Generator) -> SegmenterBatch:
        first = FIRST_TRAINING_SEED + (self.seed * self.num_steps + step) * self.num_pictures
        pictures, boxes, masks = [], [], []
        for number in range(self.num_pictures):
            rendered, seen = _frame_with_subjects(first + number, rng)
            chosen = rng.choice(seen, self.num_boxes)
            given = rendered.boxes[chosen]
            if rng.random() < 0.6:
                given = shaken(given, _BOX_ERROR, rng)
            height, width = rendered.image.shape[:2]
            pictures.append(square_pixels(worn(rendered.image, rng), self.image_size))
            boxes.append(square_boxes(given, height, width, self.image_size))
            masks.append(torch.from_numpy(rendered.masks[chosen]).float())
        return SegmenterBatch(torch.stack(pictures), torch.stack(boxes), torch.stack(masks))


def _frame_with_subjects(seed: int, rng: np.random.Generator) -> tuple[Rendered, np.ndarray]:
    """A frame of a scene in which something can be seen, and the positions of what can."""
    scene = draw_scene(seed)
    for frame_index in rng.permutation(scene.num_frames):
        rendered = render_frame(scene, int(frame_index))
        seen = np.flatnonzero(rendered.masks.sum(axis=(1, 2)) >= MIN_VISIBLE_PX)
        if seen.size:
            return rendered, seen
    # behind its occluder all the time
    return _frame_with_subjects(seed + FIRST_TRAINING_SEED, rng)


def shaken(boxes: np.ndarray, error: float, rng: np.random.Generator) -> np.ndarray:
    """Boxes whose sides are off by a normal error.

    Args:
        boxes: float32 [N, 4], xyxy.
        error: standard deviation in parts of a box's width and height.
        rng: where the errors come from.
    """
    sides = np.tile(boxes[:, 2:] - boxes[:, :2], 2)
    return (boxes + rng.normal(0, error, boxes.shape) * sides).astype(np.float32)
