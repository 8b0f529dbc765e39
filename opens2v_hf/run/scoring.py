"""Scoring the videos of one model on one split: each video is opened once and every metric looks at it."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from opens2v_hf._util.console import remark
from opens2v_hf._version import __version__
from opens2v_hf.data.sample import EvalSample
from opens2v_hf.errors import ArgumentError
from opens2v_hf.models.info import ModelInfo
from opens2v_hf.run.cost import video_cost
from opens2v_hf.run.fields import A_LINE, is_line
from opens2v_hf.run.journal.book import Journal, open_journal
from opens2v_hf.run.metrics.base import Metric, definitions, setting_of
from opens2v_hf.run.output import Output
from opens2v_hf.run.result import Coverage, MetricResult, RunResult, VideoRecord
from opens2v_hf.run.result_columns import applicable_ids
from opens2v_hf.run.retries import Retries, free_memory
from opens2v_hf.run.score_video import FINAL, MetricTask, VideoOutcome, VideoScorer
from opens2v_hf.run.team import Team, costliest_first, gather
from opens2v_hf.run.videos import FoundVideos
from opens2v_hf.scores.outcome import Status, VideoScore
from opens2v_hf.video.reader import Backend

__all__ = ["MetricPass", "MetricTask", "Run", "package_versions", "score_found", "score_passes"]

_LIBRARIES = ("torch", "transformers", "numpy", "pillow", "opencv-python-headless", "decord", "av")


@dataclass(frozen=True)
class MetricPass:
    """Metrics that look at the videos together.

    Attributes:
        names: of the metrics.
        load: loads their models; what it gives is let go of before the next pass loads its own.
    """

    names: tuple[str, ...]
    load: Callable[[], Sequence[MetricTask]]


@dataclass(frozen=True)
class Run:
    """What is scored, and what a result says of it.

    Attributes:
        found: the model's videos.
        samples: all samples of the split.
        model: name of the model, for tables.
        split: for the record.
        benchmark: where the samples came from, for the record.
        backend: of the video reader.
        retries: of what may pass.
        distributed: False to score everything in this process, whatever was launched.

    Raises:
        ArgumentError: the model's name is blank or cannot be printed in one line; a result with it could not be read.
    """

    found: FoundVideos
    samples: Sequence[EvalSample]
    model: str
    split: str
    benchmark: Mapping[str, Any]
    backend: Backend = "auto"
    retries: Retries = Retries()  # noqa: RUF009  it is frozen
    distributed: bool = True

    def __post_init__(self) -> None:
        if not isinstance(self.model, str) or not self.model.strip() or not is_line(self.model):
            raise ArgumentError(
                f"the model's name is {A_LINE}, not only blanks (got {self.model!r:.80}); choose another"
            )

    @property
    def wanted(self) -> list[EvalSample]:
        """The samples that have a video."""
        return [sample for sample in self.samples if sample.id in self.found.fetch]


@dataclass(frozen=True)
class _Described:
    """What a result says of a metric, kept when its models are gone.

    Attributes:
        asked: name of the metric that was asked for.
        variant: the definition beside that one which this is; None where it is that one.
    """

    asked: str
    name: str
    models: tuple[ModelInfo, ...]
    options: Mapping[str, Any]
    caveats: tuple[str, ...]
    variant: str | None = None


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
    """Score every video that was found with metrics that are loaded; see `score_passes`, which loads them itself.

    Args:
        found: the model's videos.
        samples: all samples of the split.
        tasks: the metrics, in the order in which the result lists them.
        model: name of the model, for tables.
        split: for the record.
        benchmark: where the samples came from, for the record.
        backend: of the video reader.
        distributed: see `Run`.

    Raises:
        ProcessError: the videos were shared, and a process failed, died, or was given other ones.
    """
    run = Run(found, samples, model, split, benchmark, backend, distributed=distributed)
    names = tuple(task.metric.name for task in tasks)
    return score_passes(run, [MetricPass(names, lambda: tasks)], names)


def score_passes(
    run: Run,
    passes: Sequence[MetricPass],
    metrics: Sequence[str],
    *,
    output: Output | None = None,
    known_metrics: Collection[str] = (),
) -> RunResult:
    """Score every video that was found with every metric.

    Under `accelerate launch` with several processes they share the videos, and each gets the whole result. A video that
    cannot be fetched, opened or read, one that a judge cannot rate, and one whose reference pictures cannot be had
    fails with its reason and the run goes on.

    Args:
        run: what is scored.
        passes: the metrics, one group of them after another.
        metrics: names of all of them, in the order in which the result lists them.
        output: where the journal is kept and the result is written; None to do neither.
        known_metrics: names of all metrics that there are.

    Raises:
        ArgumentError: a result is there that this run would replace by something else.
        ModelError: a model cannot be loaded.
        ResultError: another run is writing to the same place, or it cannot be written; what is finished is kept.
        ProcessError: the videos were shared, and a process failed, died, or was given other ones.
    """
    wanted = run.wanted
    found = run.found
    with (
        gather(
            lambda: [[found.file_names[sample.id] for sample in wanted], found.source, dict(run.benchmark), metrics],
            num_items=len(wanted),
            num_units=sum(len(set(metrics) & set(sample.metrics)) for sample in wanted),
            description=f"{run.model}, {run.split}",
            unit="score",
            distributed=run.distributed,
            keeps=output is not None,
        ) as team,
        ExitStack() as held,
    ):
        journal = Journal()
        if output is not None:
            if team.rank == 0:
                held.enter_context(
                    output.held(model=run.model, source=found.source, metrics=metrics, known_metrics=known_metrics)
                )
            team.tell_all("output", True)  # nobody reads or writes there before the main process holds it
            journal = open_journal(output.journal, team, fresh=output.fresh)
            held.callback(journal.close)
        described = _score_all(run, passes, team, journal, output)
        team.finish()
        outcomes = [
            [VideoOutcome.from_dict(team.take(f"{number}/{index}")) for number in range(len(passes))]
            for index in range(len(wanted))
        ]
        result = _result(run, described, metrics, outcomes)
        if output is not None and team.rank == 0:
            result.save(output.result)
    if output is not None and team.rank == 0:
        remark(f"{run.model}, {run.split}: {_count(outcomes)}")
    return result


def package_versions() -> dict[str, str]:
    """Versions of this package and of the libraries that decide numbers, as far as they are installed."""
    versions = {"opens2v-hf": __version__}
    for name in _LIBRARIES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "not installed"
    return versions


def _score_all(
    run: Run, passes: Sequence[MetricPass], team: Team, journal: Journal, output: Output | None
) -> list[_Described]:
    """Do this process's share of every pass, and hand it to the others as `<pass>/<video>`."""
    described: list[_Described] = []
    shown = _Shown(team)
    for number, part in enumerate(passes):
        tasks = part.load()
        team.must_agree(f"pass {number}", [setting_of(task.metric) for task in tasks])
        described += [made for task in tasks for made in _describe(task.metric)]
        scorer = VideoScorer(
            run.found,
            tasks,
            journal,
            package_versions(),
            backend=run.backend,
            retries=run.retries,
            thumbnails=None if output is None else output.thumbnails,
            retry_failed=output is not None and output.retry_failed,
        )
        _score_pass(run, number, tasks, scorer, team, shown)
        del scorer, tasks
        if number + 1 < len(passes):
            free_memory()
    return described


class _Shown:
    """How much this process has done in all passes."""

    def __init__(self, team: Team) -> None:
        self._team = team
        self._done = self._failed = 0

    def add(self, done: int, failed: int) -> None:
        self._done += done
        self._failed += failed
        self._team.report(self._done, self._failed)


def _score_pass(
    run: Run, number: int, tasks: Sequence[MetricTask], scorer: VideoScorer, team: Team, shown: _Shown
) -> None:
    wanted = run.wanted

    def order() -> list[int]:
        return costliest_first([_cost(run.found, sample, tasks) for sample in wanted])

    def score(index: int) -> VideoOutcome:
        with team.at(run.found.file_names[wanted[index].id]):
            outcome = scorer.score(wanted[index])
        team.hand_over(f"{number}/{index}", outcome.to_dict())
        return outcome

    failed_in_passing: dict[int, int] = {}
    for index in team.claim(f"pass {number}", order, all_begin=number == 0):
        outcome = score(index)
        if outcome.worth_another_try:
            failed_in_passing[index] = outcome.num_failed
        shown.add(len(outcome.units), outcome.num_failed)
    for index, num_failed in failed_in_passing.items():
        shown.add(0, score(index).num_failed - num_failed)


def _cost(found: FoundVideos, sample: EvalSample, tasks: Sequence[MetricTask]) -> float:
    if found.is_remote:  # no process downloads what another one scores
        return 1.0
    rules = [task.metric.sampling for task in tasks if task.metric.name in sample.metrics]
    return video_cost(found.fetch[sample.id](), rules)


def _describe(metric: Metric[Any]) -> Iterator[_Described]:
    """The metric itself, and the definition beside it where it has one."""
    for made, variant in definitions(metric):
        yield _Described(metric.name, made.name, *_facts(made), variant)


def _facts(metric: Metric[Any]) -> tuple[tuple[ModelInfo, ...], Mapping[str, Any], tuple[str, ...]]:
    return tuple(metric.models), {**metric.options, "sampling": metric.sampling.name}, tuple(metric.caveats)


def _result(
    run: Run, described: Sequence[_Described], metrics: Sequence[str], outcomes: Sequence[Sequence[VideoOutcome]]
) -> RunResult:
    wanted = run.wanted
    found = run.found
    merged = [_merge(sample, parts, found) for sample, parts in zip(wanted, outcomes, strict=True)]
    in_order = sorted(described, key=lambda metric: list(metrics).index(metric.asked))
    return RunResult(
        model=run.model,
        split=run.split,
        benchmark=dict(run.benchmark),
        source=found.source,
        coverage=Coverage(
            len(run.samples),
            len(wanted),
            found.missing,
            found.unknown,
            applicable_ids({sample.id: sample.metrics for sample in run.samples}),
        ),
        videos=tuple(record for record, _ in merged),
        metrics=tuple(
            MetricResult(
                name=metric.name,
                models=metric.models,
                options=metric.options,
                caveats=metric.caveats,
                scores={
                    sample.id: _score(metric, sample, scores)
                    for sample, (_, scores) in zip(wanted, merged, strict=True)
                },
            )
            for metric in in_order
        ),
        package=package_versions(),
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _merge(
    sample: EvalSample, parts: Sequence[VideoOutcome], found: FoundVideos
) -> tuple[VideoRecord, dict[str, VideoScore]]:
    """One video's outcomes of all passes; those of another video that was there meanwhile do not count."""
    last = next((part for part in reversed(parts) if part.sha256), VideoOutcome())
    scores = {}
    for part in parts:
        for name, unit in part.units.items():
            if part.sha256 and part.sha256 != last.sha256:
                scores[name] = VideoScore.failed(
                    f"{found.file_names[sample.id]} was replaced after {name} had looked at it; run the same command "
                    "again to score it anew"
                )
            else:
                scores[name] = VideoScore.from_dict(unit.score)
    record = VideoRecord(sample.id, found.file_names[sample.id], last.sha256, sample.category, **last.header)
    return record, scores


def _score(metric: _Described, sample: EvalSample, scores: Mapping[str, VideoScore]) -> VideoScore:
    if metric.asked not in scores:
        return VideoScore.not_applicable(f"the benchmark defines no {metric.asked} for {sample.id}")
    score = scores[metric.asked]
    return score if metric.variant is None else score.by_variant(metric.variant)


def _count(outcomes: Sequence[Sequence[VideoOutcome]]) -> str:
    """What came of all units, in words."""
    units = [unit for parts in outcomes for part in parts for unit in part.units.values()]
    status = [unit.score["status"] for unit in units]
    failed = [unit for unit in units if unit.failed]
    again = sum(unit.stands != FINAL for unit in failed)
    said = [
        f"{status.count(Status.SCORED)} of {len(units)} scored",
        f"{sum(not unit.new for unit in units)} taken from the journal",
    ]
    if not_applicable := status.count(Status.NOT_APPLICABLE):
        said.append(f"{not_applicable} not applicable")
    if failed:
        said.append(f"{len(failed)} failed")
    if again:
        said.append(f"of which the same command will try {again} again")
    return ", ".join(said)
