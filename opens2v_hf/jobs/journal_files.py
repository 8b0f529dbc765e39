"""The files of a journal: append-only lines of JSON, each with its checksum; every process of every run has its own."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from opens2v_hf.errors import ResultError

FORMAT = "opens2v-hf/journal/2"
"""Of the files; the first line of each names it."""

_LOGGER = logging.getLogger(__name__)

_ENDING = ".jsonl"
_CHECKSUM_BYTES = 8


@dataclass(frozen=True)
class Record:
    """One line of a journal.

    Attributes:
        key: what the record is about; of a unit a digest of all that its outcome follows from.
        about: for people who read the file, e.g. the sample's id and the metric's name.
        value: JSON-compatible; of a unit its `Outcome` as a dict.
        kind: "unit": an outcome; "begun" and "ended": work on a group; "group": what a process found for a group,
            for the other processes of its launch.
    """

    key: str
    about: Mapping[str, Any]
    value: Any
    kind: str = "unit"


class JournalWriter:
    """Appends records to a new file of a folder; the file is made when the first record comes.

    When `append` returns, the record is on the disk. When it raises, whatever part of the record is there is the last
    thing in its file, and the next record begins a new one.

    Args:
        folder: of the journal; made where it is missing.
        rank: of this process, for the file's name.
        launch: of the process, for the file's name.
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
            sync: False not to wait: the record then survives the process, but perhaps not the machine.

        Raises:
            ResultError: it cannot be written, e.g. because the disk is full; what was written before is kept.
        """
        try:
            if self._file is None:
                self._file = self._new_file()
            content = {"kind": record.kind, "key": record.key, "about": dict(record.about), "value": record.value}
            _write_whole(self._file, _line(content), sync=sync)
        except OSError as error:
            self.close()
            raise ResultError(
                f"cannot write the journal {self._folder}: {error.strerror}; what was finished before is kept: "
                "free space, or mend what is in the way, and run the same command again"
            ) from error
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the file; the next record begins a new one."""
        file, self._file = self._file, None
        self.path = None
        if file is not None:
            os.close(file)

    def _new_file(self) -> int:
        # In order of time, and no two alike: neither other processes nor other machines write to it.
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
    """The files of a journal in order of time; none where there is no such folder.

    Raises:
        ResultError: the folder cannot be listed.
    """
    try:
        return sorted(path for path in Path(folder).iterdir() if path.suffix == _ENDING)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ResultError(f"cannot list the journal {os.fspath(folder)}: {error.strerror}") from error


def read_records(path: Path) -> list[Record]:
    """The records of one file whose checksums are right.

    A record at the file's end that was not written whole, because its process was killed, is left out in silence. One
    that was damaged since is left out with a warning, and so its unit is done again.

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
            # What follows the last line's end is empty, or was being written when the process was killed.
            if number < len(lines):
                _LOGGER.warning("%s: line %d is damaged; what it held is scored again", path, number)
        elif "format" in content:
            if content["format"] != FORMAT:
                raise ResultError(
                    f"{path} has the format {content['format']!r}, and this version writes {FORMAT!r}; choose another "
                    "output folder, or start afresh there"
                )
        else:
            records.append(Record(content["key"], content["about"], content["value"], content["kind"]))
    return records


def is_of_launch(path: Path, launch: str) -> bool:
    """Whether a process of this launch wrote the file."""
    return path.name.split("-")[1] == launch


def remove_files(paths: Iterable[Path]) -> None:
    """Forget what earlier runs wrote.

    Raises:
        ResultError: a file cannot be removed.
    """
    for path in paths:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise ResultError(f"cannot remove {path}: {error.strerror}") from error


def _line(content: Mapping[str, Any]) -> bytes:
    text = json.dumps(content, separators=(",", ":"), allow_nan=False).encode()
    return _checksum(text) + b" " + text + b"\n"


def _checked(line: bytes) -> dict[str, Any] | None:
    """The content of a line without its end; None where the checksum is not that of the text."""
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
    """Make a new file's name durable, where folders can be opened (not on Windows, which needs no such thing)."""
    if os.name == "posix":
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)
