"""What a text detector finds on held-out synthetic scenes, asked as the pipeline asks it."""

from __future__ import annotations

import os
from collections import defaultdict

import numpy as np

from opens2v_hf.data.synthetic.render import render_frame
from opens2v_hf.data.synthetic.scenes import draw_scene, label, phrase
from opens2v_hf.embedded.training.detector_evaluation import MIN_IOU, absent_subjects, box_overlaps
from opens2v_hf.models.text_detector.base import Detections
from opens2v_hf.models.text_detector.loading import load_text_detector

_MIN_VISIBLE_PX = 150


def evaluate_text_detector(
    detector: str | os.PathLike[str], num_scenes: int = 200, first_seed: int = 600_000
) -> dict[str, float]:
    """Ask for all subjects in one frame of each scene, and for as many kinds of things that are not there.

    Args:
        detector: as `load_text_detector` takes it.
        num_scenes: held-out scenes.
        first_seed: of the scenes; below `scenes.FIRST_TRAINING_SEED` none was trained on.

    Returns:
        "right": share of tags whose best box has an IoU above 0.5 with the subject; "recall_label": share of class
        names ("star") with such a box for each subject of the class; "false_<why>": share of tags of absent subjects
        with a box: "near" (one attribute differs), "stranger", "random", "environment" (a background's name without
        its article); "false": the mean over half near and half other ones, "stranger" and "random".
    """
    finder = load_text_detector(detector, device="cpu")
    hits: dict[str, list[float]] = defaultdict(list)
    for seed in range(first_seed, first_seed + num_scenes):
        rng = np.random.default_rng(seed)
        scene = draw_scene(seed)
        rendered = render_frame(scene, int(rng.integers(scene.num_frames)))
        names = {phrase(sprite) for sprite in scene.sprites}
        for sprite, mask, box in zip(scene.sprites, rendered.masks, rendered.boxes, strict=True):
            if mask.sum() < _MIN_VISIBLE_PX:
                continue
            found = finder.detect(rendered.image, [phrase(sprite)])
            hits["right"].append(float(len(found) > 0 and _overlaps(found, box)[0] > MIN_IOU))
            found = finder.detect(rendered.image, [label(sprite).lower()])
            hits["recall_label"].append(float((_overlaps(found, box) > MIN_IOU).any()))
        absent = {why: phrase(other) for why, other in absent_subjects(scene.sprites, rng).items()}
        for why, words in {**absent, "environment": phrase(scene.background).partition(" ")[2]}.items():
            if words not in names:
                hits[f"false_{why}"].append(float(len(finder.detect(rendered.image, [words])) > 0))
    figures = {name: float(np.mean(values)) for name, values in sorted(hits.items())}
    others = (figures["false_stranger"] + figures["false_random"]) / 2
    return {**figures, "false": (figures["false_near"] + others) / 2}


def _overlaps(found: Detections, box: np.ndarray) -> np.ndarray:
    return box_overlaps(np.array([item.box_xyxy for item in found]).reshape(-1, 4), box)
