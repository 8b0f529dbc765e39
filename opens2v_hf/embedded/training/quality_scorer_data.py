"""Training data of the embedded quality scorer: videos of synthetic scenes with broken frames or missing subjects.

Strengths are drawn for every frame, so that the network learns the amount of damage, not only its presence.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from opens2v_hf.data.synthetic.corruptions import CORRUPTIONS
from opens2v_hf.data.synthetic.render import render_video
from opens2v_hf.data.synthetic.scenes import FIRST_TRAINING_SEED, Scene, draw_scene, with_hidden
from opens2v_hf.embedded.training.judge_data import as_decoded, sometimes_empty
from opens2v_hf.embedded.training.optimisation import StepBatches
from opens2v_hf.embedded.training.quality_scorer_network import build_preprocessor
from opens2v_hf.scores.motion_smoothness import windows

VIDEOS_PER_SCENE = 3
FLICKER = "flicker"
SEVERAL = "several"
KINDS = (*CORRUPTIONS, SEVERAL, SEVERAL, FLICKER, FLICKER, FLICKER)
"""Several faults at once is what is worst, and flicker only shows between frames and takes longest to learn."""

GONE_DAMAGE = 0.8
"""Of a frame from which a subject is gone that the window shows in another one."""


@dataclass(frozen=True)
class RatedVideo:
    """A video and how good the window around each of its frames is.

    Attributes:
        frames: uint8 [T, H, W, 3] RGB.
        damages: float32 [T] in [0, 1], of each frame by itself; NaN where a frame alone does not show it.
        qualities: float32 [T] in [0, 1].
    """

    frames: np.ndarray
    damages: np.ndarray
    qualities: np.ndarray


@dataclass(frozen=True)
class QualityBatch:
    """One step's videos.

    Attributes:
        pixels: float32 [B * T, 3, S, S], video after video.
        damages: float32 [B, T] in [0, 1], or NaN.
        qualities: float32 [B, T] in [0, 1].
    """

    pixels: torch.Tensor
    damages: torch.Tensor
    qualities: torch.Tensor


class QualityBatches(StepBatches[QualityBatch]):
    """Batches of training scenes; the same seed and index give the same batch.

    Args:
        seed: of everything.
        steps: batches in all.
        scenes_per_step: each gives `VIDEOS_PER_SCENE` videos, the first of them clean.
        num_frames: of a video, cut out of its scene.
    """

    def __init__(self, seed: int, steps: int, scenes_per_step: int, num_frames: int = 8) -> None:
        super().__init__(seed, steps)
        self._scenes_per_step = scenes_per_step
        self._num_frames = num_frames
        self._preprocess = build_preprocessor()

    def _batch(self, step: int, rng: np.random.Generator) -> QualityBatch:
        # scenes of one's own to every seed, so that a training that starts from another one sees new ones
        first = FIRST_TRAINING_SEED + self.seed * 100_000 + step * self._scenes_per_step
        videos = [
            video
            for number in range(self._scenes_per_step)
            for video in rated_videos(first + number, rng, self._num_frames)
        ]
        frames = [as_decoded(frame, rng) for video in videos for frame in video.frames]
        return QualityBatch(
            pixels=self._preprocess(frames),
            damages=torch.from_numpy(np.stack([video.damages for video in videos])).float(),
            qualities=torch.from_numpy(np.stack([video.qualities for video in videos])),
        )


def rated_videos(seed: int, rng: np.random.Generator, num_frames: int) -> list[RatedVideo]:
    """Some frames of one scene, clean and broken in `VIDEOS_PER_SCENE - 1` ways."""
    scene = sometimes_empty(draw_scene(seed), rng)
    start = int(rng.integers(scene.num_frames - num_frames + 1))
    shown = slice(start, start + num_frames)
    clean = render_video(scene)[shown]
    videos = [RatedVideo(clean, np.zeros(num_frames), np.ones(num_frames, np.float32))]
    for kind in rng.choice(KINDS, size=VIDEOS_PER_SCENE - 1, replace=False):
        if kind == FLICKER and not scene.actors[0].hidden:
            videos.append(_flickering(scene, shown, rng))
        else:
            videos.append(_broken(clean, SEVERAL if kind == FLICKER else str(kind), rng))
    return videos


def window_qualities(damages: np.ndarray, gone: np.ndarray) -> np.ndarray:
    """Target quality of the window around each frame: 1 minus the mean damage of its frames.

    Args:
        damages: [T] in [0, 1].
        gone: bool [T], frames that are damaged by what they do not show; a window of nothing else is a good one,
            since nothing in it shows the damage.

    Returns:
        float32 [T] in [0, 1].
    """
    rows = np.array(windows(len(damages)))
    unseen = gone[rows].all(axis=1, keepdims=True)
    return (1.0 - np.where(unseen, 0.0, damages[rows]).mean(axis=1)).astype(np.float32)


def _broken(clean: np.ndarray, kind: str, rng: np.random.Generator) -> RatedVideo:
    """A beat of broken frames, broken frames here and there, or all of them."""
    count = len(clean)
    affected = rng.random(count) < rng.choice((0.2, 0.5, 1.0))
    affected[int(rng.integers(count))] = True
    frames, damages = clean.copy(), np.zeros(count)
    middle = rng.uniform(0.3, 1.0)
    for index in np.flatnonzero(affected):
        kinds = ("noise", "blocks") if kind == SEVERAL else (kind,)
        strengths = np.clip(middle + rng.uniform(-0.3, 0.3, size=len(kinds)), 0.15, 1.0)
        for name, strength in zip(kinds, strengths, strict=True):
            frames[index] = CORRUPTIONS[name](frames[index], rng, float(strength))
        damages[index] = 0.8 * strengths.mean() if kind == SEVERAL else 0.1 + 0.6 * strengths[0]
    return RatedVideo(frames, damages, window_qualities(damages, np.zeros(count, bool)))


def _flickering(scene: Scene, shown: slice, rng: np.random.Generator) -> RatedVideo:
    """Subjects come and go, in a beat or at random."""
    if rng.random() < 0.6:
        period = int(rng.integers(2, 7))
        gone = (np.arange(scene.num_frames) + int(rng.integers(period))) % period < int(rng.integers(1, period))
    else:
        gone = rng.random(scene.num_frames) < rng.uniform(0.2, 0.7)
    hidden = frozenset(np.flatnonzero(gone).tolist())
    who = range(len(scene.actors)) if rng.random() < 0.7 else [int(rng.integers(len(scene.actors)))]
    for actor in who:
        scene = with_hidden(scene, actor, hidden)
    gone = gone[shown]
    damages = np.where(gone, GONE_DAMAGE * len(list(who)) / len(scene.actors), 0.0)
    alone = np.where(gone, np.nan, 0.0)
    return RatedVideo(render_video(scene)[shown], alone, window_qualities(damages, gone))
