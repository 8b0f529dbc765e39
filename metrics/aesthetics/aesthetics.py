"""Aesthetics as a module of `evaluate`."""

from __future__ import annotations

import evaluate

_DESCRIPTION = """
Aesthetics is the visual-quality column of OpenS2V-Eval, a benchmark of subject-to-video generation: the mean rating of
32 frames by LAION's aesthetic predictor, a head on CLIP ViT-L/14 picture embeddings that was trained on ratings 1..10.
Higher is better.
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
    aesthetic_encoder: Hub id or folder of a CLIP image tower, "embedded" for the small one of opens2v-hf (not
        comparable with the leaderboard), or a loaded `AestheticEncoder`. Default: the released
        openai/clip-vit-large-patch14.
    aesthetic_head: Hub id, folder or file of the head that rates that encoder's embeddings, "embedded", or a loaded
        `AestheticHead`. Default: the released one of BestWishYsh/OpenS2V-Weight.
    aesthetic_encoder_revision, aesthetic_head_revision: of Hub repos.
    num_frames: sampled evenly over each video. Default (released): 32.
    device: "auto" (default), "cuda", "cuda:1", "mps" or "cpu".
    dtype: of the encoder: "float32" (default, as released), "float16", "bfloat16" or "auto".
    backend: decoder of videos: "auto" (default), "decord" or "pyav".
    details: also return, per video, the rating of every frame. Default: False.
    distributed: under `accelerate launch` the processes share the videos; False to score all in each. Default: True.

Returns:
    aesthetics: mean over the videos that could be scored; None where there is none.
    scores: of each video, mostly within 1..10; None for one that could not be scored.
    reasons: why a video has no score; empty for the others.
    statuses: "scored" or "failed", per video.
    summary: the mean with its 95 % bootstrap interval, and how many videos were scored and failed.
    models, options: encoder and head with their revisions, and what else decides the numbers.
    comparable, note: whether the numbers can be set beside the leaderboard's, and why not.

Examples:
    >>> import opens2v_hf, evaluate
    >>> aesthetics = evaluate.load("aesthetics")
    >>> aesthetics.compute(predictions=["singleface_3.mp4"])  # doctest: +SKIP
"""


class Aesthetics(evaluate.Metric):
    """Loads its models at the first `compute()` and keeps each while the arguments that choose it stay the same."""

    def _info(self) -> evaluate.MetricInfo:
        from datasets import Features

        from opens2v_hf.run.metrics.inputs import VideoInput

        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation=_CITATION,
            inputs_description=_INPUTS,
            features=Features({"predictions": VideoInput()}),
            reference_urls=["https://arxiv.org/abs/2505.20292"],
        )

    def _compute(
        self,
        predictions,
        aesthetic_encoder=None,
        aesthetic_head=None,
        aesthetic_encoder_revision=None,
        aesthetic_head_revision=None,
        num_frames=32,
        device=None,
        dtype=None,
        backend="auto",
        details=False,
        distributed=True,
    ):
        from opens2v_hf.run.kept_models import KeptModels
        from opens2v_hf.run.metrics.aesthetics import Aesthetics as Metric
        from opens2v_hf.run.metrics.base import score_many
        from opens2v_hf.video.sampling import linspace

        linspace(num_frames)  # a bad argument shows before a model is loaded
        kept = self.__dict__.setdefault("_kept", KeptModels())
        of_encoder = {"revision": aesthetic_encoder_revision, "dtype": dtype}
        metric = Metric(
            kept.get("aesthetic_encoder", aesthetic_encoder, of_encoder, device=device),
            kept.get("aesthetic_head", aesthetic_head, {"revision": aesthetic_head_revision}, device=device),
            num_frames=num_frames,
        )
        return score_many(metric, list(predictions), backend=backend, details=details, distributed=distributed)
