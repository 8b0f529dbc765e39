"""Recall and precision of a detector on held-out synthetic scenes, with the classes that a metric uses."""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import replace

import numpy as np
from PIL import Image

from opens2v_hf.data.synthetic.render import environment_picture, reference_picture, render_frame
from opens2v_hf.data.synthetic.scenes import Sprite, draw_scene, draw_sprite, other_sprite
from opens2v_hf.embedded.training.detector_data import Reference
from opens2v_hf.models.clip_prompt import ClipPromptEncoder
from opens2v_hf.models.yolo_world.detector import YoloWorldDetector

KEPT_SCORE = 0.6
"""Boxes above it count for NexusScore (released code v1.1)."""

MIN_IOU = 0.5
"""Overlap with the true box from which on a subject is found."""

_MIN_VISIBLE_SHARE = 0.4
"""Part of its largest visible area in the film that a subject must show to count as present."""


def evaluate_detector(
    detector: str | os.PathLike[str],
    prompt_encoder: str | os.PathLike[str],
    num_scenes: int = 200,
    first_seed: int = 600_000,
) -> dict[str, float]:
    """Recall of subjects that are there, and false boxes for references to ones that are not.

    Args:
        detector: folder, Hub id or "embedded".
        prompt_encoder: likewise.
        num_scenes: of each of which one frame is searched.
        first_seed: of the scenes; below `scenes.FIRST_TRAINING_SEED` none was trained on.

    Returns:
        "recall_<kind>": share of references to visible subjects that have a box above `KEPT_SCORE` with an IoU above
        `MIN_IOU`, overall ("all"), for scenes with one and with several subjects, and by kind; "false_<why>": share of
        references to absent subjects with a box above `KEPT_SCORE`: "stranger" as the simulated model with the wrong
        subject draws them, "random" of any kind, "near" (one attribute differs), "environment" (the scene's own, which
        has no box); "extra": boxes above `KEPT_SCORE` a reference that are not on its subject.
    """
    finder = YoloWorldDetector.from_pretrained(detector, device="cpu")
    encoder = ClipPromptEncoder.from_pretrained(prompt_encoder, device="cpu")
    hits: dict[str, list[float]] = defaultdict(list)
    for seed in range(first_seed, first_seed + num_scenes):
        rng = np.random.default_rng(seed)
        scene = draw_scene(seed)
        rendered = render_frame(scene, int(rng.integers(scene.num_frames)))
        largest = np.max([render_frame(scene, i).masks.sum((1, 2)) for i in range(0, scene.num_frames, 5)], axis=0)
        queries: list[tuple[Image.Image, tuple[str, ...], np.ndarray | None]] = []
        for sprite, mask, box, full in zip(scene.sprites, rendered.masks, rendered.boxes, largest, strict=True):
            if mask.sum() >= _MIN_VISIBLE_SHARE * full > 0:
                kind = "single" if len(scene.sprites) == 1 else "multi"
                queries.append((_picture(sprite, rng), ("all", kind, sprite.kind), box))
        for why, absent in absent_subjects(scene.sprites, rng).items():
            if not any(Reference(absent).shows(sprite) for sprite in scene.sprites):
                queries.append((_picture(absent, rng), (f"false_{why}",), None))
        queries.append((environment_picture(scene.background), ("false_environment",), None))

        found = finder.detect(
            rendered.image[None], finder.prompts(encoder.embed([picture for picture, _, _ in queries]))
        )
        for (_, names, box), detections in zip(queries, found[0], strict=True):
            kept = detections.boxes[detections.scores > KEPT_SCORE]
            if box is None:
                hits[names[0]].append(float(len(kept) > 0))
                continue
            right = box_overlaps(kept, box) > MIN_IOU
            for name in names:
                hits[f"recall_{name}"].append(float(right.any()))
            hits["extra"].append(float((~right).sum()))
    return {name: float(np.mean(values)) for name, values in sorted(hits.items())}


def _picture(sprite: Sprite, rng: np.random.Generator) -> Image.Image:
    return reference_picture(
        sprite,
        background="white" if rng.random() < 0.5 else "textured",
        crop="face" if sprite.kind == "face" else "whole",
        seed=int(rng.integers(1 << 16)),
    )


def absent_subjects(sprites: tuple[Sprite, ...], rng: np.random.Generator) -> dict[str, Sprite]:
    """Subjects that are, or may be, none of those of a scene; see `evaluate_detector`."""
    sprite = sprites[int(rng.integers(len(sprites)))]
    other = other_sprite(sprite, rng)
    names = ("shape", "colour") if sprite.kind == "object" else ("gender", "hair")
    name = names[int(rng.integers(len(names)))]
    return {
        "stranger": other,
        "random": draw_sprite(rng, ("object", "face", "human")[int(rng.integers(3))]),
        "near": replace(sprite, **{name: getattr(other, name)}),
    }


def box_overlaps(boxes: np.ndarray, box: np.ndarray) -> np.ndarray:
    """IoU of boxes [N, 4] with one box [4]."""
    sides = np.minimum(boxes[:, 2:], box[2:]) - np.maximum(boxes[:, :2], box[:2])
    shared = sides.clip(0).prod(axis=1)
    return shared / ((boxes[:, 2:] - boxes[:, :2]).prod(axis=1) + (box[2:] - box[:2]).prod() - shared)
