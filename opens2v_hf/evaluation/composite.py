"""The scorecard of a list of videos: all columns of the leaderboard, each video decoded once."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from opens2v_hf.data.benchmark.given_sample import GivenSample
from opens2v_hf.data.benchmark.ids import split_ids
from opens2v_hf.errors import ArgumentError
from opens2v_hf.metrics.apply import Task
from opens2v_hf.metrics.base import Metric, answer, cost_of, definitions, score_video, setting_of, video_name
from opens2v_hf.metrics.each_video import for_each_video
from opens2v_hf.metrics.model_cache import ModelCache, choose, load_models
from opens2v_hf.metrics.registry import METRICS, check_request, load_metrics
from opens2v_hf.models.roles import ROLES
from opens2v_hf.results.columns import column_metrics
from opens2v_hf.results.result import Coverage, MetricResult, RunResult, VideoRecord, notes
from opens2v_hf.scores.outcome import Status, VideoScore
from opens2v_hf.scores.scorecard import RELEASED, SCORINGS, weights
from opens2v_hf.video.reader import Backend


def check_choices(split: str, version: str, scoring: str) -> None:
    """Check these arguments of `score_composite` before models are loaded.

    Raises:
        ArgumentError: an unknown split, version or scoring.
    """
    weights(version, split)
    if scoring not in SCORINGS:
        raise ArgumentError(f"there is no scoring {scoring!r} (known are: {', '.join(SCORINGS)})")


def metric_names(metrics: Sequence[str] | None, split: str) -> list[str]:
    """The metrics to compute: `metrics`, or by default the columns of the split's leaderboard.

    Raises:
        ArgumentError: an unknown metric or split, or no metric.
    """
    if metrics is None:
        columns = weights("v1.1", split)
        return [name for name in METRICS if name in columns]
    listed = [metrics] if isinstance(metrics, str) else metrics
    if not isinstance(listed, list | tuple | set | frozenset) or not all(isinstance(name, str) for name in listed):
        raise ArgumentError(f"metrics must be a list of names (got {metrics!r:.80})")
    names = list(dict.fromkeys(listed))
    check_request(names)
    return names


def load_composite(
    names: Sequence[str],
    kept: ModelCache,
    *,
    models: str | Mapping[str, Any] | None = None,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    loading: Mapping[str, Any] | None = None,
) -> list[Metric[Any]]:
    """Load the models that some metrics need, each once, and make the metrics.

    Args:
        names: of the metrics.
        kept: models that stay loaded from one call to the next.
        models: "embedded" for the small models throughout, or role to model: a name, a `ModelChoice` with arguments of
            loading, or a loaded model. Other roles get the released model.
        options: metric name to its own options.
        loading: "device", "dtype", "batch_tokens", "mixed_precision": for the roles that take them; None for the
            default.

    Raises:
        ArgumentError: an unknown metric, role or option, or an argument that cannot be used.
        ModelError: a model cannot be loaded.
    """
    choices = choose(tuple(dict.fromkeys(role for name in names for role in METRICS[name].roles)), models)
    common = {name: value for name, value in (loading or {}).items() if value is not None}
    of_role = {role: {name: common[name] for name in ROLES[role].arguments if name in common} for role in choices}
    return load_metrics(list(names), options=options, loaded=load_models(kept, choices, of_role))


def score_composite(
    metrics: Sequence[Metric[Any]],
    videos: Sequence[Any],
    samples: Sequence[GivenSample],
    *,
    split: str = "open-domain",
    version: str = "v1.1",
    scoring: str = RELEASED,
    backend: Backend = "auto",
    details: bool = False,
    distributed: bool = True,
) -> dict[str, Any]:
    """Score videos with several metrics and compute the leaderboard's scorecard.

    Under `accelerate launch` with several processes they share the videos, and each gets the whole answer.

    Args:
        metrics: with their models loaded.
        videos: paths, the bytes of files, or dicts with "path" or "bytes".
        samples: one for each video.
        split: whose columns and weights the scorecard has.
        version: of the weights, "v1.1" or "v1.0".
        scoring: "released", or "strict": a video that failed counts as the worst.
        backend: of the video reader.
        details: whether each column's answer also holds each video's details.
        distributed: False to score all videos in this process, even under a launcher.

    Returns:
        `opens2v_eval`: the total in 0..1, or None if a column is missing; `partial` and `missing_columns`;
        `scorecard`: from `Scorecard.to_dict`; `columns`: metric name to the answer of its own module, companion metrics
        included (`nexusscore_coverage`, `motion_amplitude_magnitude`); `num_videos`; `comparable` and `note`: whether
        the total is comparable with the leaderboard, and why not.

    Raises:
        ArgumentError: the numbers of videos and samples differ, or an unknown split, version or scoring.
        ProcessError: the videos were shared, and a process failed, died, or was given other ones.
    """
    check_choices(split, version, scoring)
    if len(samples) != len(videos):
        raise ArgumentError(f"give one reference for each video (got {len(videos)} videos, {len(samples)} references)")
    found = for_each_video(
        lambda pair: _score_video(metrics, *pair, backend=backend),
        list(zip(videos, samples, strict=True)),
        name=lambda pair: video_name(pair[0]),
        cost=lambda pair: cost_of(pair[0], [m.sampling for m in metrics if m.name in pair[1].sample.metrics]),
        setting=lambda: [*map(setting_of, metrics), [_identity(sample) for sample in samples]],
        failed=lambda pair, reason: _all_failed(metrics, pair[1], reason),
        description="opens2v_eval",
        distributed=distributed,
    )
    outcomes = {
        made.name: (made, [score if variant is None else score.by_variant(variant) for score in scores])
        for metric in metrics
        for scores in [[VideoScore.from_dict(by_metric[metric.name]) for by_metric in found]]
        for made, variant in definitions(metric)
    }
    result = _result([video_name(video) for video in videos], samples, outcomes.values(), split)
    card = result.scorecard(version=version, scoring=scoring)
    reasons = [*_notes(result), *_coverage_notes(samples, split)]
    return {
        "opens2v_eval": card.total,
        "partial": card.partial,
        "missing_columns": list(card.missing_columns),
        "scorecard": card.to_dict(),
        "columns": {name: answer(*outcome, details=details) for name, outcome in outcomes.items()},
        "num_videos": len(videos),
        "comparable": not reasons and not card.partial,
        "note": "; ".join(reasons),
    }


def _score_video(
    metrics: Sequence[Metric[Any]], video: Any, sample: GivenSample, *, backend: Backend
) -> dict[str, dict[str, Any]]:
    """Metric to outcome as a JSON-compatible dict."""
    applying = [metric for metric in metrics if metric.name in sample.sample.metrics]
    scores = score_video([Task(metric, _reference(metric, sample)) for metric in applying], video, backend=backend)
    return {m.name: scores.get(m.name, _not_applicable(m, sample)).to_dict() for m in metrics}


def _all_failed(metrics: Sequence[Metric[Any]], sample: GivenSample, reason: str) -> dict[str, dict[str, Any]]:
    """The outcome of a video that exceeded the time limit, for every metric."""
    failed = VideoScore.failed(reason)
    return {
        m.name: (failed if m.name in sample.sample.metrics else _not_applicable(m, sample)).to_dict() for m in metrics
    }


def _reference(metric: Metric[Any], sample: GivenSample) -> Callable[[], Any]:
    images: Any = sample  # has `image()` like a split of the benchmark
    return lambda: METRICS[metric.name].reference(sample.sample, images)


def _not_applicable(metric: Metric[Any], sample: GivenSample) -> VideoScore:
    if sample.of_benchmark:
        return VideoScore.not_applicable(f"the benchmark defines no {metric.name} for {sample.given_id}")
    return VideoScore.not_applicable(f"{metric.name} does not apply to the pictures and labels that were given")


def _identity(sample: GivenSample) -> list[Any]:
    return [sample.given_id, sample.sample.prompt, [subject.label for subject in sample.sample.subjects]]


def _result(
    names: Sequence[str],
    samples: Sequence[GivenSample],
    outcomes: Iterable[tuple[Metric[Any], Sequence[VideoScore]]],
    split: str,
) -> RunResult:
    """The `RunResult` of the outcomes. The key of a video is its position, since several may have the same id."""
    keys = [str(index) for index in range(len(samples))]
    return RunResult(
        model="",
        split=split,
        benchmark={},
        source="",
        coverage=Coverage(len(keys), len(keys), (), ()),
        videos=tuple(
            VideoRecord(key, name, sha256="", category=sample.sample.category)
            for key, name, sample in zip(keys, names, samples, strict=True)
        ),
        metrics=tuple(
            MetricResult(
                name=metric.name,
                models=tuple(metric.models),
                options=dict(metric.options),
                caveats=tuple(metric.caveats),
                scores=dict(zip(keys, scores, strict=True)),
            )
            for metric, scores in outcomes
        ),
    )


def _notes(result: RunResult) -> Iterator[str]:
    """Why the columns are not comparable with the leaderboard; companions that fill no column do not count."""
    filling = dataclasses.replace(result, metrics=tuple(column_metrics(result).values()))
    yield from notes([filling])
    for metric in filling.metrics:
        if count := sum(score.status is Status.FAILED for score in metric.scores.values()):
            yield f"{metric.name}: {count} of {len(metric.scores)} videos could not be scored"


def _coverage_notes(samples: Sequence[GivenSample], split: str) -> Iterator[str]:
    """The differences between these videos and those of the split."""
    known = split_ids(split)
    ids = [sample.given_id for sample in samples]
    if num_unknown := sum(given not in known for given in ids):
        yield f"{num_unknown} of {len(ids)} videos belong to no sample of {split}"
    present = set(ids) & set(known)
    if len(present) < len(known):
        yield f"{len(present)} of the {len(known)} samples of {split} have a video"
    if len(ids) - num_unknown > len(present):
        yield "some samples have several videos"
