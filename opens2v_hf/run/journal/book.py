"""A journal in use: what earlier runs finished, and where this process writes down what it finishes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from opens2v_hf.run.journal.files import JournalWriter, Record, journal_files, read_records, remove_files
from opens2v_hf.run.team import Team


class Journal:
    """Looks up units by their key and keeps new ones.

    Args:
        known: what is there already; of two records with one key the later one counts.
        writer: makes new ones durable; None to keep them in memory only.
    """

    def __init__(self, known: Iterable[Record] = (), writer: JournalWriter | None = None) -> None:
        self._values = {record.key: record.value for record in known}
        self._writer = writer

    def get(self, key: str) -> Any:
        """The value of a unit; None where it is not finished."""
        return self._values.get(key)

    def add(self, key: str, value: Any, about: Mapping[str, Any]) -> None:
        """Keep a unit; when this returns it is durable.

        Args:
            key: of the unit.
            value: JSON-compatible, and what JSON gives back.
            about: for people who read the file.

        Raises:
            ResultError: it cannot be written.
        """
        if self._writer is not None:
            self._writer.append(Record(key, about, value))
        self._values[key] = value

    def close(self) -> None:
        """Let go of the file."""
        if self._writer is not None:
            self._writer.close()


def open_journal(folder: str | os.PathLike[str], team: Team, *, fresh: bool = False) -> Journal:
    """Read what all earlier runs have written, wherever one of the processes sees it.

    On one machine, or with a shared file system, every process reads all files itself. A file that only some of them
    see is handed to the others by one who does.

    Args:
        folder: of the journal, on each process's machine.
        team: all of them call this.
        fresh: forget what is there.

    Raises:
        ResultError: a file cannot be read, removed, or is of another format.
        ProcessError: another process failed.
    """
    if fresh:
        remove_files(journal_files(folder))
        team.tell_all("journal is cleared", True)
    mine = {path.name: path for path in journal_files(folder)}
    seen = team.tell_all("journal files", sorted(mine))
    names = sorted({name for of_rank in seen for name in of_rank})
    for name in names:
        holders = [rank for rank, of_rank in enumerate(seen) if name in of_rank]
        if len(holders) < team.count and holders[0] == team.rank:
            team.hand_over(f"journal/{name}", [[r.key, dict(r.about), r.value] for r in read_records(mine[name])])
    team.tell_all("journal is handed over", True)
    known = [record for name in names for record in _records(name, mine, team)]
    return Journal(known, JournalWriter(folder, rank=team.rank))


def _records(name: str, mine: Mapping[str, Path], team: Team) -> list[Record]:
    if name in mine:
        return read_records(mine[name])
    return [Record(*values) for values in team.take(f"journal/{name}")]
