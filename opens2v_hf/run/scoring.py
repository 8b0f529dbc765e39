"""Scoring the videos of one model on one split: each video is opened once and every metric looks at it."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from opens2v_hf._version import __version__
from opens2v_hf.data.sample import EvalSample
from opens2v_hf.errors import JudgeError, SampleError, VideoError
from opens2v_hf.run.cost import video_cost
from opens2v_hf.run.each_video import for_each_video
from opens2v_hf.run.metrics.base import Metric, setting_of
from opens2v_hf.run.result import Coverage, MetricResult, RunResult, VideoRecord
from opens2v_hf.run.result_columns import applicable_ids
from opens2v_hf.run.videos import FoundVideos
from opens2v_hf.scores.outcome import VideoScore
from opens2v_hf.video.clip import Clip
from opens2v_hf.video.reader import Backend

_LIBRARIES = ("torch", "transformers", "numpy", "pillow", "opencv-python-headless", "decord", "av")


@dataclass(frozen=True)
class MetricTask:
    """A metric and how it gets what it needs of a sample.

    Attributes:
        metric: with its models loaded.
        reference: from a sample to what `metric.score` takes beside the clip.
    """

    metric: Metric[Any]
    reference: Callable[[EvalSample], Any]


def score_found(
    found: FoundVideos,
    samples: Sequence[EvalSample],
    tasks: Sequence[MetricTask],
    *,
    model: str,
    split: str,
    benchmark: Mapping[str, Any],
    backend: Backend = "auto",
    distributed: bool = True,
) -> RunResult:
    """Score every video that was found with every metric.

    Under `accelerate launch` with several processes they share the videos, and each gets the whole result.

    A video that cannot be fetched, opened or read, one that a judge cannot rate, and one whose reference pictures
    cannot be had fails with its reason and the run goes on.

    Args:
        found: the model's videos.
        samples: all samples of the split.
        tasks: the metrics, in the order in which the result lists them.
        model: name of the model, for tables.
        split: for the record.
        benchmark: where the samples came from, for the record.
        backend: of the video reader.
        distributed: False to score all of them in this process, whatever was launched.

    Raises:
        ProcessError: the videos were shared, and a process failed, died, or was given other ones.
    """
    wanted = [sample for sample in samples if sample.id in found.fetch]
    outcomes = for_each_video(
        lambda sample: _as_json(*_score_video(found, sample, tasks, backend)),
        wanted,
        name=lambda sample: found.file_names[sample.id],
        cost=lambda sample: _cost(found, sample, tasks),
        setting=lambda: [found.source, dict(benchmark), *(setting_of(task.metric) for task in tasks)],
        description=f"{model}, {split}",
        distributed=distributed,
    )
    records = [VideoRecord(**record) for record, _ in outcomes]
    scores = {
        task.metric.name: {
            sample.id: VideoScore.from_dict(by_metric[task.metric.name])
            for sample, (_, by_metric) in zip(wanted, outcomes, strict=True)
        }
        for task in tasks
    }
    return RunResult(
        model=model,
        split=split,
        benchmark=dict(benchmark),
        source=found.source,
        coverage=Coverage(
            len(samples),
            len(wanted),
            found.missing,
            found.unknown,
            applicable_ids({sample.id: sample.metrics for sample in samples}),
        ),
        videos=tuple(records),
        metrics=tuple(made for task in tasks for made in _metric_results(task.metric, scores[task.metric.name])),
        package=package_versions(),
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def package_versions() -> dict[str, str]:
    """Versions of this package and of the libraries that decide numbers, as far as they are installed."""
    versions = {"opens2v-hf": __version__}
    for name in _LIBRARIES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "not installed"
    return versions


def _metric_results(metric: Metric[Any], scores: Mapping[str, VideoScore]) -> Iterator[MetricResult]:
    """The metric's own result, and that of the definition beside it where the metric has one."""
    yield _metric_result(metric, scores)
    beside = getattr(metric, "beside", None)
    if beside is not None:
        yield _metric_result(beside, {i: _restated(score, beside.variant) for i, score in scores.items()})


def _restated(score: VideoScore, variant: str) -> VideoScore:
    if score.value is None:
        return score
    value = score.details["variants"][variant]
    if value is None:
        return VideoScore.failed(f"the score is not a number by the variant {variant!r}")
    return VideoScore.scored(value, score.reason)


def _metric_result(metric: Metric[Any], scores: Mapping[str, VideoScore]) -> MetricResult:
    return MetricResult(
        name=metric.name,
        models=tuple(metric.models),
        options={**metric.options, "sampling": metric.sampling.name},
        caveats=tuple(metric.caveats),
        scores=scores,
    )


def _cost(found: FoundVideos, sample: EvalSample, tasks: Iterable[MetricTask]) -> float:
    if found.is_remote:  # no process downloads what another one scores
        return 1.0
    rules = [task.metric.sampling for task in tasks if task.metric.name in sample.metrics]
    return video_cost(found.fetch[sample.id](), rules)


def _score_video(
    found: FoundVideos, sample: EvalSample, tasks: Iterable[MetricTask], backend: Backend
) -> tuple[VideoRecord, dict[str, VideoScore]]:
    record = VideoRecord(sample.id, found.file_names[sample.id], sha256="", category=sample.category)
    tasks = list(tasks)
    try:
        clip = Clip(_fetch(found, sample.id), rules=tuple(task.metric.sampling for task in tasks), backend=backend)
        record = replace(record, sha256=clip.sha256)
        record = replace(record, num_frames=clip.num_frames, fps=clip.fps, width=clip.width, height=clip.height)
    except VideoError as error:
        return record, {task.metric.name: VideoScore.failed(str(error)) for task in tasks}
    return record, {task.metric.name: _score_one(task, clip, sample) for task in tasks}


def _as_json(record: VideoRecord, scores: Mapping[str, VideoScore]) -> list[Any]:
    return [asdict(record), {name: score.to_dict() for name, score in scores.items()}]


def _fetch(found: FoundVideos, sample_id: str) -> Path:
    from huggingface_hub.errors import HTTPError

    try:
        return found.fetch[sample_id]()
    except (HTTPError, OSError) as error:
        raise VideoError(f"cannot download {found.file_names[sample_id]} from {found.source}: {error}") from error


def _score_one(task: MetricTask, clip: Clip, sample: EvalSample) -> VideoScore:
    if task.metric.name not in sample.metrics:
        return VideoScore.not_applicable(f"the benchmark defines no {task.metric.name} for {sample.id}")
    try:
        return task.metric.score(clip, task.reference(sample))
    except (VideoError, JudgeError, SampleError) as error:
        return VideoScore.failed(str(error))
