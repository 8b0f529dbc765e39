"""The journal of a run: the outcomes of earlier runs, and the file to which this process appends its own."""

from __future__ import annotations

import os
import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from opens2v_hf.jobs.endings import CrashTrace, Ending, ending_of, machine_state
from opens2v_hf.jobs.journal_files import JournalWriter, Record, is_of_launch, journal_files, launch_of, read_records
from opens2v_hf.jobs.outcome import Outcome

SINGLE = "single"
"""The launch id of a process that was not launched with others."""


class Journal:
    """Looks units up by their key, and records new ones.

    Of two outcomes with one key a value replaces a failure; otherwise the later one counts. So a clock that goes
    backwards never brings an old failure back.

    Args:
        known: records of earlier runs.
        writer: appends new records to a file; None to hold them in memory only.
        endings: group key to the attempts that did not finish, oldest first.
        suspects: names of those groups.
    """

    def __init__(
        self,
        known: Iterable[Record] = (),
        writer: JournalWriter | None = None,
        *,
        endings: Mapping[str, Sequence[Ending]] | None = None,
        suspects: Iterable[str] = (),
    ) -> None:
        self._outcomes: dict[str, Outcome] = {}
        for record in known:
            self._remember(record.key, Outcome.from_dict(record.value, known=True))
        self._writer = writer
        self._endings = dict(endings or {})
        self.suspects = frozenset(suspects)
        self._crash_trace = CrashTrace()
        self._lock = threading.RLock()  # groups may be done in several threads

    def get(self, key: str) -> Outcome | None:
        """The outcome of a unit; None if it is not finished."""
        return self._outcomes.get(key)

    def endings(self, group: str) -> Sequence[Ending]:
        """Attempts at a group that did not finish."""
        return self._endings.get(group, ())

    @property
    def outcomes(self) -> Mapping[str, Outcome]:
        """Key to outcome, for all finished units."""
        return dict(self._outcomes)

    @property
    def all_endings(self) -> Mapping[str, Sequence[Ending]]:
        """Group key to the attempts that did not finish."""
        return dict(self._endings)

    def add(self, key: str, outcome: Outcome, about: Mapping[str, Any], *, sync: bool = True) -> None:
        """Record the outcome of a unit; when this returns it is on the disk.

        Args:
            key: of the unit.
            outcome: its value must be JSON-compatible, see `plain`.
            about: for people who read the file.
            sync: False not to wait for the disk; the next record of a unit waits for both.

        Raises:
            ResultError: it cannot be written.
        """
        with self._lock:
            if self._writer is not None:
                self._writer.append(Record(key, about, outcome.to_dict()), sync=sync)
            self._remember(key, outcome)

    def add_retried(self, key: str, outcome: Outcome, about: Mapping[str, Any]) -> None:
        """Record a failure that is tried again: its details may have cost money, and can be read again from the file.

        `get` does not give it, in this run or a later one.

        Raises:
            ResultError: it cannot be written.
        """
        if self._writer is not None:
            with self._lock:
                self._writer.append(Record(key, about, outcome.to_dict(), "retried"), sync=False)

    def begin(self, group: str, name: str) -> None:
        """Record that work on a group begins; if the process ends before `end`, later runs know at which group.

        The record survives the process without a wait for the disk.

        Raises:
            ResultError: it cannot be written.
        """
        if self._writer is not None:
            with self._lock:
                self._writer.append(Record(group, {"name": name}, machine_state(), "begun"), sync=False)
                self._crash_trace.follow(self._writer.path)

    def end(self, group: str, ending: Ending | None = None) -> None:
        """Record that work on a group is over.

        Args:
            group: that was begun.
            ending: why it did not finish; None if it did.

        Raises:
            ResultError: it cannot be written.
        """
        with self._lock:
            if ending is not None:
                self._endings[group] = [*self.endings(group), ending]
            if self._writer is not None:
                value = {} if ending is None else {"reason": ending.reason}
                self._writer.append(Record(group, {}, value, "ended"), sync=ending is not None)

    def add_group(self, name: str, value: Any) -> None:
        """Record the outcome of a group for the other processes of the launch; see `gather`.

        Raises:
            ResultError: it cannot be written.
        """
        if self._writer is not None:
            with self._lock:
                # a file system may show other machines only what is on the disk
                self._writer.append(Record(name, {}, value, "group"))

    def gather(self, folder: str | os.PathLike[str], launch: str) -> dict[str, Any]:
        """Read the files of all processes of a launch: add their units, and return their groups by name.

        Raises:
            ResultError: a file cannot be read.
        """
        groups: dict[str, Any] = {}
        for path in journal_files(folder):
            for record in read_records(path) if is_of_launch(path, launch) else ():
                if record.kind == "unit":
                    self._remember(record.key, Outcome.from_dict(record.value))
                elif record.kind == "group":
                    groups[record.key] = record.value
        return groups

    def close(self) -> None:
        """Close the files."""
        self._crash_trace.close()
        if self._writer is not None:
            self._writer.close()

    def _remember(self, key: str, outcome: Outcome) -> None:
        if not outcome.failed or key not in self._outcomes or self._outcomes[key].failed:
            self._outcomes[key] = outcome


def open_journal(folder: str | os.PathLike[str], *, rank: int = 0, launch: str = SINGLE) -> Journal:
    """Read the files of all earlier runs; this process will append to a new file.

    Args:
        folder: of the journal; the processes of a launch share it.
        rank: of this process.
        launch: id of the launch of this process; files of the same launch are no earlier run.

    Raises:
        ResultError: a file cannot be read, or is of another format.
    """
    known: list[Record] = []
    endings: dict[str, list[Ending]] = defaultdict(list)
    suspects: set[str] = set()
    paths = [path for path in journal_files(folder) if launch == SINGLE or not is_of_launch(path, launch)]
    files = [(path, read_records(path)) for path in paths]
    ends = _states_at_end(files)
    for (path, records), at_end in zip(files, ends, strict=True):
        begun: dict[str, Record] = {}
        for record in records:
            if record.kind == "unit":
                known.append(record)
            elif record.kind == "begun":
                begun[record.key] = record
            elif record.kind == "ended":
                before = begun.pop(record.key, None)
                if "reason" in record.value:
                    endings[record.key].append(Ending(record.value["reason"]))
                    suspects.update([before.about["name"]] if before else [])
        for record in begun.values():
            endings[record.key].append(ending_of(path, record.value, at_end))
            suspects.add(record.about["name"])
    return Journal(known, JournalWriter(folder, rank=rank, launch=launch), endings=endings, suspects=suspects)


def _states_at_end(files: Sequence[tuple[Path, Sequence[Record]]]) -> list[Mapping[str, Any]]:
    """For each file of a journal, the state of the machine that was noted first after its process had ended.

    So a process that the system ends later, which may be any, does not explain the end of an earlier one.
    """
    states: list[Mapping[str, Any]] = []
    following = earliest = machine_state()
    launch: object = None
    for path, records in reversed(files):
        of_file = launch_of(path) if launch_of(path) != SINGLE else path
        if of_file != launch:  # the processes of one launch run at the same time
            following, launch = earliest, of_file
        states.append(following)
        earliest = next((record.value for record in records if record.kind == "begun"), earliest)
    return states[::-1]


def remove_crash_traces(folder: Path) -> None:
    """Remove the empty files of processes that were killed."""
    for path in folder.glob("*.crash"):
        if path.stat().st_size == 0:
            path.unlink(missing_ok=True)
