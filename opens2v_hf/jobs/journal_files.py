"""The files of a journal: append-only lines of JSON, each with a checksum. Every process writes its own file."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from opens2v_hf._util.files import whole_file
from opens2v_hf.errors import ResultError

FORMAT = "opens2v-hf/journal/2"
"""Format of the files, which the first line of each names."""

_LOGGER = logging.getLogger(__name__)

_ENDING = ".jsonl"
_CHECKSUM_BYTES = 8


@dataclass(frozen=True)
class Record:
    """One line of a journal.

    Attributes:
        key: of the unit or group; see `unit.Unit`.
        about: for people who read the file, e.g. the sample's id and the metric's name.
        value: JSON-compatible; the `Outcome` of a unit as a dict.
        kind: "unit": an outcome; "retried": a failure that the next attempt replaces, so no outcome to resume from;
            "begun" and "ended": work on a group; "group": its outcome, for the other processes of the launch.
    """

    key: str
    about: Mapping[str, Any]
    value: Any
    kind: str = "unit"


class JournalWriter:
    """Appends records to a new file of a folder; the file is created with the first record.

    When `append` returns, the record is on the disk, unless `sync` is False. When it raises, the next record begins a
    new file, so that a record that was written in part is always the last line of its file.

    Args:
        folder: of the journal; created if missing.
        rank: of this process, for the name of the file.
        launch: of this process, for the name of the file.
    """

    def __init__(self, folder: str | os.PathLike[str], *, rank: int = 0, launch: str = "single") -> None:
        self._folder = Path(folder)
        self._rank = rank
        self._launch = launch
        self._file: int | None = None
        self.path: Path | None = None

    def append(self, record: Record, *, sync: bool = True) -> None:
        """Write a record and wait until it is on the disk.

        Args:
            record: to write.
            sync: False not to wait: the record then survives a crash of the process, but perhaps not of the machine.

        Raises:
            ResultError: it cannot be written, e.g. because the disk is full; earlier records are safe.
        """
        try:
            if self._file is None:
                self._file = self._new_file()
            _write_whole(self._file, _record_line(record), sync=sync)
        except OSError as error:
            self.close()
            raise ResultError(
                f"cannot write the journal {self._folder}: {error.strerror}; finished work is saved: free space or "
                "correct the cause, and run the same command again"
            ) from error
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the file; the next record begins a new one."""
        file, self._file = self._file, None
        self.path = None
        if file is not None:
            os.close(file)

    def _new_file(self) -> int:
        # names sort by time, and are unique across processes and machines
        time = f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}"
        name = f"{time}-{self._launch}-{self._rank}-{secrets.token_hex(4)}{_ENDING}"
        self._folder.mkdir(parents=True, exist_ok=True)
        # Windows would put a carriage return before each line's end
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | getattr(os, "O_BINARY", 0)
        file = os.open(self._folder / name, flags, 0o666)
        try:
            _write_whole(file, _line({"format": FORMAT}))
            _sync_folder(self._folder)
        except BaseException:
            os.close(file)
            raise
        self.path = self._folder / name
        return file


def journal_files(folder: str | os.PathLike[str]) -> list[Path]:
    """The files of a journal in order of time; none if the folder is missing.

    Raises:
        ResultError: the folder cannot be listed.
    """
    try:
        paths = [path for path in Path(folder).iterdir() if path.suffix == _ENDING and path.name[0] != "."]
        return sorted(path for path in paths if path.is_file())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ResultError(f"cannot list the journal {os.fspath(folder)}: {error.strerror}") from error


def read_records(path: Path) -> list[Record]:
    """The records of one file whose checksums are right.

    A last line that is incomplete, because its process was killed, is skipped. A damaged line is skipped with a
    warning; its unit is done again.

    Raises:
        ResultError: the file cannot be read, or was written by a version with another format.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise ResultError(f"cannot read the journal {path}: {error.strerror}") from error
    records = []
    for number, line in enumerate(lines, 1):
        content = _checked(line)
        if content is None:
            # the last one has no line end: it is empty, or the process was killed while it wrote it
            if number < len(lines):
                _LOGGER.warning("%s: line %d is damaged; its unit is done again", path, number)
        elif "format" in content:
            if content["format"] != FORMAT:
                raise ResultError(
                    f"{path} must have the format {FORMAT!r} (got {content['format']!r}); choose another output "
                    "folder, or remove this one"
                )
        else:
            records.append(Record(content["key"], content["about"], content["value"], content["kind"]))
    return records


def change_records(folder: str | os.PathLike[str], change: Callable[[Record], Record]) -> int:
    """Rewrite the records of a journal that no run is writing to; see `opens2v_hf.jobs.lock.only_run`.

    Args:
        folder: of the journal.
        change: from a record to what replaces it; the record itself where it stays.

    Returns:
        The number of records that changed.

    Raises:
        ResultError: a file cannot be read or written.
    """
    count = 0
    for path in journal_files(folder):
        records = read_records(path)
        changed = [change(record) for record in records]
        different = sum(new is not old for new, old in zip(changed, records, strict=True))
        if different:
            with whole_file(path) as temporary:
                temporary.write_bytes(b"".join([_line({"format": FORMAT}), *map(_record_line, changed)]))
        count += different
    return count


def is_of_launch(path: Path, launch: str) -> bool:
    """Whether a process of this launch wrote the file."""
    return launch_of(path) == launch


def launch_of(path: Path) -> str:
    """The launch id in the name of a file; empty in a foreign name."""
    return [*path.name.split("-"), ""][1]


def _record_line(record: Record) -> bytes:
    return _line({"kind": record.kind, "key": record.key, "about": dict(record.about), "value": record.value})


def _line(content: Mapping[str, Any]) -> bytes:
    text = json.dumps(content, separators=(",", ":"), allow_nan=False).encode()
    return _checksum(text) + b" " + text + b"\n"


def _checked(line: bytes) -> dict[str, Any] | None:
    """The content of a line; None if its checksum is wrong."""
    checksum, _, text = line.partition(b" ")
    return json.loads(text) if text and checksum == _checksum(text) else None


def _checksum(text: bytes) -> bytes:
    return hashlib.blake2b(text, digest_size=_CHECKSUM_BYTES).hexdigest().encode()


def _write_whole(file: int, data: bytes, *, sync: bool = True) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(file, left) :]
    if sync:
        os.fsync(file)


def _sync_folder(folder: Path) -> None:
    """Make the name of a new file durable; Windows can neither open folders nor needs it."""
    if os.name == "posix":
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)
