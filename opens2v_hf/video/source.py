"""The source of a video: a file or bytes, checked before a decoder reads it."""

from __future__ import annotations

import hashlib
import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from opens2v_hf.errors import VideoError
from opens2v_hf.video.guard import errors_as_video_errors, printable

VideoInput = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO
"""A local path, the content of a video file, or a file that is open for reading bytes."""


@dataclass(frozen=True)
class Source:
    """A video's bytes, in a file or in memory.

    Attributes:
        name: for messages: the path as it was given, or the name given for bytes.
        path: absolute path of the file; None for bytes.
        data: the bytes; None for a file.
    """

    name: str
    path: Path | None
    data: bytes | None

    @classmethod
    def of(cls, source: VideoInput, name: str | None = None) -> Source:
        """Check that there is a file, or bytes, with something in it.

        Args:
            source: a local path, the content of a video file, or an open file, which is read from where it is to its
                end, so that later changes of it do not matter.
            name: for messages; by default the path, or "<bytes>".

        Raises:
            VideoError: if the file is missing, no regular file, unreadable or empty, or there are no bytes.
        """
        if isinstance(source, bytes | bytearray | memoryview) or hasattr(source, "read"):
            label = printable(name or "<bytes>")
            data = _all_bytes(source, label)
            if not data:
                raise VideoError(f"{label}: holds no bytes; give the content of a whole video file")
            return cls(label, None, data)
        if not isinstance(source, str | os.PathLike):
            raise VideoError(
                f"{printable(name or '<unnamed>')}: a video is a path or the bytes of a file "
                f"(got {type(source).__name__})"
            )
        text = os.fsdecode(os.fspath(source))
        label = printable(name or text)
        try:
            # Absolute, so that no decoder takes the beginning of a name for a protocol ("concat:...", "http:...").
            path = Path(os.path.abspath(text))
            status = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            raise VideoError(f"{label}: there is no such file; check the path") from None
        except (OSError, ValueError) as error:
            raise VideoError(
                f"{label}: cannot be read ({printable(str(error))}); check the path and its permissions"
            ) from error
        _check_kind(status, label)
        if status.st_size == 0:
            raise VideoError(f"{label}: is empty (0 bytes); generate or copy it again")
        if not os.access(path, os.R_OK):
            raise VideoError(f"{label}: may not be read; check its permissions")
        return cls(label, path, None)

    @property
    def num_bytes(self) -> int:
        """Size of the file.

        Raises:
            VideoError: if the file has gone.
        """
        with self.opened() as stream:
            return stream.seek(0, os.SEEK_END)

    @contextmanager
    def opened(self) -> Iterator[io.FileIO | io.BytesIO]:
        """The raw bytes as an unbuffered stream.

        Raises:
            VideoError: if the file cannot be opened, or anything is raised inside the `with` block.
        """
        with errors_as_video_errors(self.name):
            if self.path is None:
                yield io.BytesIO(self.data or b"")
                return
            try:
                stream = open(self.path, "rb", buffering=0, opener=_open_without_waiting)  # noqa: SIM115
            except OSError as error:
                raise VideoError(
                    f"{self.name}: cannot be read ({printable(str(error))}); check the file and its permissions"
                ) from error
            with stream:
                _check_kind(os.fstat(stream.fileno()), self.name)
                yield stream

    def sha256(self) -> str:
        """Hex digest of the file's bytes.

        Raises:
            VideoError: if the file cannot be read.
        """
        with self.opened() as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()


def _all_bytes(source: Any, label: str) -> bytes:
    if isinstance(source, bytes):
        return source
    with errors_as_video_errors(label):
        data = source.read() if hasattr(source, "read") else source
        if isinstance(data, str):
            raise VideoError(f"{label}: is open as text; open the file with mode 'rb'")
        return bytes(data)


def _check_kind(status: os.stat_result, label: str) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise VideoError(f"{label}: is a folder; name a video file in it")
    if not stat.S_ISREG(status.st_mode):
        raise VideoError(f"{label}: is no regular file; name a video file")


def _open_without_waiting(path: str, flags: int) -> int:
    """A pipe that has taken the file's place would else block for ever."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
