"""The whole scorecard of OpenS2V-Eval as a module of `evaluate`."""

from __future__ import annotations

from opens2v_hf.evaluation import module


class OpenS2VEval(module.CompositeModule):
    """All columns of OpenS2V-Eval's leaderboard, a benchmark of subject-to-video generation, and their weighted total.

    NexusScore (subjects), NaturalScore (realism), GmeScore (prompt), FaceSim (identity), Aesthetics,
    MotionAmplitude and MotionSmoothness. Each video is decoded once for all of them. The total is in [0, 1];
    higher is better.

    >>> import opens2v_hf, evaluate
    >>> opens2v_eval = evaluate.load("opens2v_eval")
    >>> opens2v_eval.compute(predictions=["a.mp4"], references=["a prompt"], metrics=["gmescore"])
    """
