"""Accuracy of a quality scorer in ranking clean videos of held-out scenes above broken ones, by the metric."""

from __future__ import annotations

import os

import numpy as np

from opens2v_hf.embedded.training.held_out_videos import figures_of, scores_of_videos
from opens2v_hf.metrics.motion_smoothness import MotionSmoothness

HELD_OUT_SEED = 700_000
"""First of the held-out scenes: far from the training's, and from the sample's."""


def evaluate_quality_scorer(
    scorer: str | os.PathLike[str], *, num_scenes: int = 20, first_seed: int = HELD_OUT_SEED
) -> dict[str, float]:
    """Score every held-out scene, clean and broken.

    Returns:
        `held_out_videos.figures_of` the smoothness, and "quality <fault>", the mean quality of all windows.
    """
    metric = MotionSmoothness.from_pretrained(scorer, device="cpu")
    scores = scores_of_videos(metric, range(first_seed, first_seed + num_scenes))
    quality = {
        f"quality {name}": float(np.mean([np.mean(score.details["frame_scores"]) for score in several]))
        for name, several in scores.items()
    }
    return figures_of(scores) | quality
