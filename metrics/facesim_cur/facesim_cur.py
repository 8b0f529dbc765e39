"""FaceSim-Cur as a module of `evaluate`."""

from __future__ import annotations

from opens2v_hf.metrics import module


class FaceSimCur(module.MetricModule):
    """The identity column of OpenS2V-Eval, a benchmark of subject-to-video generation.

    How much the largest face in 32 frames of a video is the face of its first reference person (the first image
    labelled "Man" or "Woman"), by CurricularFace. Scores are in [0, 1]; higher is better.

    >>> import opens2v_hf, evaluate
    >>> facesim_cur = evaluate.load("facesim_cur")
    >>> facesim_cur.compute(predictions=["a.mp4"], references=[{"images": ["me.png"], "labels": ["Man"]}])
    """

    metric = "facesim_cur"
