"""MotionAmplitude as a module of `evaluate`."""

from __future__ import annotations

import evaluate

_DESCRIPTION = """
MotionAmplitude is the motion column of OpenS2V-Eval, a benchmark of subject-to-video generation: the absolute mean of
the signed components of the optical flow (Farneback) between all consecutive frames. A second definition, the length of
the motion, stands beside it and lets no motions cancel. No model takes part.
"""

_CITATION = """
@inproceedings{yuan2025opens2v,
  title={OpenS2V-Nexus: A Detailed Benchmark and Million-Scale Dataset for Subject-to-Video Generation},
  author={Yuan, Shenghai and others},
  booktitle={NeurIPS Datasets and Benchmarks},
  year={2025},
  note={arXiv:2505.20292}
}
"""

_INPUTS = """
Args:
    predictions: generated videos: paths, the bytes of files, or dicts with "path" or "bytes"; mixed as one likes.
    variant: "released" (default, the leaderboard's: pixels per frame, signed, so that opposite motions cancel) or
        "magnitude" (mean length of the flow in diagonals of the picture per second; not the leaderboard's).
    backend: decoder of videos: "auto" (default), "decord" or "pyav".
    details: also return, per video, the mean and the length of every flow map and the score by both definitions.
        Default: False.
    distributed: under `accelerate launch` the processes share the videos; False to score all in each. Default: True.

Returns:
    motion_amplitude: mean over the videos that could be scored; None where there is none.
    scores: of each video, from 0; None for one that could not be scored, e.g. because it has one frame only.
    reasons: why a video has no score; empty for the others.
    statuses: "scored" or "failed", per video.
    summary: the mean with its 95 % bootstrap interval, and how many videos were scored and failed.
    models, options: no model, and what else decides the numbers.
    comparable, note: whether the numbers can be set beside the leaderboard's, and why not.

Examples:
    >>> import opens2v_hf, evaluate
    >>> motion_amplitude = evaluate.load("motion_amplitude")
    >>> motion_amplitude.compute(predictions=["singleface_3.mp4"])  # doctest: +SKIP
"""


class MotionAmplitude(evaluate.Metric):
    """Streams every frame of a video; nothing is loaded."""

    def _info(self) -> evaluate.MetricInfo:
        from datasets import Features

        from opens2v_hf.run.metrics.inputs import VideoInput

        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation=_CITATION,
            inputs_description=_INPUTS,
            features=Features({"predictions": VideoInput()}),
            reference_urls=["https://arxiv.org/abs/2505.20292"],
        )

    def _compute(self, predictions, variant="released", backend="auto", details=False, distributed=True):
        from opens2v_hf.run.metrics.base import score_many
        from opens2v_hf.run.metrics.motion_amplitude import MotionAmplitude as Metric

        metric = Metric(variant=variant)
        return score_many(metric, list(predictions), backend=backend, details=details, distributed=distributed)
