"""Recall and false alarms of a text detector on held-out synthetic scenes, called as in the pipeline."""

from __future__ import annotations

import os
from collections import defaultdict

import numpy as np

from opens2v_hf.data.synthetic.render import render_frame
from opens2v_hf.data.synthetic.scenes import draw_scene, label, phrase
from opens2v_hf.embedded.training.detector_evaluation import MIN_IOU, absent_subjects, box_overlaps
from opens2v_hf.models.text_detector.base import Detections, TextDetector
from opens2v_hf.models.text_detector.loading import load_text_detector

_MIN_VISIBLE_PX = 150
_THRESHOLDS = [number / 200 for number in range(10, 200)]


def evaluate_text_detector(
    detector: str | os.PathLike[str], num_scenes: int = 300, first_seed: int = 600_000
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
    return figures_at(scores_of(load_text_detector(detector, device="cpu"), num_scenes, first_seed), 0)


def scores_of(finder: TextDetector, num_scenes: int, first_seed: int) -> dict[str, np.ndarray]:
    """The score above which each question of `evaluate_text_detector` counts for its figure.

    Returns:
        By the names of the figures without "false", float64 [number of questions] in 0..1: of a tag the score of its
        best box, 0 if that is wrong; of a label the best score of a right box; of absent things the best score. 0 if
        there is no box.
    """
    found_scores: dict[str, list[float]] = defaultdict(list)
    for seed in range(first_seed, first_seed + num_scenes):
        rng = np.random.default_rng(seed)
        scene = draw_scene(seed)
        rendered = render_frame(scene, int(rng.integers(scene.num_frames)))
        names = {phrase(sprite) for sprite in scene.sprites}
        for sprite, mask, box in zip(scene.sprites, rendered.masks, rendered.boxes, strict=True):
            if mask.sum() < _MIN_VISIBLE_PX:
                continue
            of_tag = _right_scores(finder.detect(rendered.image, [phrase(sprite)]), box)
            found_scores["right"].append(of_tag[0] if of_tag else 0.0)
            of_label = _right_scores(finder.detect(rendered.image, [label(sprite).lower()]), box)
            found_scores["recall_label"].append(max(of_label, default=0.0))
        absent = {why: phrase(other) for why, other in absent_subjects(scene.sprites, rng).items()}
        for why, words in {**absent, "environment": phrase(scene.background).partition(" ")[2]}.items():
            if words not in names:
                found = finder.detect(rendered.image, [words])
                found_scores[f"false_{why}"].append(max((item.score for item in found), default=0.0))
    return {name: np.array(values) for name, values in sorted(found_scores.items())}


def figures_at(scores: dict[str, np.ndarray], threshold: float) -> dict[str, float]:
    """The figures of `evaluate_text_detector` if boxes must score above a threshold; see `scores_of`.

    Example:
        >>> scores = {"right": np.array([0.9, 0.5]), "false_near": np.array([0.6]), "false_stranger": np.array([0.2])}
        >>> figures_at({**scores, "false_random": np.array([0.2])}, 0.55)["right"]
        0.5
    """
    figures = {name: float((values > threshold).mean()) for name, values in scores.items()}
    others = (figures["false_stranger"] + figures["false_random"]) / 2
    return {**figures, "false": (figures["false_near"] + others) / 2}


def threshold_for(scores: dict[str, np.ndarray], max_false: float) -> float:
    """The lowest threshold at which the figure "false" is at most `max_false`, in steps of 0.005.

    Args:
        scores: of `scores_of`, from a detector with a low threshold of its own.
        max_false: 0..1.
    """
    enough = (threshold for threshold in _THRESHOLDS if figures_at(scores, threshold)["false"] <= max_false)
    return next(enough, _THRESHOLDS[-1])


def _right_scores(found: Detections, box: np.ndarray) -> list[float]:
    """The score of each detection, best first; 0 for those that do not lie on `box`."""
    boxes = np.array([item.box_xyxy for item in found]).reshape(-1, 4)
    return [
        item.score if overlap > MIN_IOU else 0.0 for item, overlap in zip(found, box_overlaps(boxes, box), strict=True)
    ]
