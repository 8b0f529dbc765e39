"""Doing units of work once, over any number of runs and processes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from typing import Any

from opens2v_hf._util.retries import Retries
from opens2v_hf.errors import OpenS2VError, ProcessError
from opens2v_hf.jobs.engine import Engine
from opens2v_hf.jobs.error_log import ErrorLog
from opens2v_hf.jobs.journal import Journal
from opens2v_hf.jobs.outcome import Retry
from opens2v_hf.jobs.overlap import Shared, overlapped
from opens2v_hf.jobs.processes import Processes, costliest_first
from opens2v_hf.jobs.time_limit import Limits
from opens2v_hf.jobs.unit import Group, GroupOutcome


def run_units(
    groups: Sequence[Group],
    *,
    journal: Journal,
    processes: Processes,
    retries: Retries | None = None,
    limits: Limits | None = None,
    errors: ErrorLog | None = None,
    retry_failed: bool = False,
    scope: str = "0",
    start: tuple[int, int] = (0, 0),
    workers: int = 1,
) -> dict[int, GroupOutcome]:
    """Do this process's share of the units of all groups.

    Units that are in the journal are not done again. An exception becomes the outcome of its unit and does not affect
    the others, unless it is an error of the caller. If an input changes meanwhile, its group is done again. A group at
    which two processes have ended (a native crash, no memory left, the time limit) is skipped.

    Args:
        groups: the same on all processes.
        journal: of finished units.
        processes: that share the groups.
        retries: of transient errors.
        limits: `group_s` bounds the time for one group.
        errors: gets the tracebacks of unexpected errors.
        retry_failed: whether to retry failures that are in the journal, and groups that ended processes.
        scope: of the claims; another one for each call in a launch.
        start: units done and failed in earlier scopes, for the progress.
        workers: how many groups this process does at a time; their number does not change the outcomes.

    Returns:
        Position to outcome of each group that this process has done. The others are in the journal; see `collect`.

    Raises:
        OpenS2VError: an error of the caller, the journal cannot be written, or another process failed.
    """
    shared = Shared()
    engine = Engine(
        journal,
        retries or Retries(),
        limits or Limits(),
        errors or ErrorLog(),
        retry_failed=retry_failed,
        shared=shared,
    )
    outcomes: dict[int, GroupOutcome] = {}
    running: dict[int, str] = {}
    done, failed = start

    def begin(index: int) -> None:
        running[index] = groups[index].name
        processes.report(done, failed, ", ".join(running.values()))

    def do(index: int) -> GroupOutcome:
        try:
            return engine.do(groups[index])
        except OpenS2VError as error:  # it ends the run on all processes; the message names the group
            named = processes.error_at(groups[index].name, error)
            if named is error:
                raise
            raise named from error

    def do_all(indices: Iterable[int], workers: int) -> None:
        nonlocal done, failed
        # closed also when an error is raised here, so that all threads end
        with closing(overlapped(do, indices, workers=workers, shared=shared, begin=begin)) as finished:
            for index, outcome in finished:
                group = groups[index]
                before = outcomes.get(index)
                outcomes[index] = outcome
                if processes.count > 1:
                    journal.add_group(f"{scope}/{index}", outcome.to_dict())
                failed += outcome.num_failed(group.unit_names)
                if before is None:
                    done += len(group.unit_names)
                else:
                    failed -= before.num_failed(group.unit_names)
                del running[index]
                processes.report(done, failed, ", ".join(running.values()))

    order = _order(groups, processes)
    suspects = [index for index in order if groups[index].name in journal.suspects]
    do_all(processes.claim(scope, [index for index in order if index not in suspects]), workers)
    do_all(processes.claim(scope, suspects), 1)  # one at a time: if the process ends, it is clear at which one
    again = [
        index
        for index, outcome in outcomes.items()
        if any(unit.retry is Retry.THIS_RUN for unit in outcome.units.values())
    ]
    do_all(again, workers)
    return outcomes


def collect(
    scope: str, count: int, own: Mapping[int, GroupOutcome], others: Mapping[str, Any], journal: Journal
) -> list[GroupOutcome]:
    """The outcomes of all groups, those of other processes included.

    Args:
        scope: of the groups.
        count: number of groups.
        own: returned by `run_units` on this process.
        others: returned by `Journal.gather` when all processes have finished.
        journal: that gathered them.

    Raises:
        ProcessError: a group is missing.
    """
    outcomes = []
    for index in range(count):
        if index in own:
            outcomes.append(own[index])
        elif (record := others.get(f"{scope}/{index}")) is not None:
            outcomes.append(GroupOutcome.from_dict(record, journal))
        else:
            raise ProcessError(
                "a process has finished, but its records are not in the folder of the journal; all processes must "
                "share that folder"
            )
    return outcomes


def _order(groups: Sequence[Group], processes: Processes) -> list[int]:
    """Costliest first if several processes share the groups."""
    if processes.count > 1:
        return costliest_first([_cost(group) for group in groups])
    return list(range(len(groups)))


def _cost(group: Group) -> float:
    try:
        return group.cost()
    except Exception:  # reported when the group is opened
        return 0.0
