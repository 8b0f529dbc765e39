"""The whole scorecard of OpenS2V-Eval as a module of `evaluate`."""

from __future__ import annotations

import evaluate

_DESCRIPTION = """
All columns of OpenS2V-Eval's leaderboard, a benchmark of subject-to-video generation, in one call, and the weighted
total of them: NexusScore (subjects), NaturalScore (realism), GmeScore (prompt), FaceSim (identity), Aesthetics,
MotionAmplitude and MotionSmoothness. Each video is decoded once for all of them. The total lies in [0, 1].
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
    references: for each video a dict with what the columns need: "prompt" (GmeScore), "images" with "labels"
        (NexusScore, FaceSim; paths, bytes, PIL images or uint8 arrays), and "id". With an id of the benchmark its
        rules decide which columns apply to the video; without one its labels do.
    metrics: names of the columns to compute. Default: all of the split's leaderboard.
    models: "embedded" for the small models of opens2v-hf throughout (not comparable with the leaderboard), or role to
        model ("embedder", "judge", "detector", ...): a Hub id, a folder, "embedded", "openai:<model>", a `ModelChoice`
        with arguments of loading, or a loaded model. What is not named is the released one.
    options: column to its own options, e.g. {"naturalscore": {"runs": 1}}.
    split: "open-domain" (default), "human-domain" or "single-domain": columns and weights of the scorecard.
    version: of the weights: "v1.1" (default) or "v1.0".
    scoring: "released" (default), or "strict": a video that failed counts as the worst, and a NexusScore of 0 as 0.
    device: "auto" (default), "cuda", "cuda:1", "mps" or "cpu".
    dtype: of the networks that take one; default: float16 on CUDA, float32 elsewhere.
    batch_tokens, mixed_precision: of the networks that take them.
    backend: decoder of videos: "auto" (default), "decord" or "pyav".
    details: also return, per column and video, what a score was made from. Default: False.
    distributed: under `accelerate launch` the processes share the videos; False to score all in each. Default: True.

Returns:
    opens2v_eval: the total in [0, 1]; None where a column has no value, so that there is none.
    partial, missing_columns: whether and which columns are missing.
    scorecard: every column clipped, averaged and normalised, with its weight, its 95 % bootstrap interval, how many
        videos it rests on, and its values by category; the total with its interval and bounds.
    columns: for each column what its own module returns: scores, statuses, reasons, summary, models, options, ...; and
        the same for the definition beside it where it has one (nexusscore_coverage, motion_amplitude_magnitude).
    num_videos: how many were given.
    comparable, note: whether the total can be set beside the leaderboard's, and why not.

Examples:
    >>> import opens2v_hf, evaluate
    >>> opens2v_eval = evaluate.load("opens2v_eval")
    >>> opens2v_eval.compute(predictions=["singleobj_3.mp4"], models="embedded",
    ...     references=[{"id": "singleobj_3", "prompt": "A cup.", "images": ["cup.png"], "labels": ["Cup"]}]
    ... )  # doctest: +SKIP
"""


class OpenS2VEval(evaluate.Metric):
    """Loads its models at the first `compute()` and keeps each while the arguments that choose it stay the same."""

    def _info(self) -> evaluate.MetricInfo:
        from datasets import Features

        from opens2v_hf.run.metrics.inputs import VideoInput
        from opens2v_hf.run.metrics.sample_input import SampleInput

        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation=_CITATION,
            inputs_description=_INPUTS,
            features=Features({"predictions": VideoInput(), "references": SampleInput()}),
            reference_urls=["https://arxiv.org/abs/2505.20292"],
        )

    def add(self, *, prediction=None, reference=None, **inputs):
        """Keep one video and its reference for `compute`."""
        from opens2v_hf.run.metrics.reference_input import exact_pictures

        super().add(prediction=prediction, reference=exact_pictures(reference), **inputs)

    def add_batch(self, *, predictions=None, references=None, **inputs):
        """Keep several videos and their references for `compute`."""
        from opens2v_hf.run.metrics.reference_input import exact_pictures

        if isinstance(references, list | tuple):
            references = [exact_pictures(reference) for reference in references]
        super().add_batch(predictions=predictions, references=references, **inputs)

    def _compute(
        self,
        predictions,
        references,
        metrics=None,
        models=None,
        options=None,
        split="open-domain",
        version="v1.1",
        scoring="released",
        device=None,
        dtype=None,
        batch_tokens=None,
        mixed_precision=None,
        backend="auto",
        details=False,
        distributed=True,
    ):
        from opens2v_hf.run.kept_models import KeptModels
        from opens2v_hf.run.metrics.composite import check_words, load_composite, metric_names, score_composite
        from opens2v_hf.run.metrics.given_sample import given_samples

        # a bad argument shows before models of many gigabytes are loaded
        check_words(split, version, scoring)
        names = metric_names(metrics, split)
        samples = given_samples(references, split=split, metrics=names)
        loading = {"device": device, "dtype": dtype, "batch_tokens": batch_tokens, "mixed_precision": mixed_precision}
        kept = self.__dict__.setdefault("_kept", KeptModels())
        return score_composite(
            load_composite(names, kept, models=models, options=options, loading=loading),
            list(predictions),
            samples,
            split=split,
            version=version,
            scoring=scoring,
            backend=backend,
            details=details,
            distributed=distributed,
        )
