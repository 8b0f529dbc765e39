"""Accuracy of a judge in ranking clean videos of held-out scenes above broken ones, by the public API."""

from __future__ import annotations

import os

from opens2v_hf.embedded.training.held_out_videos import HELD_OUT_SEED, figures_of, scores_of_videos
from opens2v_hf.metrics.naturalscore import NaturalScore


def evaluate_judge(
    judge: str | os.PathLike[str], *, num_scenes: int = 40, protocol: str = "released"
) -> dict[str, float]:
    """Score every held-out scene, clean and broken, with `NaturalScore`."""
    metric = NaturalScore.from_pretrained(judge, protocol=protocol, device="cpu")
    return figures_of(scores_of_videos(metric, range(HELD_OUT_SEED, HELD_OUT_SEED + num_scenes)))
