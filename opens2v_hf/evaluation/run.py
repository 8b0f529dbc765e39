"""A scoring run: its inputs, and the `RunResult` that its outcomes become."""

from __future__ import annotations

import functools
import importlib.metadata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from opens2v_hf._util.retries import Retries
from opens2v_hf._util.text import A_LINE, is_line
from opens2v_hf._version import __version__
from opens2v_hf.data.benchmark.sample import EvalSample
from opens2v_hf.errors import ArgumentError
from opens2v_hf.evaluation.score_video import HEADER, score_of
from opens2v_hf.evaluation.videos import FoundVideos
from opens2v_hf.jobs.outcome import Outcome
from opens2v_hf.jobs.time_limit import Limits
from opens2v_hf.jobs.unit import GroupOutcome
from opens2v_hf.metrics.apply import MetricTask
from opens2v_hf.metrics.base import Metric, definitions
from opens2v_hf.models.info import ModelInfo
from opens2v_hf.results.columns import applicable_ids
from opens2v_hf.results.generation import Generation
from opens2v_hf.results.result import Coverage, MetricResult, RunResult, VideoRecord
from opens2v_hf.scores.outcome import VideoScore
from opens2v_hf.scores.seeds import SeedValues
from opens2v_hf.video.reader import Backend

_LIBRARIES = ("torch", "transformers", "numpy", "pillow", "opencv-python-headless", "decord", "av")


@dataclass(frozen=True)
class MetricPass:
    """Metrics that share one pass over the videos.

    Attributes:
        names: of the metrics.
        load: loads their models; they are released before the next pass loads its own.
    """

    names: tuple[str, ...]
    load: Callable[[], Sequence[MetricTask]]


@dataclass(frozen=True)
class Run:
    """The inputs of a scoring run.

    Attributes:
        found: the videos of the model.
        samples: all samples of the split.
        model: name of the model, for tables.
        split: for the result.
        benchmark: origin of the samples, for the result.
        backend: of the video reader.
        retries: of transient errors.
        distributed: False to score all videos in this process, even under a launcher.
        limits: of time, for a video and for other processes.
        workers: how many videos a process reads and decodes at a time; one of them at a time uses the models. None for
            one for each core.
        generation: how the videos were made, for the result; None if they were given.
        other_seeds: values of further seeds, for the result; see `RunResult.other_seeds`.

    Raises:
        ArgumentError: the name of the model is blank or has line breaks; a result with it could not be read.
    """

    found: FoundVideos
    samples: Sequence[EvalSample]
    model: str
    split: str
    benchmark: Mapping[str, Any]
    backend: Backend = "auto"
    retries: Retries = Retries()  # noqa: RUF009  it is frozen
    distributed: bool = True
    limits: Limits = Limits()  # noqa: RUF009  likewise
    workers: int | None = None
    generation: Generation | None = None
    other_seeds: Mapping[int, SeedValues] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.model, str) or not self.model.strip() or not is_line(self.model):
            raise ArgumentError(f"the name of the model must be {A_LINE}, and not blank (got {self.model!r:.80})")

    @property
    def samples_with_video(self) -> list[EvalSample]:
        """The samples that are scored."""
        return [sample for sample in self.samples if sample.id in self.found.fetch]


@dataclass(frozen=True)
class MetricRecord:
    """The record of a metric in the result; it does not refer to the models.

    Attributes:
        requested: name of the metric that was requested.
        name: of this definition; a companion has another one.
        models: see `Metric`.
        options: likewise, with the sampling.
        caveats: likewise.
        variant: of a companion; None for the requested metric itself.
    """

    requested: str
    name: str
    models: tuple[ModelInfo, ...]
    options: Mapping[str, Any]
    caveats: tuple[str, ...]
    variant: str | None = None


def metric_records(metric: Metric[Any]) -> Iterator[MetricRecord]:
    """The record of the metric, and that of its companion, if it has one."""
    for made, variant in definitions(metric):
        options = {**made.options, "sampling": made.sampling.name}
        yield MetricRecord(metric.name, made.name, tuple(made.models), options, tuple(made.caveats), variant)


def package_versions() -> dict[str, str]:
    """Versions of this package and of the libraries that decide numbers; "not installed" for those that are missing."""
    return {"opens2v-hf": __version__, **{name: _version(name) for name in _LIBRARIES}}


@functools.cache
def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def result_of(
    run: Run, records: Sequence[MetricRecord], metrics: Sequence[str], outcomes: Sequence[Sequence[GroupOutcome]]
) -> RunResult:
    """Assemble the result of a run.

    Args:
        run: its inputs.
        records: of all metrics and companions.
        metrics: requested names, in the order in which the result lists them.
        outcomes: of each sample with a video, one for each pass.
    """
    samples = run.samples_with_video
    found = run.found
    merged = [_merge(sample, passes, found) for sample, passes in zip(samples, outcomes, strict=True)]
    in_order = sorted(records, key=lambda record: list(metrics).index(record.requested))
    return RunResult(
        model=run.model,
        split=run.split,
        benchmark=dict(run.benchmark),
        source=found.source,
        coverage=Coverage(
            len(run.samples),
            len(samples),
            found.missing,
            found.unknown,
            applicable_ids({sample.id: sample.metrics for sample in run.samples}),
        ),
        videos=tuple(video for video, _ in merged),
        metrics=tuple(
            MetricResult(
                name=record.name,
                models=record.models,
                options=record.options,
                caveats=record.caveats,
                scores={
                    sample.id: _score(record, sample, scores)
                    for sample, (_, scores) in zip(samples, merged, strict=True)
                },
            )
            for record in in_order
        ),
        package=package_versions(),
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        generation=run.generation,
        other_seeds=run.other_seeds,
    )


def scores_in(outcome: GroupOutcome) -> dict[str, Outcome]:
    """Metric to outcome, for the units of a video that are scores."""
    return {name: unit for name, unit in outcome.units.items() if name != HEADER}


def _merge(
    sample: EvalSample, passes: Sequence[GroupOutcome], found: FoundVideos
) -> tuple[VideoRecord, dict[str, VideoScore]]:
    """The outcomes of all passes for one video; scores of a file that was replaced between passes fail."""
    last = next((outcome for outcome in reversed(passes) if outcome.facts), GroupOutcome())
    sha256 = last.facts.get("sha256", "")
    scores = {}
    for outcome in passes:
        for name, unit in scores_in(outcome).items():
            if outcome.facts and outcome.facts["sha256"] != sha256:
                scores[name] = VideoScore.failed(
                    f"{found.file_names[sample.id]} was replaced after it was scored with {name}; run the same command "
                    "again to score the new file"
                )
            else:
                scores[name] = score_of(unit)
    header = last.units.get(HEADER, Outcome()).value or {}
    return VideoRecord(sample.id, found.file_names[sample.id], sha256, sample.category, **header), scores


def _score(record: MetricRecord, sample: EvalSample, scores: Mapping[str, VideoScore]) -> VideoScore:
    if record.requested not in scores:
        return VideoScore.not_applicable(f"the benchmark defines no {record.requested} for {sample.id}")
    score = scores[record.requested]
    return score if record.variant is None else score.by_variant(record.variant)
