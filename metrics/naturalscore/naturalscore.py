"""NaturalScore of OpenS2V-Eval: how real a video looks to a judge, from 1 to 5."""

import datasets
import evaluate

_DESCRIPTION = """
NaturalScore shows 16 frames of a video to a vision-language model (the judge), in one call, and asks how real it looks:
1 is definitely AI-generated, 5 definitely real. The released protocol asks gpt-4o-2024-11-20 three times and averages.
A local judge answers with the expectation over the digits 1 to 5 of its next-token probabilities, the same every time.
"""

_KWARGS_DESCRIPTION = """
Args:
    predictions: videos, each a path, the bytes of a file, or a dict with "path" or "bytes".
    judge: "openai:<model>" for an OpenAI-compatible endpoint (default "openai:gpt-4o-2024-11-20"; the key comes from
        OPENAI_API_KEY, the address from OPENAI_BASE_URL); or a vision-language model to run here: a Hub id such as
        "Qwen/Qwen2.5-VL-7B-Instruct", a folder, or "embedded".
    revision: of a Hub repo.
    protocol: "released" (16 frames at a stride from the start) or "full" (16 frames over the whole clip, and a question
        about pasted-in subjects).
    runs: how many times the judge is asked about a video; the scores are averaged. A local judge is asked once.
    rubric: path of a text file that replaces what the judge is told, e.g. the released prompt.
    allow_partial: average the runs that have a score, instead of failing a video for which one has none.
    details: whether the answer holds every raw reply (default True).
    backend: of the video reader: "auto", "decord" or "pyav".
    distributed: under `accelerate launch` the processes share the videos; False to score all in each. Default: True.
    base_url, api_key, concurrency, max_calls, max_tokens, timeout_s, temperature, reasoning_effort, ...: of a judge
        behind an endpoint, see `opens2v_hf.models.judge.options.EndpointOptions`.
    device, dtype, min_pixels, max_pixels, ...: of a local judge.
Returns:
    naturalscore: mean over the videos that have a score, or None where none has.
    scores: of each video, in [1, 5], or None.
    reasons: why a video has no score, or a remark.
    statuses: "scored" or "failed", of each video.
    summary: mean, confidence interval, and how many videos it rests on.
    models, options: what the scores were made with.
    comparable, note: whether they may be set beside the leaderboard's, and why not.
    details: of each video, its runs with their raw replies.
Examples:
    >>> metric = evaluate.load("naturalscore")
    >>> metric.compute(predictions=["singleobj_1.mp4"], max_calls=20)  # doctest: +SKIP
"""

_CITATION = """
@article{yuan2025opens2v,
  title={OpenS2V-Nexus: A Detailed Benchmark and Million-Scale Dataset for Subject-to-Video Generation},
  author={Yuan, Shenghai and others},
  journal={arXiv preprint arXiv:2505.20292},
  year={2025}
}
"""


@evaluate.utils.file_utils.add_start_docstrings(_DESCRIPTION, _KWARGS_DESCRIPTION)
class NaturalScore(evaluate.Metric):
    """How real videos look to a judge."""

    def _info(self):
        from opens2v_hf.run.metrics.inputs import VideoInput

        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation=_CITATION,
            inputs_description=_KWARGS_DESCRIPTION,
            features=datasets.Features({"predictions": VideoInput()}),
            reference_urls=["https://arxiv.org/abs/2505.20292"],
        )

    def _compute(self, predictions, details=True, backend="auto", distributed=True, **options):
        from opens2v_hf.run.metrics.base import score_many

        return score_many(self._metric(options), predictions, backend=backend, details=details, distributed=distributed)

    def _metric(self, options):
        """The metric with its judge; a local judge stays loaded while the options stay the same."""
        from opens2v_hf.run.metrics.naturalscore import NaturalScore as Scorer

        kept = getattr(self, "_kept", None)
        if kept is not None and kept[0] == options:
            return kept[1]
        metric = Scorer.from_pretrained(**options)
        # an endpoint is made anew for each computation: its budget and its key are that computation's
        self._kept = (options, metric) if metric.judge_is_local else None
        return metric
