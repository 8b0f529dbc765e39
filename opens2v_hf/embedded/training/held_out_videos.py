"""Accuracy of the models of single videos in ranking clean videos of held-out scenes above broken ones."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from opens2v_hf.data.synthetic.corruptions import CORRUPTIONS, corrupt
from opens2v_hf.data.synthetic.scenes import draw_scene
from opens2v_hf.data.synthetic.simulated import simulate
from opens2v_hf.errors import VideoError
from opens2v_hf.metrics.aesthetics import Aesthetics
from opens2v_hf.metrics.base import Metric, score_clip
from opens2v_hf.metrics.motion_smoothness import MotionSmoothness
from opens2v_hf.metrics.naturalscore import NaturalScore
from opens2v_hf.scores.outcome import VideoScore
from opens2v_hf.video.writer import write_video

HELD_OUT_SEED = 500_000
"""First of the held-out scenes: far from the training's, and from the sample's."""

QUALITY_SEED = 700_000
"""Likewise, for the quality scorer."""

STRENGTH = 0.7
SHARE = 0.5


def evaluate_judge(
    judge: str | os.PathLike[str], *, num_scenes: int = 40, protocol: str = "released"
) -> dict[str, float]:
    """Score every held-out scene, clean and broken, with `NaturalScore`."""
    metric = NaturalScore.from_pretrained(judge, protocol=protocol, device="cpu")
    return figures_of(scores_of_videos(metric, range(HELD_OUT_SEED, HELD_OUT_SEED + num_scenes)))


def evaluate_aesthetics(
    encoder: str | os.PathLike[str],
    head: str | os.PathLike[str],
    *,
    num_scenes: int = 40,
    first_seed: int = HELD_OUT_SEED,
) -> dict[str, float]:
    """Score held-out scenes, clean and broken, with `Aesthetics`."""
    # no single frame shows a flicker
    metric = Aesthetics.from_pretrained(encoder, head, num_frames=8, device="cpu")
    return figures_of(scores_of_videos(metric, range(first_seed, first_seed + num_scenes), unseen=("flicker",)))


def evaluate_quality_scorer(
    scorer: str | os.PathLike[str], *, num_scenes: int = 20, first_seed: int = QUALITY_SEED
) -> dict[str, float]:
    """Score every held-out scene, clean and broken.

    Returns:
        `figures_of` the smoothness, and "quality <fault>", the mean quality of all windows.
    """
    metric = MotionSmoothness.from_pretrained(scorer, device="cpu")
    scores = scores_of_videos(metric, range(first_seed, first_seed + num_scenes))
    quality = {
        f"quality {name}": float(np.mean([np.mean(score.details["frame_scores"]) for score in several]))
        for name, several in scores.items()
    }
    return figures_of(scores) | quality


def scores_of_videos(
    metric: Metric[Any], seeds: Iterable[int], *, unseen: Collection[str] = ()
) -> dict[str, list[VideoScore]]:
    """Score the videos of scenes.

    Args:
        metric: that needs no reference.
        seeds: of the scenes.
        unseen: faults that are left out.

    Returns:
        Scores of the scenes, in their order, by fault; those of the videos without one are "clean".

    Raises:
        VideoError: a video that was written here has no score.
    """
    scores: dict[str, list[VideoScore]] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        for seed in seeds:
            for name, frames in held_out_videos(seed).items():
                if name in unseen:
                    continue
                write_video(path, frames, fps=8)
                score = score_clip(metric, path)
                if score.value is None:
                    raise VideoError(f"scene {seed}, {name}: {score.reason}")
                scores.setdefault(name, []).append(score)
    return scores


def figures_of(scores: Mapping[str, list[VideoScore]]) -> dict[str, float]:
    """Compare broken videos with the clean ones of their scenes.

    Returns:
        For each fault: the share of scenes in which the clean video has the higher score ("clean > noise"), and the
        mean score ("mean noise"); "mean clean".
    """
    values = {name: np.array([score.value for score in several]) for name, several in scores.items()}
    clean = values["clean"]
    means = {f"mean {name}": float(value.mean()) for name, value in values.items()}
    return means | {f"clean > {name}": float((clean > values[name]).mean()) for name in values if name != "clean"}


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
