"""IoU of a segmenter for the subjects of held-out scenes, called as in the pipeline."""

from __future__ import annotations

import os

import numpy as np

from opens2v_hf.data.synthetic.render import render_frame
from opens2v_hf.data.synthetic.scenes import draw_scene
from opens2v_hf.embedded.training.segmenter_data import MIN_VISIBLE_PX, shaken
from opens2v_hf.models.segmenter.sam import SamSegmenter

HELD_OUT_SEED = 500_000
"""First of the held-out scenes: far from the training's, and from the sample's."""

BOX_ERRORS = (0.0, 0.03, 0.06)
"""Standard deviation of the shift of boxes, in parts of their width and height."""


def evaluate_segmenter(segmenter: str | os.PathLike[str], *, num_scenes: int = 120) -> dict[str, float]:
    """Segment every subject in one frame of each held-out scene.

    Returns:
        Mean IoU with the true masks in the true boxes ("mean IoU"), its median and 10 % quantile, the share of masks
        from 0.9 on, and the mean IoU in boxes that are off by 3 % and 6 % of their sides.
    """
    network = SamSegmenter.from_pretrained(segmenter, device="cpu")
    rng = np.random.default_rng(5)
    found: dict[float, list[float]] = {error: [] for error in BOX_ERRORS}
    for seed in range(HELD_OUT_SEED, HELD_OUT_SEED + num_scenes):
        scene = draw_scene(seed)
        rendered = render_frame(scene, int(rng.integers(scene.num_frames)))
        seen = rendered.masks.sum(axis=(1, 2)) >= MIN_VISIBLE_PX
        for error, values in found.items():
            masks = network.segment(rendered.image, shaken(rendered.boxes[seen], error, rng)).masks
            values += [_iou(mask, truth) for mask, truth in zip(masks, rendered.masks[seen], strict=True)]
    exact = np.array(found[0.0])
    figures = {
        "mean IoU": exact.mean(),
        "median IoU": np.median(exact),
        "10 % quantile of IoU": np.quantile(exact, 0.1),
        "IoU >= 0.9": (exact >= 0.9).mean(),
        "mean IoU, boxes off by 3 %": np.mean(found[0.03]),
        "mean IoU, boxes off by 6 %": np.mean(found[0.06]),
    }
    return {name: float(value) for name, value in figures.items()}


def _iou(mask: np.ndarray, truth: np.ndarray) -> float:
    return float((mask & truth).sum() / (mask | truth).sum())
