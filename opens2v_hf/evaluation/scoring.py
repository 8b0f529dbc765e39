"""Scoring the videos of one model on one split: each video is opened once and scored with every metric."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

from opens2v_hf._util import processes as launcher
from opens2v_hf._util.console import remark
from opens2v_hf._util.progress import Progress
from opens2v_hf._util.retries import free_memory
from opens2v_hf.evaluation.ask_ahead import ask_ahead
from opens2v_hf.evaluation.cost_model import estimated_here
from opens2v_hf.evaluation.output import Output
from opens2v_hf.evaluation.run import (
    MetricPass,
    MetricRecord,
    Run,
    metric_records,
    package_versions,
    result_of,
    scores_in,
)
from opens2v_hf.evaluation.score_video import ScoringPass, VideoGroup, score_of
from opens2v_hf.evaluation.timings import Timings
from opens2v_hf.jobs.error_log import ErrorLog
from opens2v_hf.jobs.journal import Journal, open_journal
from opens2v_hf.jobs.outcome import Retry
from opens2v_hf.jobs.overlap import default_workers
from opens2v_hf.jobs.processes import Processes, joined
from opens2v_hf.jobs.run import collect, run_units
from opens2v_hf.jobs.unit import GroupOutcome
from opens2v_hf.metrics.base import setting_of
from opens2v_hf.results.result import RunResult
from opens2v_hf.scores.outcome import Status


def score_passes(
    run: Run,
    passes: Sequence[MetricPass],
    metrics: Sequence[str],
    *,
    output: Output | None = None,
) -> RunResult:
    """Score every video that was found with every metric.

    Under `accelerate launch` with several processes they share the videos, and each gets the whole result. A video that
    cannot be downloaded, opened or read, that a judge cannot rate, or whose reference pictures cannot be read fails
    with its reason, and the run continues.

    Args:
        run: its inputs.
        passes: the metrics, one group of them after another.
        metrics: names of all of them, in the order in which the result lists them.
        output: of the journal and the result; None to write neither.

    Raises:
        ArgumentError: the output has a result that this run cannot resume.
        ModelError: a model cannot be loaded.
        ResultError: another run uses the output, or it cannot be written; finished scores are saved.
        ProcessError: the videos were shared, and a process failed, died, or was given other ones.
    """
    samples = run.samples_with_video
    found = run.found
    num_units = sum(len(set(metrics) & set(sample.metrics)) for sample in samples)
    with ExitStack() as held:
        progress = held.enter_context(
            Progress(
                num_units,
                description=f"{run.model}, {run.split}",
                unit="score",
                shown=not run.distributed or launcher.is_main_process(),
            )
        )

        def lock_output() -> None:
            if output is not None:
                held.enter_context(output.held(model=run.model, source=found.source, metrics=metrics))

        processes = held.enter_context(
            joined(
                lambda: [
                    [found.file_names[sample.id] for sample in samples],
                    found.source,
                    dict(run.benchmark),
                    metrics,
                ],
                progress.update,
                folder=None if output is None else output.journal,
                prepare=lock_output,
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
        records, own = _score_all(run, passes, processes, journal, output, timings)
        processes.finish()
        others = journal.gather(folder, processes.launch) if folder is not None and processes.count > 1 else {}
        by_pass = [collect(str(number), len(samples), part, others, journal) for number, part in enumerate(own)]
        outcomes = list(zip(*by_pass, strict=True)) if by_pass else [() for _ in samples]
        result = result_of(run, records, metrics, outcomes)
        if output is not None and processes.rank == 0:
            result.save(output.result)
            timings.save(output.journal)
    if output is not None and processes.rank == 0:
        remark(f"{run.model}, {run.split}: {_count(outcomes)}")
        if table := timings.format(estimated_here(result)):
            remark(f"seconds a video in this process, of one core for metrics without a model:\n{table}")
    return result


def _score_all(
    run: Run,
    passes: Sequence[MetricPass],
    processes: Processes,
    journal: Journal,
    output: Output | None,
    timings: Timings,
) -> tuple[list[MetricRecord], list[dict[int, GroupOutcome]]]:
    """Do this process's share of every pass: records of the metrics, and for each pass position to outcome."""
    records: list[MetricRecord] = []
    outcomes: list[dict[int, GroupOutcome]] = []
    errors = ErrorLog(None if output is None else output.errors)
    done = failed = 0
    for number, part in enumerate(passes):
        tasks = part.load()
        processes.must_agree(f"pass {number}", [setting_of(task.metric) for task in tasks])
        records += [record for task in tasks for record in metric_records(task.metric)]
        common = ScoringPass(
            run.found,
            tasks,
            package_versions(),
            backend=run.backend,
            thumbnails=None if output is None else output.thumbnails,
            errors=errors,
            timings=timings,
        )
        groups = [VideoGroup(common, sample) for sample in run.samples_with_video]
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
        del common, groups, tasks  # they hold the models of this pass
        if number + 1 < len(passes):
            free_memory()
    return records, outcomes


def _count(outcomes: Sequence[Sequence[GroupOutcome]]) -> str:
    """The numbers of scored, resumed and failed units, in words."""
    units = [unit for passes in outcomes for outcome in passes for unit in scores_in(outcome).values()]
    failed = [unit for unit in units if unit.failed]
    not_applicable = sum(score_of(unit).status is Status.NOT_APPLICABLE for unit in units)
    retried = sum(unit.retry is not Retry.NEVER for unit in failed)
    parts = [
        f"{len(units) - len(failed) - not_applicable} of {len(units)} scored",
        f"{sum(unit.known for unit in units)} taken from the journal",
    ]
    if not_applicable:
        parts.append(f"{not_applicable} not applicable")
    if failed:
        parts.append(f"{len(failed)} failed")
    if retried:
        parts.append(f"of which the same command will try {retried} again")
    return ", ".join(parts)
