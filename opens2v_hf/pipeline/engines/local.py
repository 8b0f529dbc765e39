"""Process units on this machine, in this process or in several, as resumable jobs."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import secrets
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from pathlib import Path

from opens2v_hf._util import processes as launcher
from opens2v_hf._util.console import hide_bars, is_quiet, set_quiet
from opens2v_hf._util.progress import Progress
from opens2v_hf.errors import ArgumentError, OpenS2VError, ProcessError
from opens2v_hf.jobs.child_check import fault_of_child
from opens2v_hf.jobs.error_log import ErrorLog
from opens2v_hf.jobs.journal import Journal, open_journal
from opens2v_hf.jobs.outcome import Outcome, Retry
from opens2v_hf.jobs.processes import joined
from opens2v_hf.jobs.run import collect, run_units
from opens2v_hf.jobs.time_limit import Limits
from opens2v_hf.jobs.unit import Group, PlainGroup, Unit
from opens2v_hf.pipeline import media
from opens2v_hf.pipeline.clip_ids import whole_file
from opens2v_hf.pipeline.engines.outcome import EngineResult, plain_error
from opens2v_hf.pipeline.inputs import InputFile
from opens2v_hf.pipeline.records import SourceFile
from opens2v_hf.pipeline.stage_models import hide_bars_of_weights
from opens2v_hf.pipeline.unit_work import UnitWork
from opens2v_hf.pipeline.units import ERRORS, WORK_FOLDER, BuildUnit

JOURNAL = f"{WORK_FOLDER}/journal"

_UNIT = "unit"
_ENDPOINT = "an endpoint of a stage"
_CHECK_S = 600.0


@dataclass(frozen=True)
class LocalEngine:
    """Does units in processes of this machine.

    Attributes:
        processes: how many; 1 for this one alone.
        unit_timeout_s: what a unit may take; one that takes longer is left to the next run.
    """

    processes: int = 1
    unit_timeout_s: float = 12 * 3600.0

    def run(self, work: UnitWork, units: Sequence[BuildUnit], *, total: int | None = None) -> EngineResult:
        """Do units that are not done.

        Args:
            work: with each of them.
            units: in any order.
            total: of the dataset's units, for the progress.

        Raises:
            OpenS2VError: an option cannot be used, or nothing can be written. Finished units remain.
            ProcessError: one of several processes died. Likewise.
        """
        Limits.for_videos(self.unit_timeout_s)  # refuses what is no time
        if launcher.num_processes() > 1:
            raise ArgumentError(
                "this process was started by a launcher together with others; start `opens2v build` once, it shares "
                "the units among processes by itself (processes=)"
            )
        if not units:
            return EngineResult()
        job = _Job(work, tuple(units), self.unit_timeout_s, len(units) if total is None else total)
        count = min(self.processes, len(units))
        return _share(job) if count <= 1 else _in_children(job, count)


@dataclass(frozen=True)
class _Job:
    work: UnitWork
    units: tuple[BuildUnit, ...]
    unit_timeout_s: float
    total: int


def _share(job: _Job) -> EngineResult:
    """Process this process's share of the units; the result is that of all."""
    folder = job.work.folder / JOURNAL
    before = job.total - len(job.units)
    shown = launcher.is_main_process()
    with (
        Progress(job.total, description="building", unit="unit", initial=before, shown=shown) as progress,
        joined(
            lambda: [unit.key(job.work.recipe) for unit in job.units],
            lambda done, failed: progress.update(before + done, failed),
            folder=folder,
        ) as processes,
    ):
        journal = open_journal(folder, rank=processes.rank, launch=processes.launch)
        try:
            job.work.load()
            groups: list[Group] = [_UnitGroup(job.work, unit, journal) for unit in job.units]
            own = run_units(
                groups,
                journal=journal,
                processes=processes,
                errors=ErrorLog(job.work.folder / ERRORS),
                limits=Limits.for_videos(job.unit_timeout_s),
            )
            processes.finish()
            others = journal.gather(folder, processes.launch) if processes.count > 1 else {}
            outcomes = collect("0", len(groups), own, others, journal)
        finally:
            journal.close()
    failed = {
        unit.name: group.units[_UNIT].reason
        for unit, group in zip(job.units, outcomes, strict=True)
        if group.units[_UNIT].failed
    }
    return EngineResult(tuple(unit.name for unit in job.units if unit.name not in failed), failed)


@dataclass(frozen=True)
class _UnitGroup:
    """A unit as `jobs` sees it."""

    work: UnitWork
    unit: BuildUnit
    journal: Journal

    @property
    def name(self) -> str:
        return self.unit.name

    @property
    def unit_names(self) -> Sequence[str]:
        return (_UNIT,)

    def cost(self) -> float:
        return float(sum(file.num_bytes for file in self.unit.files))

    def open(self) -> _OpenUnit:
        key = self.unit.key(self.work.recipe)
        endings = self.journal.endings(key)
        # A single process that ended without a trace was killed from outside; the files need not be the cause.
        suspect = len(endings) > 1 or any(ending.reason for ending in endings)
        return _OpenUnit(self.work, self.unit, f"{key}/carefully" if suspect else key, carefully=suspect)


class _OpenUnit(PlainGroup):  # files that change are noticed when the unit is processed
    def __init__(self, work: UnitWork, unit: BuildUnit, key: str, *, carefully: bool) -> None:
        self._work = work
        self._unit = unit
        self._carefully = carefully
        self.key = key

    @property
    def units(self) -> Sequence[Unit]:
        return (Unit(_UNIT, lambda: self.key, self._do, about={"unit": self._unit.name}, service=_ENDPOINT),)

    def _do(self) -> Outcome:
        crashing = {}
        if self._carefully:
            faults = {file.name: fault_of_child(partial(_read_all, file), _CHECK_S) for file in self._unit.files}
            crashing = {name: f"{name}: {fault}; re-encode it" for name, fault in faults.items() if fault}
        note = self._work.do(self._unit, crashing)
        # The note next to the shard marks a finished unit; an entry in the journal could outlive both.
        return Outcome({"rows": note["rows"]}, retry=Retry.NEXT_RUN)


def _read_all(file: InputFile) -> None:
    clip = whole_file(SourceFile(file.path, file.name))
    for _ in media.reader(clip.source).iter_frames():
        pass


def _in_children(job: _Job, count: int) -> EngineResult:
    """Do the units in processes that share them; this one waits, and ends all when one has failed."""
    context = multiprocessing.get_context("spawn")  # threads of Arrow and of networks do not survive a fork
    launch = secrets.token_hex(8)
    pickled = _pickled(job)
    children = []
    try:
        for rank in range(count):
            ours, theirs = context.Pipe(duplex=False)
            environment = {
                "WORLD_SIZE": str(count),
                "LOCAL_WORLD_SIZE": str(count),
                "RANK": str(rank),
                "LOCAL_RANK": str(rank),
                "TORCHELASTIC_RUN_ID": launch,
            }
            arguments = (pickled, str(job.work.folder / ERRORS), environment, is_quiet(), theirs)
            child = context.Process(target=_child, args=arguments, name=f"opens2v-build-{rank}")
            with _no_interrupts():
                child.start()
                children.append((child, ours))  # before an interrupt can come
            theirs.close()
        answers = [_answer(ours) for _, ours in children]
        for child, _ in children:
            child.join()
    finally:
        for child, _ in children:
            if child.is_alive():
                child.terminate()
        for child, ours in children:
            child.join()
            ours.close()
    results = [answer for answer in answers if isinstance(answer, EngineResult)]
    if len(results) == count:
        return results[0]
    raised = [answer for answer in answers if isinstance(answer, Exception)]
    # The first to fail has the cause; the others only report that it failed.
    causes = [error for error in raised if isinstance(error, _UnexpectedError) or not isinstance(error, ProcessError)]
    raise next(iter(causes or raised), _silent_end([child.exitcode for child, _ in children]))


class _UnexpectedError(ProcessError):
    """What nobody has foreseen happened in a process."""


def _pickled(job: _Job) -> bytes:
    try:
        return pickle.dumps(job)
    except Exception as error:  # a stage may hold anything
        raise ArgumentError(
            f"the stages cannot be sent to other processes ({type(error).__name__}: {error}); define their classes in "
            "a module, let them open what they need in `load`, or use one process"
        ) from error


@contextmanager
def _no_interrupts() -> Iterator[None]:
    """Start a process that Ctrl-C does not reach: this one ends it, and prints one message instead of several."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # the first process would start it, which lets interrupts through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _silent_end(codes: Sequence[int | None]) -> ProcessError:
    """The error of processes that have ended without an answer."""
    code = next((code for code in codes if code is not None and code > 0), None)
    if code is not None:
        return ProcessError(
            f"a process that builds units ended with exit code {code}. A Python script must make the call under "
            "`if __name__ == '__main__':`, because each process imports the script; if it does, run the same command "
            "again to resume"
        )
    return ProcessError("a process that built units was killed; run the same command again to resume")


def _answer(ours: Connection) -> EngineResult | Exception | None:
    """The message of a child process; None if it was killed."""
    try:
        answer: EngineResult | Exception = ours.recv()
    except EOFError:
        return None
    return answer


def _child(pickled: bytes, log: str, environment: Mapping[str, str], quiet: bool, theirs: Connection) -> None:
    os.environ.update(environment)
    set_quiet(quiet)
    hide_bars_of_weights()
    if quiet or not launcher.is_main_process():  # the others wait for the same download
        hide_bars()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        job: _Job = pickle.loads(pickled)  # noqa: S301 - of the process that started this one
        theirs.send(_share(job))
    except OpenS2VError as error:
        theirs.send(plain_error(error))
    except (Exception, SystemExit) as error:  # the message goes to the user, the traceback to the file
        errors = ErrorLog(Path(log))
        errors.write("a process that builds units", error)
        theirs.send(
            _UnexpectedError(
                f"a process that builds units met an unexpected error ({type(error).__name__}: {error}); "
                f"{errors.advice}. Finished units remain, and the same command resumes from there"
            )
        )
    finally:
        media.forget()


def _end_with_parent() -> None:
    """End this process when its parent was killed, whose lock kept other runs out of the folder."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
