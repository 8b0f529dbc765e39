"""GmeScore as a module of `evaluate`."""

from __future__ import annotations

import evaluate

_DESCRIPTION = """
GmeScore is the text-relevance metric of OpenS2V-Eval, a benchmark of subject-to-video generation: the mean over 32
frames of the similarity between a video's prompt and its frames, both embedded by GME (a Qwen2-VL embedder).
Scores lie in [-1, 1]; higher is better.
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
    references: the prompt of each video.
    embedder: Hub id or folder of a GME (Qwen2-VL) embedder, "embedded" for the small one of opens2v-hf (not comparable
        with the leaderboard), or a loaded `GmeEmbedder`. Default: the released Alibaba-NLP/gme-Qwen2-VL-7B-Instruct.
    revision: branch, tag or commit of the embedder's Hub repo.
    num_frames: sampled evenly over each video. Default (released): 32.
    batch_tokens: how many tokens are computed at a time; it bounds memory, and changes no score. Default: 8192,
        and 2048 on a CPU.
    device: "auto" (default), "cuda", "cuda:1", "mps" or "cpu".
    dtype: "auto" (default: float16 on CUDA, float32 elsewhere), "float16", "bfloat16" or "float32".
    backend: decoder of videos: "auto" (default), "decord" or "pyav".
    details: also return, per video, the similarity of every frame. Default: False.
    distributed: under `accelerate launch` the processes share the videos; False to score all in each. Default: True.
    Other arguments go to `GmeEmbedder.from_pretrained`: min_pixels, max_pixels, max_length, device_map,
    quantization_config, attn_implementation, ...

Returns:
    gmescore: mean over the videos that could be scored; None where there is none.
    scores: of each video; None for one that could not be scored.
    reasons: why a video has no score; empty for the others.
    statuses: "scored" or "failed", per video.
    summary: the mean with its 95 % bootstrap interval, and how many videos were scored and failed.
    models, options: the embedder with its revision, and what else decides the numbers.
    comparable, note: whether the numbers can be set beside the leaderboard's, and why not.

Examples:
    >>> import opens2v_hf, evaluate
    >>> gmescore = evaluate.load("gmescore")
    >>> gmescore.compute(predictions=["singleface_3.mp4"], references=["A man sits in a car."])  # doctest: +SKIP
"""


class GmeScore(evaluate.Metric):
    """Loads an embedder at the first `compute()` and keeps it while the arguments that choose it stay the same."""

    def _info(self) -> evaluate.MetricInfo:
        from datasets import Features, Value

        from opens2v_hf.run.metrics.inputs import VideoInput

        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation=_CITATION,
            inputs_description=_INPUTS,
            features=Features({"predictions": VideoInput(), "references": Value("string")}),
            reference_urls=["https://arxiv.org/abs/2505.20292"],
        )

    def _compute(
        self,
        predictions,
        references,
        embedder=None,
        revision=None,
        num_frames=32,
        batch_tokens=None,
        device=None,
        dtype=None,
        backend="auto",
        details=False,
        distributed=True,
        **embedder_arguments,
    ):
        from opens2v_hf.run.metrics.base import score_many
        from opens2v_hf.run.metrics.gmescore import checked_prompt
        from opens2v_hf.video.sampling import linspace

        linspace(num_frames)  # a bad argument shows before a model of many gigabytes is loaded
        prompts = [checked_prompt(reference) for reference in references]
        arguments = {"revision": revision, "device": device, "dtype": dtype, "batch_tokens": batch_tokens}
        given = {name: value for name, value in arguments.items() if value is not None}
        metric = self._loaded(embedder, num_frames, {**given, **embedder_arguments})
        return score_many(metric, list(predictions), prompts, backend=backend, details=details, distributed=distributed)

    def _loaded(self, embedder, num_frames, embedder_arguments):
        from opens2v_hf.errors import ArgumentError
        from opens2v_hf.models.gme import RELEASED_EMBEDDER, GmeEmbedder
        from opens2v_hf.run.metrics.gmescore import GmeScore as Metric

        if isinstance(embedder, GmeEmbedder):
            if embedder_arguments:
                raise ArgumentError(
                    f"a loaded embedder takes no {', '.join(sorted(embedder_arguments))}; leave them out"
                )
            return Metric(embedder, num_frames=num_frames)
        chosen = (embedder or RELEASED_EMBEDDER, embedder_arguments)
        if getattr(self, "_chosen", None) != chosen:
            # Two large models need not fit in memory at once, and one that fails to load leaves none behind.
            self._chosen, self._embedder = None, None
            self._embedder = GmeEmbedder.from_pretrained(chosen[0], **embedder_arguments)
            self._chosen = chosen
        return Metric(self._embedder, num_frames=num_frames)
