"""Scoring the videos of one model on one split: each video is opened once and every metric looks at it."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from opens2v_hf._util import processes as launcher
from opens2v_hf._util.console import remark
from opens2v_hf._util.progress import Progress
from opens2v_hf._util.retries import Retries, free_memory
from opens2v_hf._util.text import A_LINE, is_line
from opens2v_hf._version import __version__
from opens2v_hf.data.benchmark.sample import EvalSample
from opens2v_hf.errors import ArgumentError
from opens2v_hf.evaluation.ask_ahead import ask_ahead
from opens2v_hf.evaluation.output import Output
from opens2v_hf.evaluation.score_video import HEADER, ScoringPass, VideoGroup, score_of
from opens2v_hf.evaluation.timings import Timings
from opens2v_hf.evaluation.videos import FoundVideos
from opens2v_hf.jobs.error_log import ErrorLog
from opens2v_hf.jobs.journal import Journal, open_journal
from opens2v_hf.jobs.outcome import Outcome, Retry
from opens2v_hf.jobs.overlap import default_workers
from opens2v_hf.jobs.processes import Processes, joined
from opens2v_hf.jobs.run import collect, run_units
from opens2v_hf.jobs.time_limit import Limits
from opens2v_hf.jobs.unit import GroupOutcome
from opens2v_hf.metrics.apply import MetricTask
from opens2v_hf.metrics.base import Metric, definitions, setting_of
from opens2v_hf.models.info import ModelInfo
from opens2v_hf.results.columns import applicable_ids
from opens2v_hf.results.generation import Generation
from opens2v_hf.results.result import Coverage, MetricResult, RunResult, VideoRecord
from opens2v_hf.scores.outcome import Status, VideoScore
from opens2v_hf.scores.seeds import SeedValues
from opens2v_hf.video.reader import Backend

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
        limits: how long a video may take, and how long other processes are waited for.
        generation: who made the videos, for the record; None where they were given.
        other_seeds: values of further seeds, for the record; see `RunResult.other_seeds`.
        workers: how many videos a process reads and decodes at a time; the models are used by one of them at a time.
            None for one a core.

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
    limits: Limits = Limits()  # noqa: RUF009  likewise
    workers: int | None = None
    generation: Generation | None = None
    other_seeds: Mapping[int, SeedValues] = field(default_factory=dict)

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
    # It needs what is defined here; before the work, after which there may be no memory left for a library.
    from opens2v_hf.evaluation.cost_model import estimated_here

    wanted = run.wanted
    found = run.found
    num_units = sum(len(set(metrics) & set(sample.metrics)) for sample in wanted)
    with ExitStack() as held:
        progress = held.enter_context(
            Progress(
                num_units,
                description=f"{run.model}, {run.split}",
                unit="score",
                shown=not run.distributed or launcher.is_main_process(),
            )
        )

        def take_output() -> None:
            if output is not None:
                held.enter_context(
                    output.held(model=run.model, source=found.source, metrics=metrics, known_metrics=known_metrics)
                )

        processes = held.enter_context(
            joined(
                lambda: [
                    [found.file_names[sample.id] for sample in wanted],
                    found.source,
                    dict(run.benchmark),
                    metrics,
                ],
                progress.update,
                folder=None if output is None else output.journal,
                prepare=take_output,
                distributed=run.distributed,
                limits=run.limits,
            )
        )
        folder = output.journal if output is not None else processes.folder
        journal = Journal()
        if folder is not None:
            journal = open_journal(folder, rank=processes.rank, launch=processes.launch)
            held.callback(journal.close)
        timings = Timings()
        described, own = _score_all(run, passes, processes, journal, output, timings)
        processes.finish()
        others = journal.gather(folder, processes.launch) if folder is not None and processes.count > 1 else {}
        by_pass = [collect(str(number), len(wanted), part, others, journal) for number, part in enumerate(own)]
        outcomes = list(zip(*by_pass, strict=True)) if by_pass else [() for _ in wanted]
        result = _result(run, described, metrics, outcomes)
        if output is not None and processes.rank == 0:
            result.save(output.result)
            timings.save(output.journal)
    if output is not None and processes.rank == 0:
        remark(f"{run.model}, {run.split}: {_count(outcomes)}")
        if table := timings.format(estimated_here(result)):
            remark(f"seconds a video of this process:\n{table}")
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
    run: Run,
    passes: Sequence[MetricPass],
    processes: Processes,
    journal: Journal,
    output: Output | None,
    timings: Timings,
) -> tuple[list[_Described], list[dict[int, GroupOutcome]]]:
    """Do this process's share of every pass: what the metrics are, and what came of which videos in each pass."""
    described: list[_Described] = []
    outcomes: list[dict[int, GroupOutcome]] = []
    errors = ErrorLog(None if output is None else output.errors)
    done = failed = 0
    for number, part in enumerate(passes):
        tasks = part.load()
        processes.must_agree(f"pass {number}", [setting_of(task.metric) for task in tasks])
        described += [made for task in tasks for made in _describe(task.metric)]
        common = ScoringPass(
            run.found,
            tasks,
            package_versions(),
            backend=run.backend,
            thumbnails=None if output is None else output.thumbnails,
            errors=errors,
            timings=timings,
        )
        groups = [VideoGroup(common, sample) for sample in run.wanted]
        ask_ahead(tasks, groups, journal, processes)
        outcomes.append(
            run_units(
                groups,
                journal=journal,
                processes=processes,
                retries=run.retries,
                limits=run.limits,
                errors=errors,
                retry_failed=output is not None and output.retry_failed,
                scope=str(number),
                start=(done, failed),
                workers=default_workers() if run.workers is None else run.workers,
            )
        )
        done += sum(len(groups[index].unit_names) for index in outcomes[-1])
        failed += sum(outcome.num_failed(groups[index].unit_names) for index, outcome in outcomes[-1].items())
        del common, groups, tasks
        if number + 1 < len(passes):
            free_memory()
    return described, outcomes


def _describe(metric: Metric[Any]) -> Iterator[_Described]:
    """The metric itself, and the definition beside it where it has one."""
    for made, variant in definitions(metric):
        yield _Described(metric.name, made.name, *_facts(made), variant)


def _facts(metric: Metric[Any]) -> tuple[tuple[ModelInfo, ...], Mapping[str, Any], tuple[str, ...]]:
    return tuple(metric.models), {**metric.options, "sampling": metric.sampling.name}, tuple(metric.caveats)


def _result(
    run: Run, described: Sequence[_Described], metrics: Sequence[str], outcomes: Sequence[Sequence[GroupOutcome]]
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
        generation=run.generation,
        other_seeds=run.other_seeds,
    )


def _merge(
    sample: EvalSample, parts: Sequence[GroupOutcome], found: FoundVideos
) -> tuple[VideoRecord, dict[str, VideoScore]]:
    """One video's outcomes of all passes; those of another video that was there meanwhile do not count."""
    last = next((part for part in reversed(parts) if part.facts), GroupOutcome())
    sha256 = last.facts.get("sha256", "")
    scores = {}
    for part in parts:
        for name, unit in _scores_of(part).items():
            if part.facts and part.facts["sha256"] != sha256:
                scores[name] = VideoScore.failed(
                    f"{found.file_names[sample.id]} was replaced after {name} had looked at it; run the same command "
                    "again to score it anew"
                )
            else:
                scores[name] = score_of(unit)
    header = last.units.get(HEADER, Outcome()).value or {}
    record = VideoRecord(sample.id, found.file_names[sample.id], sha256, sample.category, **header)
    return record, scores


def _scores_of(part: GroupOutcome) -> dict[str, Outcome]:
    """Metric to outcome."""
    return {name: unit for name, unit in part.units.items() if name != HEADER}


def _score(metric: _Described, sample: EvalSample, scores: Mapping[str, VideoScore]) -> VideoScore:
    if metric.asked not in scores:
        return VideoScore.not_applicable(f"the benchmark defines no {metric.asked} for {sample.id}")
    score = scores[metric.asked]
    return score if metric.variant is None else score.by_variant(metric.variant)


def _count(outcomes: Sequence[Sequence[GroupOutcome]]) -> str:
    """What came of all units, in words."""
    units = [unit for parts in outcomes for part in parts for unit in _scores_of(part).values()]
    failed = [unit for unit in units if unit.failed]
    not_applicable = sum(score_of(unit).status is Status.NOT_APPLICABLE for unit in units)
    again = sum(unit.retry is not Retry.NEVER for unit in failed)
    said = [
        f"{len(units) - len(failed) - not_applicable} of {len(units)} scored",
        f"{sum(unit.known for unit in units)} taken from the journal",
    ]
    if not_applicable:
        said.append(f"{not_applicable} not applicable")
    if failed:
        said.append(f"{len(failed)} failed")
    if again:
        said.append(f"of which the same command will try {again} again")
    return ", ".join(said)
