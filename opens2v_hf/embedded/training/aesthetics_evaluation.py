"""How well an aesthetic model tells clean videos of held-out scenes from broken ones, asked as any user asks it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import numpy as np

from opens2v_hf.embedded.training.judge_evaluation import HELD_OUT_SEED, held_out_videos
from opens2v_hf.errors import VideoError
from opens2v_hf.metrics.aesthetics import Aesthetics
from opens2v_hf.metrics.base import score_clip
from opens2v_hf.video.writer import write_video

UNSEEN = ("flicker",)
"""Faults that no single frame shows."""


def evaluate_aesthetics(
    encoder: str | os.PathLike[str],
    head: str | os.PathLike[str],
    *,
    num_scenes: int = 40,
    first_seed: int = HELD_OUT_SEED,
) -> dict[str, float]:
    """Score held-out scenes, clean and broken, through files and `Aesthetics`.

    Args:
        encoder: as `AestheticEncoder.from_pretrained` takes it.
        head: as `AestheticHead.from_pretrained` takes it.
        num_scenes: held-out scenes.
        first_seed: of them.

    Returns:
        For each fault: the share of scenes in which the clean video scores higher ("clean > noise"), and the mean score
        ("mean noise"); "mean clean".

    Raises:
        VideoError: a video that was written here cannot be scored.
    """
    metric = Aesthetics.from_pretrained(encoder, head, num_frames=8, device="cpu")
    scores: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        for seed in range(first_seed, first_seed + num_scenes):
            for name, frames in held_out_videos(seed).items():
                if name in UNSEEN:
                    continue
                write_video(path, frames, fps=8)
                score = score_clip(metric, path)
                if score.value is None:
                    raise VideoError(f"scene {seed}, {name}: {score.reason}")
                scores.setdefault(name, []).append(score.value)
    clean = np.array(scores.pop("clean"))
    figures = {"mean clean": float(clean.mean())}
    for name, values in scores.items():
        figures[f"clean > {name}"] = float((clean > np.array(values)).mean())
        figures[f"mean {name}"] = float(np.mean(values))
    return figures
