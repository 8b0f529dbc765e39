"""Reading byte ranges of files, local or remote.

All of OpenS2V-5M is read through `ByteSource`: a JSON object of tens of GB, a piece of a split tar, a picture. A source
can be pickled and survives a fork: it opens its file in the process that reads.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

import fsspec
import fsspec.core
import httpx
from huggingface_hub import HfFileSystem
from huggingface_hub.errors import HTTPError
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_exponential_jitter

from opens2v_hf.errors import ArgumentError, SourceError

_T = TypeVar("_T")

_NO_ANSWER = (OSError, httpx.HTTPError, HTTPError)
"""The last is the Hub client's own, of whichever HTTP library it stands on."""

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
            # Opened anew: threads and forked processes would share the position of an open file.
            with self._path.open("rb", buffering=0) as file:
                file.seek(offset)
                return _read_fully(file, length)
        except OSError as error:
            raise SourceError(f"cannot read {self._path}: {error.strerror}") from error


class RemoteSource:
    """A file that fsspec knows, e.g. of "hf://datasets/org/name/...", read by range requests.

    A request that fails for a reason that may pass is made again, `ATTEMPTS` times in all.
    """

    def __init__(self, url: str, *, storage_options: dict[str, Any] | None = None, size: int | None = None) -> None:
        self._url = url
        self._storage_options = dict(storage_options or {})
        self._connection: Any = None
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
            self._size = self._persist(f"cannot read {self._url}", self._ask_size)
        return self._size

    def read(self, offset: int, length: int) -> bytes:
        """See `ByteSource.read`."""
        end = min(offset + length, self.size)
        if end <= offset:
            return b""
        data = self._persist(f"cannot read bytes {offset} to {end} of {self._url}", self._ask_range, offset, end)
        if len(data) != end - offset:
            raise SourceError(f"{self._url} ends before byte {end}: it changed while it was read")
        return data

    def _persist(self, what: str, ask: Callable[..., _T], *arguments: int) -> _T:
        retrying = Retrying(
            retry=retry_if_exception(_may_pass),
            stop=stop_after_attempt(ATTEMPTS),
            wait=wait_exponential_jitter(initial=0.2, max=10),
            reraise=True,
        )
        try:
            return retrying(ask, *arguments)
        except _NO_ANSWER as error:
            raise SourceError(f"{what}: {_reason(error)}") from error

    def _connected(self) -> Any:
        """What talks to the server: opened in each process anew, since connections do not survive a fork."""
        if self._connection is None or self._process != os.getpid():
            self._connection = self._connect()
            self._process = os.getpid()
        return self._connection

    def _connect(self) -> Any:
        try:
            return fsspec.core.url_to_fs(self._url, **self._storage_options)
        except (ValueError, ImportError) as error:
            raise ArgumentError(f"cannot open {self._url}: {error}") from error

    def _ask_size(self) -> int:
        filesystem, path = self._connected()
        return int(filesystem.info(path)["size"])

    def _ask_range(self, offset: int, end: int) -> bytes:
        filesystem, path = self._connected()
        if isinstance(filesystem, HfFileSystem):
            # The Hub's `cat_file` reads ahead by 5 MB; an uncached file asks for the range and nothing else.
            with filesystem.open(path, "rb", cache_type="none") as file:
                return file._fetch_range(offset, end)
        return filesystem.cat_file(path, start=offset, end=end)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_connection": None, "_process": -1}


class HttpSource(RemoteSource):
    """A file behind "http://" or "https://", read by range requests.

    A server that answers a range with the whole file, which may have many GB, is refused before the file comes.
    """

    def _connect(self) -> httpx.Client:
        return httpx.Client(follow_redirects=True, timeout=60, headers=self._storage_options.get("headers"))

    def _ask_size(self) -> int:
        with self._get("bytes=0-0") as response:
            if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
                return 0
            return int(response.headers["Content-Range"].rpartition("/")[2])

    def _ask_range(self, offset: int, end: int) -> bytes:
        with self._get(f"bytes={offset}-{end - 1}") as response:
            return response.read()

    @contextmanager
    def _get(self, byte_range: str) -> Iterator[httpx.Response]:
        with self._connected().stream("GET", self._url, headers={"Range": byte_range}) as response:
            is_empty = response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE
            if response.is_error and not is_empty:
                response.raise_for_status()
            if not is_empty and response.status_code != httpx.codes.PARTIAL_CONTENT:
                raise SourceError(f"cannot read {self._url} by ranges: its server sends files only whole")
            yield response


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
    if "://" not in text:
        return LocalSource(text)
    kind = HttpSource if text.startswith(("http://", "https://")) else RemoteSource
    return kind(text, storage_options=storage_options, size=size)


def _read_fully(file: io.FileIO, length: int) -> bytes:
    parts = []
    while length > 0 and (part := file.read(length)):
        parts.append(part)
        length -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _may_pass(error: BaseException) -> bool:
    """Whether asking again may help: not where the server says that the request itself is wrong."""
    if isinstance(error, FileNotFoundError) or not isinstance(error, _NO_ANSWER):
        return False
    status = getattr(getattr(error, "response", None), "status_code", None)
    return status is None or status >= 500 or status in (408, 429)


def _reason(error: BaseException) -> str:
    response = getattr(error, "response", None)
    if isinstance(error, FileNotFoundError) or getattr(response, "status_code", None) == httpx.codes.NOT_FOUND:
        return "there is no such file"
    return str(error).splitlines()[0] if str(error) else type(error).__name__
