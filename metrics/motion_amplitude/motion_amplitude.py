"""MotionAmplitude as a module of `evaluate`."""

from __future__ import annotations

from opens2v_hf.metrics import module


class MotionAmplitude(module.MetricModule):
    """The amount of motion, a column of OpenS2V-Eval, a benchmark of subject-to-video generation.

    The absolute mean of the signed components of the optical flow (Farneback) between all consecutive frames. Its
    companion definition, the mean length of the flow, lets no motions cancel. It needs no model.

    >>> import opens2v_hf, evaluate
    >>> motion_amplitude = evaluate.load("motion_amplitude")
    >>> motion_amplitude.compute(predictions=["singleface_3.mp4"])
    """

    metric = "motion_amplitude"
