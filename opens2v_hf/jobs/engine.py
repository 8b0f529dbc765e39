"""Does the units of a group that the journal lacks, within a time limit; every exception becomes an outcome."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import replace
from typing import Any, TypeVar

from opens2v_hf._util.foreign_code import ends_as_errors
from opens2v_hf._util.retries import Retries
from opens2v_hf.errors import ServiceUnavailableError, VideoError
from opens2v_hf.jobs.child_check import fault_of_child
from opens2v_hf.jobs.endings import Ending
from opens2v_hf.jobs.error_log import ErrorLog
from opens2v_hf.jobs.failure import failure
from opens2v_hf.jobs.journal import Journal
from opens2v_hf.jobs.outcome import Outcome, Retry, plain
from opens2v_hf.jobs.overlap import Shared
from opens2v_hf.jobs.time_limit import Limits, TimeLimited, TimeLimitError
from opens2v_hf.jobs.unit import Group, GroupOutcome, OpenGroup, Unit

_LOGGER = logging.getLogger(__name__)
_Result = TypeVar("_Result")

MAX_CHANGES = 3
MAX_ENDINGS = 2

_CHECK_S = 600.0
_KEYS = "keys"  # a resource: references are read for one group at a time


class _ChangedError(Exception):
    """The input has changed since it was opened."""


class Engine:
    """Does groups; several threads may call it."""

    def __init__(
        self,
        journal: Journal,
        retries: Retries,
        limits: Limits,
        errors: ErrorLog,
        *,
        retry_failed: bool,
        shared: Shared,
    ) -> None:
        self._journal = journal
        self._retries = retries
        self._limits = limits
        self._errors = errors
        self._retry_failed = retry_failed
        self._shared = shared
        self._unavailable: dict[str, str] = {}

    def do(self, group: Group) -> GroupOutcome:
        """Do the units of a group that the journal lacks."""
        for _ in range(MAX_CHANGES):
            call = _Calls(self._retries, self._limits.group_s, self._shared)
            try:
                return self._do_once(group, call)
            except _ChangedError:
                _LOGGER.warning("the input of %s was changed while it was processed; it is processed again", group.name)
            except Exception as error:  # any error fails this group only
                return _all_failed(group, self._failure(error, group.name, otherwise=Retry.NEXT_RUN))
            finally:
                call.close()
        reason = (
            f"the input of {group.name} was changed {MAX_CHANGES} times while it was processed; run the same command "
            "again when no other program writes to it"
        )
        return _all_failed(group, Outcome(reason=reason, retry=Retry.NEXT_RUN))

    def _do_once(self, group: Group, call: _Calls) -> GroupOutcome:
        try:
            opened = call(group.open)
        except TimeLimitError:
            return _all_failed(group, self._too_slow(group))
        except Exception as error:
            return _all_failed(group, self._failure(error, group.name, otherwise=Retry.NEXT_RUN))
        found = _Found(opened.facts)
        to_do: list[tuple[Unit, str]] = []
        for unit in opened.units:
            try:
                with call.pausing(self._shared.alone_with(_KEYS)):
                    key = call(unit.key)
            except TimeLimitError:
                found.set(unit, self._too_slow(group))
                continue
            except Exception as error:
                found.set(unit, self._failure(error, _at(unit, group), otherwise=Retry.NEXT_RUN))
                continue
            known = self._journal.get(key)
            if known is None or (known.failed and self._retry_failed):
                to_do.append((unit, key))
            else:
                found.set(unit, known, key=key)
        if to_do:
            refusal = self._refusal(group, opened)
            if refusal is None:
                self._work(group, opened, to_do, found, call)
            else:
                for unit, _ in to_do:
                    found.set(unit, refusal)
        elif opened.is_changed():
            raise _ChangedError
        _fail_what_requires_more(opened.units, found)
        return found.outcome([unit.name for unit in opened.units])

    def _refusal(self, group: Group, opened: OpenGroup) -> Outcome | None:
        """The failure of a group at which two processes ended; None if it is to be done."""
        endings = self._journal.endings(opened.key)
        reasons = [ending.reason for ending in endings if ending.reason]
        if len(endings) < MAX_ENDINGS or self._retry_failed:
            return None
        if len(reasons) < MAX_ENDINGS:
            # The processes may have been killed from outside. A child reads the input, at no risk for this process.
            fault = fault_of_child(opened.check, min(self._limits.group_s, _CHECK_S))
            if not fault:
                return None
            reasons = [fault, *reasons]
            self._journal.end(opened.key, Ending(fault))
        return Outcome(
            reason=f"{group.name} is skipped: work on it has ended more than once without a result "
            f"({reasons[0]}); replace the file, or retry the failures"
        )

    def _work(
        self, group: Group, opened: OpenGroup, to_do: Sequence[tuple[Unit, str]], found: _Found, call: _Calls
    ) -> None:
        ending: Ending | None = None
        self._journal.begin(opened.key, group.name)
        try:
            try:
                opened.prepare([unit.name for unit, _ in to_do])
            except VideoError as gone:  # it was readable when the group was opened
                raise _ChangedError from gone
            with ExitStack() as held:
                has_memory = False
                for unit, key in to_do:
                    if found.lacks_required:
                        break
                    if ending is not None:
                        found.set(unit, self._too_slow(group))
                        continue
                    if not (unit.required or has_memory):
                        num_bytes = 0
                        with suppress(Exception):  # the unit reports what is wrong with the input
                            num_bytes = call(opened.num_bytes)
                        call.pausing_in(held, self._shared.memory(num_bytes))
                        has_memory = True
                    outcome = self._outcome(unit, group, call)
                    if outcome is None:
                        ending = Ending(f"it took more than {self._limits.group_s:.0f} s")
                        found.set(unit, self._too_slow(group))
                        continue
                    if opened.is_changed():
                        raise _ChangedError
                    if outcome.retry is Retry.NEVER:
                        # the units that require it are recorded soon, and wait for the disk
                        self._journal.add(key, outcome, unit.about, sync=not unit.required)
                        found.set(unit, outcome, key=key)
                        continue
                    if outcome.value is not None:
                        self._journal.add_retried(key, outcome, unit.about)
                    found.set(unit, outcome)
        finally:
            self._journal.end(opened.key, ending)

    def _outcome(self, unit: Unit, group: Group, call: _Calls) -> Outcome | None:
        """The outcome of a unit; None if it took too long."""
        try:
            if unit.load is not None:
                call(unit.load)
            with call.pausing(self._shared.alone_with(unit.resource)):
                if unit.service in self._unavailable:
                    return Outcome(reason=self._unavailable[unit.service], retry=Retry.NEXT_RUN)
                outcome = call(unit.work)
            return replace(outcome, value=plain(outcome.value))
        except TimeLimitError:
            return None
        except ServiceUnavailableError as gone:
            if unit.service and unit.service not in self._unavailable:
                _LOGGER.warning("%s; the scores that need it are left to the next run", gone)
                self._unavailable[unit.service] = str(gone)
            return self._failure(gone, _at(unit, group), otherwise=Retry.NEVER)
        except Exception as error:
            return self._failure(error, _at(unit, group), otherwise=Retry.NEVER)

    def _failure(self, error: Exception, what: str, *, otherwise: Retry) -> Outcome:
        return failure(error, what, otherwise=otherwise, errors=self._errors)

    def _too_slow(self, group: Group) -> Outcome:
        reason = (
            f"{group.name} was not finished within {self._limits.group_s:.0f} s; check the file, or allow more time"
        )
        return Outcome(reason=reason, retry=Retry.NEXT_RUN)


class _Calls:
    """Calls with retries, within the time limit of a group; waiting for other groups does not count."""

    def __init__(self, retries: Retries, seconds: float, shared: Shared) -> None:
        self._retries = retries
        self._until = time.monotonic() + seconds
        self._shared = shared
        self._caller = TimeLimited()

    def __call__(self, work: Callable[[], _Result]) -> _Result:
        return self._retries.call(lambda: self._once(work))

    def close(self) -> None:
        self._caller.close()

    @contextmanager
    def pausing(self, turn: AbstractContextManager[None]) -> Iterator[None]:
        """Wait for a turn, and hold it during the block."""
        with ExitStack() as held:
            self.pausing_in(held, turn)
            yield

    def pausing_in(self, held: ExitStack, turn: AbstractContextManager[None]) -> None:
        """Wait for a turn, and hold it until `held` is closed."""
        begin = time.monotonic()
        held.enter_context(turn)
        self._until += time.monotonic() - begin

    def _once(self, work: Callable[[], _Result]) -> _Result:
        self._shared.check()
        with ends_as_errors():
            if math.isinf(self._until):
                return work()
            return self._caller.call(work, self._until - time.monotonic(), check=self._shared.check)


class _Found:
    """The outcomes of a group so far."""

    def __init__(self, facts: Mapping[str, Any]) -> None:
        self._facts = facts
        self._units: dict[str, Outcome] = {}
        self._keys: dict[str, str] = {}
        self.lacks_required = False

    def set(self, unit: Unit, outcome: Outcome, *, key: str | None = None) -> None:
        self._units[unit.name] = outcome
        if key is not None:
            self._keys[unit.name] = key
        if unit.required and outcome.failed:
            self.lacks_required = True

    def get(self, name: str) -> Outcome | None:
        return self._units.get(name)

    def outcome(self, order: Sequence[str]) -> GroupOutcome:
        units = {name: self._units[name] for name in order}
        return GroupOutcome(self._facts, units, self._keys)


def _fail_what_requires_more(units: Sequence[Unit], found: _Found) -> None:
    """Fail the units that were not begun, with the reason of the required unit that failed."""
    missing: Outcome | None = None
    for unit in units:
        outcome = found.get(unit.name)
        if outcome is None and missing is not None:
            found.set(unit, missing)
        elif unit.required and outcome is not None and outcome.failed:
            missing = replace(outcome, value=None, known=False)


def _all_failed(group: Group, outcome: Outcome) -> GroupOutcome:
    return GroupOutcome(units=dict.fromkeys(group.unit_names, outcome))


def _at(unit: Unit, group: Group) -> str:
    return f"{group.name}, {unit.name}"
