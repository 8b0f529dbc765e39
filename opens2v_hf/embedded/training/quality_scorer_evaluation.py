"""How well a quality scorer tells clean videos of held-out scenes from broken ones, through files and the metric."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import numpy as np

from opens2v_hf.embedded.training.judge_evaluation import held_out_videos
from opens2v_hf.errors import ModelError
from opens2v_hf.metrics.base import score_clip
from opens2v_hf.metrics.motion_smoothness import MotionSmoothness
from opens2v_hf.video.writer import write_video

HELD_OUT_SEED = 700_000
"""First of the held-out scenes: far from the training's, and from the sample's."""


def evaluate_quality_scorer(
    scorer: str | os.PathLike[str], *, num_scenes: int = 20, first_seed: int = HELD_OUT_SEED
) -> dict[str, float]:
    """Score every held-out scene, clean and broken.

    Args:
        scorer: as `QAlignScorer.from_pretrained` takes it.
        num_scenes: held-out scenes.
        first_seed: of them.

    Returns:
        For each fault: the share of scenes in which the clean video is smoother ("clean > noise"), and the mean
        smoothness ("mean noise"); "mean clean", and "quality <fault>", the mean quality of all windows.
    """
    metric = MotionSmoothness.from_pretrained(scorer, device="cpu")
    smooth: dict[str, list[float]] = {}
    quality: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        for seed in range(first_seed, first_seed + num_scenes):
            for name, frames in held_out_videos(seed).items():
                write_video(path, frames, fps=8)
                score = score_clip(metric, path)
                if score.value is None:
                    raise ModelError(f"scene {seed}, {name}: {score.reason}")
                smooth.setdefault(name, []).append(score.value)
                quality.setdefault(name, []).append(float(np.mean(score.details["frame_scores"])))
    clean = np.array(smooth["clean"])
    figures = {f"quality {name}": float(np.mean(values)) for name, values in quality.items()}
    for name, values in smooth.items():
        figures[f"mean {name}"] = float(np.mean(values))
        if name != "clean":
            figures[f"clean > {name}"] = float((clean > np.array(values)).mean())
    return figures
