"""Accuracy of an aesthetic model in ranking clean videos of held-out scenes above broken ones, by the public API."""

from __future__ import annotations

import os

from opens2v_hf.embedded.training.held_out_videos import HELD_OUT_SEED, figures_of, scores_of_videos
from opens2v_hf.metrics.aesthetics import Aesthetics

UNSEEN = ("flicker",)
"""Faults that no single frame shows."""


def evaluate_aesthetics(
    encoder: str | os.PathLike[str],
    head: str | os.PathLike[str],
    *,
    num_scenes: int = 40,
    first_seed: int = HELD_OUT_SEED,
) -> dict[str, float]:
    """Score held-out scenes, clean and broken, with `Aesthetics`."""
    metric = Aesthetics.from_pretrained(encoder, head, num_frames=8, device="cpu")
    return figures_of(scores_of_videos(metric, range(first_seed, first_seed + num_scenes), unseen=UNSEEN))
