"""The identity of every subject as a module of `evaluate`."""

from __future__ import annotations

from opens2v_hf.metrics import module


class SubjectIdentity(module.MetricModule):
    """The identity of every subject; companion of the NexusScore of OpenS2V-Eval.

    In each of 32 frames crops that look like a reference are found and assigned to the references, one to one and
    optimally; the score is the mean over frames and references of the similarity of the assigned crop, 0 without one.
    Swapped, merged and drifting subjects cost, and so does every frame without a subject. Scores are in [0, 1]; higher
    is better.

    >>> import opens2v_hf, evaluate
    >>> subject_identity = evaluate.load("subject_identity")
    >>> subject_identity.compute(predictions=["a.mp4"], references=[{"images": ["a.png"], "labels": ["Cup"]}])
    """

    metric = "subject_identity"
