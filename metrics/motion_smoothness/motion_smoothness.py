"""MotionSmoothness as a module of `evaluate`."""

from __future__ import annotations

import evaluate

_DESCRIPTION = """
MotionSmoothness is a column of OpenS2V-Eval, a benchmark of subject-to-video generation: a window of three frames
around every frame of a video is rated by Q-Align, a vision-language model, and the score is the share of the frames at
which that rating does not jump. Scores lie in [0, 1]; higher is better.
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
    quality_scorer: Hub id or folder of a Q-Align (mPLUG-Owl2) model, "embedded" for the small one of opens2v-hf (not
        comparable with the leaderboard), or a loaded `QAlignScorer`. Default: the released q-future/one-align.
    revision: branch, tag or commit of the scorer's Hub repo.
    batch_tokens: how many tokens are computed at a time; it bounds memory, and changes scores by rounding only.
        Default: 8192, and 2048 on a CPU.
    device: "auto" (default), "cuda", "cuda:1", "mps" or "cpu".
    dtype: "auto" (default: float16 on CUDA, as released, and float32 elsewhere), "float16", "bfloat16" or "float32".
    backend: decoder of videos: "auto" (default), "decord" or "pyav".
    details: also return, per video, the quality around every frame and the frames beside a jump. Default: False.
    distributed: under `accelerate launch` the processes share the videos; False to score all in each. Default: True.

Returns:
    motion_smoothness: mean over the videos that could be scored; None where there is none.
    scores: of each video; None for one that could not be scored.
    reasons: why a video has no score; empty for the others.
    statuses: "scored" or "failed", per video.
    summary: the mean with its 95 % bootstrap interval, and how many videos were scored and failed.
    models, options: the scorer with its revision, and what else decides the numbers.
    comparable, note: whether the numbers can be set beside the leaderboard's, and why not.

Examples:
    >>> import opens2v_hf, evaluate
    >>> motion_smoothness = evaluate.load("motion_smoothness")
    >>> motion_smoothness.compute(predictions=["singleface_3.mp4"])  # doctest: +SKIP
"""


class MotionSmoothness(evaluate.Metric):
    """Loads a scorer at the first `compute()` and keeps it while the arguments that choose it stay the same."""

    def _info(self) -> evaluate.MetricInfo:
        from datasets import Features

        from opens2v_hf.run.metrics.inputs import VideoInput

        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation=_CITATION,
            inputs_description=_INPUTS,
            features=Features({"predictions": VideoInput()}),
            reference_urls=["https://arxiv.org/abs/2505.20292", "https://arxiv.org/abs/2312.17090"],
        )

    def _compute(
        self,
        predictions,
        quality_scorer=None,
        revision=None,
        batch_tokens=None,
        device=None,
        dtype=None,
        backend="auto",
        details=False,
        distributed=True,
    ):
        from opens2v_hf.run.kept_models import KeptModels
        from opens2v_hf.run.metrics.base import score_many
        from opens2v_hf.run.metrics.motion_smoothness import MotionSmoothness as Metric

        arguments = {"revision": revision, "device": device, "dtype": dtype, "batch_tokens": batch_tokens}
        kept = self.__dict__.setdefault("_kept", KeptModels())
        metric = Metric(kept.get("quality_scorer", quality_scorer, arguments))
        return score_many(metric, list(predictions), backend=backend, details=details, distributed=distributed)
