"""Clean and broken videos of held-out scenes, scored from files by the public API."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from opens2v_hf.data.synthetic.corruptions import CORRUPTIONS, corrupt
from opens2v_hf.data.synthetic.scenes import draw_scene
from opens2v_hf.data.synthetic.simulated import simulate
from opens2v_hf.errors import VideoError
from opens2v_hf.metrics.base import Metric, score_clip
from opens2v_hf.scores.outcome import VideoScore
from opens2v_hf.video.writer import write_video

HELD_OUT_SEED = 500_000
"""First of the held-out scenes: far from the training's, and from the sample's."""

STRENGTH = 0.7
SHARE = 0.5


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
