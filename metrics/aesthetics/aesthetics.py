"""Aesthetics as a module of `evaluate`."""

from __future__ import annotations

from opens2v_hf.metrics import module


class Aesthetics(module.MetricModule):
    """The visual-quality column of OpenS2V-Eval, a benchmark of subject-to-video generation.

    The mean rating of 32 frames by LAION's aesthetic predictor, a head on CLIP ViT-L/14 image embeddings that was
    trained on ratings from 1 to 10. Higher is better.

    >>> import opens2v_hf, evaluate
    >>> aesthetics = evaluate.load("aesthetics")
    >>> aesthetics.compute(predictions=["singleface_3.mp4"])
    """

    metric = "aesthetics"
