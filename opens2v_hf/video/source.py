"""Where a video comes from: a file or bytes, checked before any decoder sees it."""

from __future__ import annotations

import hashlib
import io
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from opens2v_hf.errors import VideoError


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
    def of(cls, source: str | os.PathLike[str] | bytes, name: str | None = None) -> Source:
        """Check that there is a file, or bytes, with something in it.

        Args:
            source: a local path, or the content of a video file.
            name: for messages; by default the path, or "<bytes>".

        Raises:
            VideoError: if the file is missing, no regular file, unreadable or empty, or there are no bytes.
        """
        if isinstance(source, (bytes, bytearray, memoryview)):
            data = bytes(source)
            label = name or "<bytes>"
            if not data:
                raise VideoError(f"{label}: holds no bytes; give the content of a whole video file")
            return cls(label, None, data)
        if not isinstance(source, (str, os.PathLike)):
            raise VideoError(
                f"{name or '<unnamed>'}: a video is a path or the bytes of a file (got {type(source).__name__})"
            )
        # Absolute, so that no decoder takes the beginning of a name for a protocol ("concat:...", "http:...").
        path = Path(os.path.abspath(os.fspath(source)))
        label = name or os.fspath(source)
        try:
            status = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            raise VideoError(f"{label}: there is no such file; check the path") from None
        except (OSError, ValueError) as error:
            raise VideoError(f"{label}: cannot be looked at ({error}); check the path and its permissions") from error
        if stat.S_ISDIR(status.st_mode):
            raise VideoError(f"{label}: is a folder; name a video file in it")
        if not stat.S_ISREG(status.st_mode):
            raise VideoError(f"{label}: is no regular file; name a video file")
        if status.st_size == 0:
            raise VideoError(f"{label}: is empty (0 bytes); generate or copy it again")
        if not os.access(path, os.R_OK):
            raise VideoError(f"{label}: may not be read; check its permissions")
        return cls(label, path, None)

    @property
    def num_bytes(self) -> int:
        """Size of the file."""
        return self.path.stat().st_size if self.path is not None else len(self.data or b"")

    def for_decoder(self) -> str | io.BytesIO:
        """What the decoders take: the absolute path as text, or a fresh stream over the bytes."""
        return str(self.path) if self.path is not None else io.BytesIO(self.data or b"")

    def open_bytes(self) -> io.BufferedReader | io.BytesIO:
        """The raw bytes as a stream; the caller closes it.

        Raises:
            VideoError: if the file cannot be opened.
        """
        try:
            return self.path.open("rb") if self.path is not None else io.BytesIO(self.data or b"")
        except OSError as error:
            raise VideoError(f"{self.name}: cannot be read ({error}); check the file and its permissions") from error

    def sha256(self) -> str:
        """Hex digest of the file's bytes.

        Raises:
            VideoError: if the file cannot be read.
        """
        try:
            with self.open_bytes() as stream:
                return hashlib.file_digest(stream, "sha256").hexdigest()
        except OSError as error:
            raise VideoError(f"{self.name}: cannot be read ({error}); check the file and its permissions") from error
