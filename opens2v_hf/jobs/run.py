"""Units of work that are done once, whatever happens to the process in between.

This is the only place where a unit is looked up in the journal, retried, where an error becomes an outcome, and where
progress is reported.
"""

from __future__ import annotations

import logging
import math
import multiprocessing
import sys
import time
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Protocol, TypeVar

from opens2v_hf.errors import (
    ArgumentError,
    ImageError,
    JudgeError,
    MaskError,
    MissingDependencyError,
    ModelError,
    OpenS2VError,
    ProcessError,
    ResultError,
    SampleError,
    ServiceUnavailableError,
    SourceError,
    VideoError,
)
from opens2v_hf.jobs.endings import Ending
from opens2v_hf.jobs.error_log import ErrorLog
from opens2v_hf.jobs.journal import Journal
from opens2v_hf.jobs.outcome import Outcome, Retry, plain
from opens2v_hf.jobs.processes import Limits, Processes, costliest_first
from opens2v_hf.jobs.retries import Retries, free_memory, is_out_of_memory, may_pass
from opens2v_hf.jobs.time_limit import TimeLimited, TimeLimitError

_LOGGER = logging.getLogger(__name__)
_Result = TypeVar("_Result")

MAX_CHANGES = 3
MAX_ENDINGS = 2

_ENDS_THE_RUN = (ArgumentError, MissingDependencyError, ModelError, ProcessError, ResultError)
"""What the user asked for cannot be done, for any group; or nothing more can be written."""
_IN_THE_INPUT = (ImageError, MaskError, SourceError, VideoError)
"""The same input fails again."""
_IN_A_SERVICE = (JudgeError, SampleError)
_CHECK_S = 600.0


@dataclass(frozen=True)
class Unit:
    """The smallest piece of work that is kept.

    Attributes:
        name: unique in its group.
        key: computes a digest of all that the outcome follows from.
        work: does the unit; a failure is an outcome or an exception.
        about: for people who read the journal.
        service: what the unit needs that may stop answering; see `ServiceUnavailableError`.
        required: whether the units after it in its group fail when it fails.
    """

    name: str
    key: Callable[[], str]
    work: Callable[[], Outcome]
    about: Mapping[str, Any] = field(default_factory=dict)
    service: str = ""
    required: bool = False


class OpenGroup(Protocol):
    """A group whose input is there.

    Attributes:
        key: a digest of the input and of what is done with it.
        facts: about the input, JSON-compatible.
        units: in the order in which they are done.
    """

    @property
    def key(self) -> str: ...  # noqa: D102
    @property
    def facts(self) -> Mapping[str, Any]: ...  # noqa: D102
    @property
    def units(self) -> Sequence[Unit]: ...  # noqa: D102

    def prepare(self, names: Collection[str]) -> None:
        """Get ready for the units that are to be done."""
        ...

    def is_changed(self) -> bool:
        """Whether the input may be another one than when the group was opened."""
        ...

    @property
    def check(self) -> Callable[[], None] | None:
        """Reads the input in another process, which may end by it; None where there is nothing to be tried out."""
        ...


class Group(Protocol):
    """Units that share an input and are done together by one process."""

    @property
    def name(self) -> str:
        """For messages; unique."""
        ...

    @property
    def unit_names(self) -> Sequence[str]:
        """Names of the units that are counted."""
        ...

    def cost(self) -> float:
        """About how much work it is; asked only where several processes share the groups."""
        ...

    def open(self) -> OpenGroup:
        """Get the input."""
        ...


@dataclass(frozen=True)
class GroupOutcome:
    """What came of a group.

    Attributes:
        facts: of its input; empty where it could not be had.
        units: name to outcome.
        error: the first exception that became a failure of a unit, where one did.
    """

    facts: Mapping[str, Any] = field(default_factory=dict)
    units: Mapping[str, Outcome] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict)
    error: BaseException | None = None

    def num_failed(self, names: Collection[str]) -> int:
        """How many of these units failed."""
        return sum(outcome.failed for name, outcome in self.units.items() if name in names)

    def to_dict(self) -> dict[str, Any]:
        """JSON-compatible; what is in the journal is named by its key."""
        units = {
            name: {"key": self.keys[name], "known": outcome.known} if name in self.keys else outcome.to_dict()
            for name, outcome in self.units.items()
        }
        return {"facts": dict(self.facts), "units": units}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any], journal: Journal) -> GroupOutcome:
        """What `to_dict` was called on by another process of the launch."""
        units = {}
        for name, unit in record["units"].items():
            outcome = journal.get(unit["key"]) if "key" in unit else Outcome.from_dict(unit)
            if outcome is None:
                raise ProcessError(f"the journal does not hold what a process has written for {name}; run it again")
            units[name] = replace(outcome, known=unit["known"]) if "key" in unit else outcome
        return cls(record["facts"], units)


class _ChangedError(Exception):
    """The input is not the one that was opened."""


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
    raise_errors: bool = False,
) -> dict[int, GroupOutcome]:
    """Do this process's share of the units of all groups.

    What the journal has is taken from it. A unit that fails never costs the others: whatever is raised becomes its
    outcome, but for what the user did wrong. An input that changes meanwhile is done again. A group at which two
    processes have ended (a native crash, no memory left, the time limit) is not tried any more.

    Args:
        groups: the same on all processes.
        journal: of finished units.
        processes: that share the groups.
        retries: of transient errors.
        limits: `group_s` bounds the time for one group.
        errors: gets the tracebacks of unexpected errors.
        retry_failed: whether to retry failures that earlier runs have kept, and groups that ended processes.
        scope: of the claims, where groups are run more than once in a launch.
        start: units done and failed in scopes before, for the progress.
        raise_errors: end the run by the first exception of a unit.

    Returns:
        Position of each group that this process has done to what came of it. The others are in the journal; see
        `collect`.

    Raises:
        OpenS2VError: what was asked for cannot be done, the journal cannot be written, or another process failed.
    """
    engine = _Engine(journal, retries or Retries(), limits or Limits(), errors or ErrorLog(), retry_failed)
    outcomes: dict[int, GroupOutcome] = {}
    done, failed = start

    def do(index: int) -> None:
        nonlocal done, failed
        group = groups[index]
        processes.report(done, failed, group.name)
        before = outcomes.get(index)
        outcomes[index] = outcome = engine.do(group)
        if raise_errors and outcome.error is not None:
            raise processes.error_at(group.name, outcome.error) from outcome.error
        if processes.count > 1:
            journal.add_group(f"{scope}/{index}", outcome.to_dict())
        failed += outcome.num_failed(group.unit_names)
        if before is None:
            done += len(group.unit_names)
        else:
            failed -= before.num_failed(group.unit_names)
        processes.report(done, failed, "")

    try:
        for index in processes.claim(scope, _order(groups, journal, processes)):
            do(index)
        for index in list(outcomes):
            if any(unit.retry is Retry.THIS_RUN for unit in outcomes[index].units.values()):
                do(index)
    finally:
        engine.close()
    return outcomes


def collect(
    scope: str, count: int, own: Mapping[int, GroupOutcome], others: Mapping[str, Any], journal: Journal
) -> list[GroupOutcome]:
    """What came of all groups, those of other processes included.

    Args:
        scope: of the groups.
        count: of the groups.
        own: what `run_units` returned here.
        others: what `Journal.gather` returned, once all processes have finished.
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
                "a process has finished, and what it wrote is not in the journal's folder; all processes must share "
                "that folder"
            )
    return outcomes


def _order(groups: Sequence[Group], journal: Journal, processes: Processes) -> list[int]:
    """Costliest first where the groups are shared; what may have ended a process before comes last."""
    order = list(range(len(groups)))
    if processes.count > 1:
        order = costliest_first([_cost(group) for group in groups])
    return sorted(order, key=lambda index: groups[index].name in journal.suspects)


def _cost(group: Group) -> float:
    try:
        return group.cost()
    except Exception:  # why is found, and said, when it is opened
        return 0.0


class _Engine:
    """Does one group after another."""

    def __init__(
        self, journal: Journal, retries: Retries, limits: Limits, errors: ErrorLog, retry_failed: bool
    ) -> None:
        self._journal = journal
        self._retries = retries
        self._limits = limits
        self._errors = errors
        self._retry_failed = retry_failed
        self._caller = TimeLimited()
        self._unavailable: dict[str, str] = {}
        self._until = 0.0

    def close(self) -> None:
        """Let go of the thread."""
        self._caller.close()

    def do(self, group: Group) -> GroupOutcome:
        """Do what is left of a group."""
        for _ in range(MAX_CHANGES):
            self._until = time.monotonic() + self._limits.group_s
            try:
                return self._do_once(group)
            except _ChangedError:
                _LOGGER.warning("%s was changed while it was scored; it is scored anew", group.name)
        reason = (
            f"{group.name} was changed {MAX_CHANGES} times while it was scored; run the same command again when nobody "
            "writes to it"
        )
        return _all_failed(group, Outcome(reason=reason, retry=Retry.NEXT_RUN))

    def _do_once(self, group: Group) -> GroupOutcome:
        try:
            opened = self._call(group.open)
        except TimeLimitError:
            return _all_failed(group, self._too_slow(group))
        except Exception as error:
            return _all_failed(group, self._failure(error, group.name, otherwise=Retry.NEXT_RUN), error)
        found = _Found(opened.facts)
        to_do: list[tuple[Unit, str]] = []
        for unit in opened.units:
            try:
                key = self._call(unit.key)
            except TimeLimitError:
                found.set(unit, self._too_slow(group))
                continue
            except Exception as error:
                found.set(unit, self._failure(error, _at(unit, group), otherwise=Retry.NEXT_RUN), error)
                continue
            known = self._journal.get(key)
            if known is None or (known.failed and self._retry_failed):
                to_do.append((unit, key))
            else:
                found.set(unit, replace(known, known=True), key=key)
        if to_do:
            refusal = self._refusal(group, opened)
            if refusal is None:
                self._work(group, opened, to_do, found)
            else:
                for unit, _ in to_do:
                    found.set(unit, refusal)
        elif opened.is_changed():
            raise _ChangedError
        _fail_what_requires_more(opened.units, found)
        return found.outcome([unit.name for unit in opened.units])

    def _refusal(self, group: Group, opened: OpenGroup) -> Outcome | None:
        """Why a group is not tried, where others ended at it."""
        endings = self._journal.endings(opened.key)
        reasons = [ending.reason for ending in endings if ending.reason]
        if len(endings) < MAX_ENDINGS or self._retry_failed:
            return None
        if len(reasons) < MAX_ENDINGS:
            # Somebody may have killed them. A child tells whether the input does it, at no risk for this process.
            fault = _fault_of_child(opened.check, min(self._limits.group_s, _CHECK_S))
            if not fault:
                return None
            reasons = [fault, *reasons]
            self._journal.end(opened.key, Ending(fault))
        return Outcome(
            reason=f"{group.name} is left out: work on it has ended more than once without a result "
            f"({reasons[0]}); replace the file, or retry what has failed"
        )

    def _work(self, group: Group, opened: OpenGroup, to_do: Sequence[tuple[Unit, str]], found: _Found) -> None:
        ending: Ending | None = None
        self._journal.begin(opened.key, group.name)
        try:
            opened.prepare([unit.name for unit, _ in to_do])
            for unit, key in to_do:
                if found.lacks_required:
                    break
                if ending is not None:
                    found.set(unit, self._too_slow(group))
                    continue
                outcome, error = self._outcome(unit, group)
                if outcome is None:
                    ending = Ending(f"it took more than {self._limits.group_s:.0f} s")
                    found.set(unit, self._too_slow(group))
                    continue
                if opened.is_changed():
                    raise _ChangedError
                if outcome.retry is Retry.NEVER:
                    self._journal.add(key, outcome, unit.about)
                    found.set(unit, outcome, error, key=key)
                else:
                    found.set(unit, outcome, error)
        finally:
            self._journal.end(opened.key, ending)

    def _outcome(self, unit: Unit, group: Group) -> tuple[Outcome | None, BaseException | None]:
        """What came of a unit, None where it took too long; and what was raised."""
        if unit.service in self._unavailable:
            return Outcome(reason=self._unavailable[unit.service], retry=Retry.NEXT_RUN), None
        try:
            outcome = self._call(unit.work)
            return replace(outcome, value=plain(outcome.value)), None
        except TimeLimitError:
            return None, None
        except ServiceUnavailableError as error:
            if unit.service:
                _LOGGER.warning("%s; what needs it is left to the next run", error)
                self._unavailable[unit.service] = str(error)
            return Outcome(reason=str(error), retry=Retry.NEXT_RUN), error
        except Exception as error:
            return self._failure(error, _at(unit, group), otherwise=Retry.NEVER), error

    def _failure(self, error: Exception, what: str, *, otherwise: Retry) -> Outcome:
        """The outcome of a unit that raised; what ends the run is raised again.

        Args:
            error: that was raised.
            what: was being done.
            otherwise: when to retry where the fault lies in the input.
        """
        if isinstance(error, _ENDS_THE_RUN):
            raise error
        text = " ".join(str(error).split())
        if is_out_of_memory(error):
            free_memory()
            kind = type(error).__name__ + (f": {text}" if text else "")
            reason = f"{what}: there is not enough memory ({kind}); lower batch_tokens, or use memory 'low'"
            return Outcome(reason=plain(reason), retry=Retry.NEXT_RUN)
        is_expected = isinstance(error, OpenS2VError) or (isinstance(error, OSError) and otherwise is not Retry.NEVER)
        if is_expected or may_pass(error):
            if may_pass(error) or (isinstance(error, _IN_A_SERVICE) and otherwise is Retry.NEVER):
                otherwise = Retry.THIS_RUN
            elif not isinstance(error, _IN_THE_INPUT):
                otherwise = Retry.NEXT_RUN
            reason = str(error) if is_expected and text else f"{what}: {type(error).__name__}: {text}"
            return Outcome(reason=plain(reason), retry=otherwise)
        self._errors.write(what, error)
        reason = f"{what}: an unexpected error ({type(error).__name__}: {text}); {self._errors.advice}"
        return Outcome(reason=plain(reason), retry=Retry.NEXT_RUN)

    def _too_slow(self, group: Group) -> Outcome:
        reason = (
            f"{group.name} was not finished within {self._limits.group_s:.0f} s; check the file, or allow more time"
        )
        return Outcome(reason=reason, retry=Retry.NEXT_RUN)

    def _call(self, work: Callable[[], _Result]) -> _Result:
        """Call with retries, within what is left of the group's time."""
        if math.isinf(self._limits.group_s):
            return self._retries.call(work)
        return self._retries.call(lambda: self._caller.call(work, self._until - time.monotonic()))


class _Found:
    """What is known of a group's units so far."""

    def __init__(self, facts: Mapping[str, Any]) -> None:
        self._facts = facts
        self._units: dict[str, Outcome] = {}
        self._keys: dict[str, str] = {}
        self._error: BaseException | None = None
        self.lacks_required = False

    def set(self, unit: Unit, outcome: Outcome, error: BaseException | None = None, *, key: str | None = None) -> None:
        self._units[unit.name] = outcome
        self._error = self._error or error
        if key is not None:
            self._keys[unit.name] = key
        if unit.required and outcome.failed:
            self.lacks_required = True

    def get(self, name: str) -> Outcome | None:
        return self._units.get(name)

    def outcome(self, order: Sequence[str]) -> GroupOutcome:
        units = {name: self._units[name] for name in order}
        return GroupOutcome(self._facts, units, self._keys, self._error)


def _fail_what_requires_more(units: Sequence[Unit], found: _Found) -> None:
    """Units that were not begun fail for the reason of the one that they require."""
    missing: Outcome | None = None
    for unit in units:
        outcome = found.get(unit.name)
        if outcome is None and missing is not None:
            found.set(unit, missing)
        elif unit.required and outcome is not None and outcome.failed:
            missing = replace(outcome, known=False)


def _all_failed(group: Group, outcome: Outcome, error: BaseException | None = None) -> GroupOutcome:
    return GroupOutcome(units=dict.fromkeys(group.unit_names, outcome), error=error)


def _at(unit: Unit, group: Group) -> str:
    return f"{group.name}, {unit.name}"


def _fault_of_child(check: Callable[[], None] | None, seconds: float) -> str:
    """How a child that does the check ended, where it was ended by a signal; empty where it was not."""
    if check is None:
        return ""
    context: Any = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    child = context.Process(target=partial(_check_quietly, check), daemon=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the child only reads the input, in threads of its own
        child.start()
    child.join(seconds)
    if child.is_alive():  # the time limit will say so, if it is the input's fault
        child.kill()
        child.join()
        return ""
    return (
        ""
        if child.exitcode is None or child.exitcode >= 0
        else f"reading it ends a process by signal {-child.exitcode}"
    )


def _check_quietly(check: Callable[[], None]) -> None:
    try:
        check()
    except Exception:  # not what is looked for: in this process it becomes the outcome of a unit
        sys.exit(1)
