"""FaceSim for several people as a module of `evaluate`."""

from __future__ import annotations

from opens2v_hf.metrics import module


class FaceSimMulti(module.MetricModule):
    """The identity of several people, a companion of FaceSim-Cur of OpenS2V-Eval, which measures one face only.

    In each of 32 frames faces are assigned to the reference people (the images labelled "Man" or "Woman"), one to
    one and optimally; the score is the mean over frames and people of the similarity of the assigned face by
    CurricularFace, 0 without one. Scores are in [0, 1]; higher is better.

    >>> import opens2v_hf, evaluate
    >>> facesim_multi = evaluate.load("facesim_multi")
    >>> facesim_multi.compute(predictions=["a.mp4"], references=[{"images": ["a.png"], "labels": ["Man"]}])
    """

    metric = "facesim_multi"
