"""Training data of the embedded judge: clean and broken videos of synthetic scenes, and the damage of each frame."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

from opens2v_hf.data.synthetic.corruptions import CORRUPTIONS, corrupt
from opens2v_hf.data.synthetic.render import render_video
from opens2v_hf.data.synthetic.scenes import FIRST_TRAINING_SEED, Scene, draw_scene, with_hidden
from opens2v_hf.data.synthetic.simulated import simulate
from opens2v_hf.embedded.training.embedder_network import Pictures
from opens2v_hf.embedded.training.judge_network import build_image_processor
from opens2v_hf.embedded.training.optimisation import StepBatches
from opens2v_hf.metrics.naturalscore import NUM_FRAMES

CLEAN = 5.0
UNKNOWN = float("nan")
"""The level of a frame that cannot be judged by the frames before it."""

CLIPS_PER_SCENE = 4
FLICKER = "flicker"
MIXED = "corrupted_frames"
KINDS = (*CORRUPTIONS, FLICKER, FLICKER, MIXED)
"""Flicker twice: it only shows between frames, and takes longest to learn."""


@dataclass(frozen=True)
class LabelledClip:
    """A video and its levels.

    Attributes:
        frames: uint8 [T, H, W, 3] RGB.
        frame_levels: float32 [T] in [1, 5], or NaN.
        level: of the whole, in [1, 5].
    """

    frames: np.ndarray
    frame_levels: np.ndarray
    level: float


@dataclass(frozen=True)
class JudgeBatch:
    """One step's clips, all of one number of frames.

    Attributes:
        pictures: of all clips, clip after clip.
        frame_levels: float32 [B, T] in [1, 5], or NaN.
        levels: float32 [B] in [1, 5].
        num_frames: T.
        num_lines: lines of the rubric that this step pretends to have.
    """

    pictures: Pictures
    frame_levels: torch.Tensor
    levels: torch.Tensor
    num_frames: int
    num_lines: int


class JudgeBatches(StepBatches[JudgeBatch]):
    """Batches of training scenes; the same seed and index give the same batch.

    Args:
        seed: of everything.
        steps: batches in all.
        scenes_per_step: each gives `CLIPS_PER_SCENE` clips, the first of them clean.
    """

    def __init__(self, seed: int, steps: int, scenes_per_step: int) -> None:
        super().__init__(seed, steps)
        self._scenes_per_step = scenes_per_step
        self._processor = build_image_processor()

    def _batch(self, step: int, rng: np.random.Generator) -> JudgeBatch:
        num_frames = NUM_FRAMES if rng.random() < 0.8 else int(rng.integers(6, NUM_FRAMES))
        clips = [
            clip
            for number in range(self._scenes_per_step)
            for clip in labelled_clips(FIRST_TRAINING_SEED + step * self._scenes_per_step + number, rng)
        ]
        # a shorter clip has every other frame, or the first ones
        picked = slice(0, 2 * num_frames, 2) if 2 * num_frames <= NUM_FRAMES else slice(0, num_frames)
        frames = [Image.fromarray(as_decoded(frame, rng)) for clip in clips for frame in clip.frames[picked]]
        shown = self._processor(images=frames, return_tensors="pt")
        return JudgeBatch(
            pictures=Pictures(shown["pixel_values"], shown["image_grid_thw"]),
            frame_levels=torch.from_numpy(np.stack([clip.frame_levels[picked] for clip in clips])).float(),
            levels=torch.tensor([clip.level for clip in clips]),
            num_frames=len(clips[0].frames[picked]),
            num_lines=int(rng.integers(1, 40)),
        )


def sometimes_empty(scene: Scene, rng: np.random.Generator) -> Scene:
    """A scene, now and then without its actors: an empty frame is no fault, only appearing and vanishing is one."""
    if rng.random() < 0.15:
        for index in range(len(scene.actors)):
            scene = with_hidden(scene, index)
    return scene


def labelled_clips(seed: int, rng: np.random.Generator) -> list[LabelledClip]:
    """One scene, clean and broken in `CLIPS_PER_SCENE - 1` ways."""
    scene = sometimes_empty(draw_scene(seed, num_frames=NUM_FRAMES), rng)
    frames = render_video(scene)
    clips = [LabelledClip(frames, np.full(NUM_FRAMES, CLEAN), CLEAN)]
    for kind in rng.choice(KINDS, size=CLIPS_PER_SCENE - 1, replace=False):
        if kind != FLICKER:
            clips.append(_broken(scene, frames, str(kind), rng))
        elif not scene.actors[0].hidden:
            clips.append(_flickering(scene, rng))
        else:
            clips.append(_broken(scene, frames, str(rng.choice(list(CORRUPTIONS))), rng))
    return clips


def as_decoded(frame: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A frame with the traces of compression that a video file leaves; as JPEG, which is faster to make."""
    buffer = io.BytesIO()
    Image.fromarray(frame).save(buffer, format="JPEG", quality=int(rng.integers(75, 96)), subsampling=2)
    return np.asarray(Image.open(buffer))


def damage_level(strength: float, share: float) -> float:
    """The level of a video whose frames are broken: from 4 (little, in few frames) to 1 (badly, everywhere)."""
    return float(np.clip(4.2 - 3.2 * strength * (0.4 + 0.6 * share), 1.0, 4.0))


def _broken(scene: Scene, frames: np.ndarray, kind: str, rng: np.random.Generator) -> LabelledClip:
    count = len(frames)
    if kind == MIXED:
        return LabelledClip(np.stack(list(simulate(MIXED, scene))), np.full(count, 1.0), 1.0)
    strength, share = float(rng.uniform(0.3, 1.0)), float(rng.uniform(0.3, 1.0))
    size = max(1, round(share * count))
    start = int(rng.integers(count - size + 1))
    affected = range(start, start + size) if rng.random() < 0.5 else rng.choice(count, size, replace=False).tolist()
    levels = np.full(count, CLEAN)
    levels[list(affected)] = damage_level(strength, 1.0)
    broken = corrupt(frames, kind, affected=affected, strength=strength, seed=(scene.seed, int(rng.integers(1 << 30))))
    return LabelledClip(broken, levels, damage_level(strength, size / count))


def _flickering(scene: Scene, rng: np.random.Generator) -> LabelledClip:
    """Subjects come and go, in a beat or at random."""
    count = scene.num_frames
    if rng.random() < 0.6:
        period = int(rng.integers(2, 7))
        gone_for = int(rng.integers(1, period))
        gone = (np.arange(count) + int(rng.integers(period))) % period < gone_for
    else:
        gone = rng.random(count) < rng.uniform(0.25, 0.7)
        gone[rng.integers(1, count - 1)] = True
    gone[rng.integers(count // 2)] = False
    hidden = frozenset(np.flatnonzero(gone).tolist())
    who = range(len(scene.actors)) if rng.random() < 0.7 else [int(rng.integers(len(scene.actors)))]
    for index in who:
        scene = with_hidden(scene, index, hidden)
    levels = np.where(gone, 1.5, CLEAN)
    # before a subject has appeared, it cannot be missing
    levels[: int(np.argmin(gone))] = UNKNOWN
    return LabelledClip(render_video(scene), levels, 1.5 if len(list(who)) == len(scene.actors) else 2.5)
