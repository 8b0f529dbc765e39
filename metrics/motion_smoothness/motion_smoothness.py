"""MotionSmoothness as a module of `evaluate`."""

from __future__ import annotations

from opens2v_hf.metrics import module


class MotionSmoothness(module.MetricModule):
    """The steadiness of quality, a column of OpenS2V-Eval, a benchmark of subject-to-video generation.

    A window of three frames around every frame of a video is rated by Q-Align, a vision-language model (arXiv
    2312.17090); the score is the share of the frames at which that rating does not jump. Scores are in [0, 1];
    higher is better.

    >>> import opens2v_hf, evaluate
    >>> motion_smoothness = evaluate.load("motion_smoothness")
    >>> motion_smoothness.compute(predictions=["singleface_3.mp4"])
    """

    metric = "motion_smoothness"
