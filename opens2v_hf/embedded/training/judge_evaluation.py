"""How well a judge tells clean videos of held-out scenes from broken ones, asked as any user asks it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from opens2v_hf.data.synthetic.corruptions import CORRUPTIONS, corrupt
from opens2v_hf.data.synthetic.scenes import draw_scene
from opens2v_hf.data.synthetic.simulated import simulate
from opens2v_hf.errors import JudgeError
from opens2v_hf.metrics.base import score_clip
from opens2v_hf.metrics.naturalscore import NaturalScore
from opens2v_hf.video.writer import write_video

HELD_OUT_SEED = 500_000
"""First of the held-out scenes: far from the training's, and from the sample's."""

STRENGTH = 0.7
SHARE = 0.5


def evaluate_judge(
    judge: str | os.PathLike[str], *, num_scenes: int = 40, protocol: str = "released"
) -> dict[str, float]:
    """Score every held-out scene, clean and broken, through files and `NaturalScore`.

    Args:
        judge: as `load_judge` takes it.
        num_scenes: held-out scenes.
        protocol: of `NaturalScore`.

    Returns:
        For each fault: the share of scenes in which the clean video scores higher ("clean > noise"), and the mean score
        ("mean noise"); "mean clean".
    """
    metric = NaturalScore.from_pretrained(judge, protocol=protocol, device="cpu")
    scores: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        for seed in range(HELD_OUT_SEED, HELD_OUT_SEED + num_scenes):
            for name, frames in held_out_videos(seed).items():
                write_video(path, frames, fps=8)
                score = score_clip(metric, path)
                if score.value is None:
                    raise JudgeError(f"scene {seed}, {name}: {score.reason}")
                scores.setdefault(name, []).append(score.value)
    clean = np.array(scores.pop("clean"))
    figures = {"mean clean": float(clean.mean())}
    for name, values in scores.items():
        figures[f"clean > {name}"] = float((clean > np.array(values)).mean())
        figures[f"mean {name}"] = float(np.mean(values))
    return figures


def held_out_videos(seed: int) -> Mapping[str, Iterator[np.ndarray]]:
    """The clean video of a scene and its broken ones: half of the frames broken, or a simulated model's fault."""
    scene = draw_scene(seed)
    clean = np.stack(list(simulate("perfect", scene)))
    rng = np.random.default_rng(seed)
    affected = rng.choice(len(clean), round(SHARE * len(clean)), replace=False).tolist()
    broken = {
        kind: corrupt(clean, kind, affected=affected, strength=STRENGTH, seed=(seed, number))
        for number, kind in enumerate(CORRUPTIONS)
    }
    simulated = {model: simulate(model, scene) for model in ("flicker", "corrupted_frames")}
    return {"clean": iter(clean)} | {name: iter(frames) for name, frames in broken.items()} | simulated
