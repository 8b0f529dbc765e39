"""Training data of the embedded aesthetic model: frames of synthetic scenes, clean and broken, and their ratings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from opens2v_hf.data.synthetic.corruptions import CORRUPTIONS
from opens2v_hf.data.synthetic.render import render_frame
from opens2v_hf.data.synthetic.scenes import FIRST_TRAINING_SEED, draw_scene
from opens2v_hf.data.synthetic.simulated import simulate
from opens2v_hf.embedded.training.judge_data import CLEAN, as_decoded, damage_level, sometimes_empty
from opens2v_hf.embedded.training.optimisation import StepBatches

FRAMES_PER_SCENE = 4
SIDE_PX = 112
"""Of a frame as the encoder sees it: the short side of the sample's videos, so that no noise is smoothed away."""

_FRAMES = 8
_RATED = (3.5, 6.5)
"""Ratings of the worst frame and of a clean one, within the range that the leaderboard scales."""


@dataclass(frozen=True)
class AestheticBatch:
    """One step's frames, scene after scene, the clean one of each first.

    Attributes:
        pixels: float32 [B, 3, `SIDE_PX`, `SIDE_PX`], as the encoder's processor gives them.
        ratings: float32 [B].
    """

    pixels: torch.Tensor
    ratings: torch.Tensor


class AestheticBatches(StepBatches[AestheticBatch]):
    """Batches of training scenes; the same seed and index give the same batch.

    Args:
        seed: of everything.
        steps: batches in all.
        scenes_per_step: each gives `FRAMES_PER_SCENE` frames.
    """

    def __init__(self, seed: int, steps: int, scenes_per_step: int) -> None:
        super().__init__(seed, steps)
        self._scenes_per_step = scenes_per_step
        self._processor = build_image_processor()

    def _batch(self, step: int, rng: np.random.Generator) -> AestheticBatch:
        rated = [
            pair
            for number in range(self._scenes_per_step)
            for pair in rated_frames(FIRST_TRAINING_SEED + step * self._scenes_per_step + number, rng)
        ]
        pictures = [Image.fromarray(as_decoded(frame, rng)) for frame, _ in rated]
        return AestheticBatch(
            pixels=self._processor(pictures, return_tensors="pt")["pixel_values"],
            ratings=torch.tensor([rating for _, rating in rated]),
        )


def build_image_processor() -> CLIPImageProcessorPil:
    """The processor of the encoder."""
    return CLIPImageProcessorPil(size={"shortest_edge": SIDE_PX}, crop_size={"height": SIDE_PX, "width": SIDE_PX})


def rated_frames(seed: int, rng: np.random.Generator) -> list[tuple[np.ndarray, float]]:
    """A frame of one scene, clean and broken in `FRAMES_PER_SCENE - 1` ways, with their ratings."""
    scene = sometimes_empty(draw_scene(seed, num_frames=_FRAMES), rng)
    clean = render_frame(scene, int(rng.integers(_FRAMES))).image
    corrupted = next(simulate("corrupted_frames", scene))
    rated = [(clean, rating_of(CLEAN)), (corrupted, rating_of(1.0))]
    for kind in rng.choice(list(CORRUPTIONS), size=FRAMES_PER_SCENE - 2, replace=False):
        strength = float(rng.uniform(0.3, 1.0))
        rated.append((CORRUPTIONS[str(kind)](clean, rng, strength), rating_of(damage_level(strength, 1.0))))
    return rated


def rating_of(level: float) -> float:
    """The rating of a frame by its level 1..5, see `judge_data`.

    >>> rating_of(1.0), rating_of(3.0), rating_of(5.0)
    (3.5, 5.0, 6.5)
    """
    low, high = _RATED
    return low + (high - low) * (level - 1.0) / (CLEAN - 1.0)
