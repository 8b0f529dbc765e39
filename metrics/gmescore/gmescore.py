"""GmeScore as a module of `evaluate`."""

from __future__ import annotations

from opens2v_hf.metrics import module


class GmeScore(module.MetricModule):
    """The text-relevance column of OpenS2V-Eval, a benchmark of subject-to-video generation.

    The mean over 32 frames of the similarity between a video's prompt and its frames, both embedded by GME (a
    Qwen2-VL embedder). Scores are in [-1, 1]; higher is better.

    >>> import opens2v_hf, evaluate
    >>> gmescore = evaluate.load("gmescore")
    >>> gmescore.compute(predictions=["singleface_3.mp4"], references=["A man sits in a car."])
    """

    metric = "gmescore"
