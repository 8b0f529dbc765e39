"""Reading byte ranges of files, local or remote.

All of OpenS2V-5M is read through `ByteSource`: a JSON object of tens of GB, a piece of a split tar, a picture. A source
can be pickled and survives a fork: it opens its file in the process that reads.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, BinaryIO, Protocol, runtime_checkable

import fsspec
import fsspec.core
import httpx
from huggingface_hub import HfFileSystem
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_exponential_jitter

from opens2v_hf.errors import ArgumentError, SourceError

ATTEMPTS = 5
"""How often a range of a remote file is asked for before giving up."""


@runtime_checkable
class ByteSource(Protocol):
    """Bytes that can be read anywhere.

    Attributes:
        url: names the source in messages and pointers: a path or a URL.
        size: in bytes.
    """

    @property
    def url(self) -> str:
        """The path or URL."""
        ...

    @property
    def size(self) -> int:
        """The length in bytes."""
        ...

    def read(self, offset: int, length: int) -> bytes:
        """Exactly `length` bytes from `offset`, fewer only where the source ends.

        Raises:
            SourceError: the source cannot be read.
        """
        ...


class LocalSource:
    """A file on a local disk."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)
        try:
            self._size = self._path.stat().st_size
        except OSError as error:
            raise SourceError(f"cannot read {self._path}: {error.strerror}") from error
        self._file: BinaryIO | None = None
        self._process = -1

    @property
    def url(self) -> str:
        """See `ByteSource.url`."""
        return str(self._path)

    @property
    def size(self) -> int:
        """See `ByteSource.size`."""
        return self._size

    def read(self, offset: int, length: int) -> bytes:
        """See `ByteSource.read`."""
        try:
            # A file opened before a fork shares its position with the parent: each process opens its own.
            if self._file is None or self._process != os.getpid():
                self._file = self._path.open("rb", buffering=0)
                self._process = os.getpid()
            self._file.seek(offset)
            return _read_fully(self._file, length)
        except OSError as error:
            raise SourceError(f"cannot read {self._path}: {error.strerror}") from error

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_file": None, "_process": -1}


class RemoteSource:
    """A file that fsspec knows, e.g. of "hf://datasets/org/name/..." or "https://...", read by range requests.

    A range that fails is asked for again, `ATTEMPTS` times in all.
    """

    def __init__(self, url: str, *, storage_options: dict[str, Any] | None = None, size: int | None = None) -> None:
        self._url = url
        self._storage_options = dict(storage_options or {})
        self._filesystem: fsspec.AbstractFileSystem | None = None
        self._path = ""
        self._process = -1
        self._size = -1 if size is None else size

    @property
    def url(self) -> str:
        """See `ByteSource.url`."""
        return self._url

    @property
    def size(self) -> int:
        """See `ByteSource.size`."""
        if self._size < 0:
            filesystem = self._open()
            try:
                info = filesystem.info(self._path)
            except _FAILURES as error:
                raise SourceError(f"cannot read {self._url}: {_reason(error)}") from error
            if info.get("size") is None or (self._url.startswith("http") and not info.get("partial")):
                raise SourceError(f"cannot read {self._url} by ranges: its server sends files only whole")
            self._size = int(info["size"])
        return self._size

    def read(self, offset: int, length: int) -> bytes:
        """See `ByteSource.read`."""
        end = min(offset + length, self.size)
        if end <= offset:
            return b""
        retrying = Retrying(
            retry=retry_if_exception(_may_pass),
            stop=stop_after_attempt(ATTEMPTS),
            wait=wait_exponential_jitter(initial=0.2, max=10),
            reraise=True,
        )
        try:
            return retrying(self._read_once, offset, end)
        except _FAILURES as error:
            raise SourceError(f"cannot read bytes {offset} to {end} of {self._url}: {_reason(error)}") from error

    def _read_once(self, offset: int, end: int) -> bytes:
        filesystem = self._open()
        if isinstance(filesystem, HfFileSystem):
            # The Hub's `cat_file` reads ahead by 5 MB; an uncached file asks for the range and nothing else.
            with filesystem.open(self._path, "rb", cache_type="none") as file:
                data = file._fetch_range(offset, end)
        else:
            data = filesystem.cat_file(self._path, start=offset, end=end)
        if len(data) != end - offset:
            raise OSError(f"the server sent {len(data)} bytes where {end - offset} were asked for")
        return data

    def _open(self) -> fsspec.AbstractFileSystem:
        if self._filesystem is None or self._process != os.getpid():
            try:
                self._filesystem, self._path = fsspec.core.url_to_fs(self._url, **self._storage_options)
            except (ValueError, ImportError) as error:
                raise ArgumentError(f"cannot open {self._url}: {error}") from error
            self._process = os.getpid()
        return self._filesystem

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_filesystem": None, "_process": -1}


def open_source(
    path: str | os.PathLike[str], *, storage_options: dict[str, Any] | None = None, size: int | None = None
) -> ByteSource:
    """The source behind a path or URL.

    Args:
        path: a local path, or a URL that fsspec knows.
        storage_options: for fsspec, e.g. `{"token": ...}`; never part of a message.
        size: in bytes where it is known already, which saves a request.

    Raises:
        SourceError: a local file is missing.
    """
    text = os.fspath(path)
    return RemoteSource(text, storage_options=storage_options, size=size) if "://" in text else LocalSource(text)


def _read_fully(file: BinaryIO, length: int) -> bytes:
    parts = []
    while length > 0 and (part := file.read(length)):
        parts.append(part)
        length -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _client_errors() -> tuple[type[BaseException], ...]:
    try:
        import aiohttp
    except ImportError:  # only fsspec's https:// needs it
        return ()
    return (aiohttp.ClientError,)


def _may_pass(error: BaseException) -> bool:
    """Whether asking again may help: not where the server says that the request itself is wrong."""
    if isinstance(error, FileNotFoundError) or not isinstance(error, _FAILURES):
        return False
    response = getattr(error, "response", None)
    status = getattr(error, "status", None) or getattr(response, "status_code", None)
    return status is None or status >= 500 or status in (408, 429)


def _reason(error: BaseException) -> str:
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    return str(error).splitlines()[0] if str(error) else type(error).__name__


_FAILURES: tuple[type[BaseException], ...] = (OSError, httpx.HTTPError, TimeoutError, *_client_errors())
