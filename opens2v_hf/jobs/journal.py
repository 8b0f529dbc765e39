"""A journal in use: what earlier runs finished, and where this process writes what it finishes."""

from __future__ import annotations

import os
import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from opens2v_hf.jobs.endings import CrashTrace, Ending, ending_of, machine_state
from opens2v_hf.jobs.journal_files import JournalWriter, Record, is_of_launch, journal_files, read_records
from opens2v_hf.jobs.outcome import Outcome

SINGLE = "single"
"""The launch of a process that was not launched with others."""


class Journal:
    """Looks up units by their key and keeps new ones.

    Of two outcomes with one key a value counts before a failure, and else the later one, so that a clock that goes
    backwards never brings an old failure back.

    Args:
        known: what is there already.
        writer: makes new records durable; None to keep them in memory only.
        endings: group to the times that work on it did not come to its end, oldest first.
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
            self._keep(record.key, Outcome.from_dict(record.value, known=True))
        self._writer = writer
        self._endings = dict(endings or {})
        self.suspects = frozenset(suspects)
        self._crash_trace = CrashTrace()
        self._lock = threading.RLock()  # groups may be done in several threads

    def get(self, key: str) -> Outcome | None:
        """The outcome of a unit; None where it is not finished."""
        return self._outcomes.get(key)

    def endings(self, group: str) -> Sequence[Ending]:
        """The times that work on a group did not come to its end."""
        return self._endings.get(group, ())

    @property
    def outcomes(self) -> Mapping[str, Outcome]:
        """Every unit that is finished, by its key."""
        return dict(self._outcomes)

    @property
    def all_endings(self) -> Mapping[str, Sequence[Ending]]:
        """Every group on which work did not come to its end, and the times that it did not."""
        return dict(self._endings)

    def add(self, key: str, outcome: Outcome, about: Mapping[str, Any]) -> None:
        """Keep a unit; when this returns it is durable.

        Args:
            key: of the unit.
            outcome: with a value as JSON gives it back.
            about: for people who read the file.

        Raises:
            ResultError: it cannot be written.
        """
        with self._lock:
            if self._writer is not None:
                self._writer.append(Record(key, about, outcome.to_dict()))
            self._keep(key, outcome)

    def begin(self, group: str, name: str) -> None:
        """Note that work on a group begins; if the process ends before `end`, later runs know what it was at.

        Raises:
            ResultError: it cannot be written.
        """
        if self._writer is not None:
            with self._lock:
                self._writer.append(Record(group, {"name": name}, machine_state(), "begun"))
                self._crash_trace.follow(self._writer.path)

    def end(self, group: str, ending: Ending | None = None) -> None:
        """Note that work on a group is over.

        Args:
            group: that was begun.
            ending: why it did not come to its end, where it did not.

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
        """Leave what was found for a group to the other processes of the launch; see `gather`.

        Raises:
            ResultError: it cannot be written.
        """
        if self._writer is not None:
            with self._lock:
                self._writer.append(Record(name, {}, value, "group"), sync=False)

    def gather(self, folder: str | os.PathLike[str], launch: str) -> dict[str, Any]:
        """Read what the processes of a launch have written: their units can be looked up, their groups are returned.

        Raises:
            ResultError: a file cannot be read.
        """
        groups: dict[str, Any] = {}
        for path in journal_files(folder):
            for record in read_records(path) if is_of_launch(path, launch) else ():
                if record.kind == "unit":
                    self._keep(record.key, Outcome.from_dict(record.value))
                elif record.kind == "group":
                    groups[record.key] = record.value
        return groups

    def close(self) -> None:
        """Let go of the files."""
        self._crash_trace.close()
        if self._writer is not None:
            self._writer.close()

    def _keep(self, key: str, outcome: Outcome) -> None:
        if not outcome.failed or key not in self._outcomes or self._outcomes[key].failed:
            self._outcomes[key] = outcome


def open_journal(folder: str | os.PathLike[str], *, rank: int = 0, launch: str = SINGLE) -> Journal:
    """Read what all earlier runs have written, and begin a file of this process's own.

    Args:
        folder: of the journal; several processes of a launch share it.
        rank: of this process.
        launch: that this process belongs to; what other processes of it are at is not taken for work of earlier runs.

    Raises:
        ResultError: a file cannot be read, or is of another format.
    """
    known: list[Record] = []
    endings: dict[str, list[Ending]] = defaultdict(list)
    suspects: set[str] = set()
    now = machine_state()
    for path in journal_files(folder):
        if launch != SINGLE and is_of_launch(path, launch):
            continue
        begun: dict[str, Record] = {}
        for record in read_records(path):
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
            endings[record.key].append(ending_of(path, record.value, now))
            suspects.add(record.about["name"])
    return Journal(known, JournalWriter(folder, rank=rank, launch=launch), endings=endings, suspects=suspects)


def remove_crash_traces(folder: Path) -> None:
    """Remove the empty files of processes that were killed."""
    for path in folder.glob("*.crash"):
        if path.stat().st_size == 0:
            path.unlink(missing_ok=True)
