"""NexusScore as a module of `evaluate`."""

from __future__ import annotations

from opens2v_hf.metrics import module


class NexusScore(module.MetricModule):
    """The subject-consistency column of OpenS2V-Eval, a benchmark of subject-to-video generation.

    In 32 frames of a video an image-prompted detector looks for the subject of each reference image; what it finds
    is compared with the image and with its label by GME embeddings. Higher is better.

    >>> import opens2v_hf, evaluate
    >>> nexusscore = evaluate.load("nexusscore")
    >>> nexusscore.compute(predictions=["a.mp4"], references=[{"images": ["cup.png"], "labels": ["Cup"]}])
    """

    metric = "nexusscore"
