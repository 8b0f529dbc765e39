"""Reading byte ranges of files, local or remote.

All of OpenS2V-5M is read through `ByteSource`: a JSON object of tens of GB, a piece of a split tar, a picture. A source
can be pickled and survives a fork: it opens its file in the process that reads.
"""

from __future__ import annotations

import asyncio
import io
import os
import re
import time
import weakref
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

import fsspec
import fsspec.core
import httpx
from huggingface_hub import HfFileSystem
from huggingface_hub.errors import HTTPError
from huggingface_hub.utils import build_hf_headers, hf_raise_for_status, http_backoff
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_exponential_jitter

from opens2v_hf._util.content_coding import drop_redirect_body
from opens2v_hf._util.event_loop import event_loop, run_within
from opens2v_hf._util.retries import retry_after_s
from opens2v_hf._util.tls import tls_context
from opens2v_hf.errors import ArgumentError, OpenS2VError, SourceError

_T = TypeVar("_T")

_NO_ANSWER = (OSError, httpx.HTTPError, HTTPError)
"""The last is the Hub client's own, of whichever HTTP library it uses."""

ATTEMPTS = 5
"""Requests for a range of a remote file before it is an error."""

_LONGEST_WAIT_S = 60.0
"""Upper bound of the wait that a server can demand (Retry-After)."""

_SLOWEST_BYTES_PER_S = 1 << 14
"""An answer with its headers may take `_LONGEST_WAIT_S` and the time for its bytes at this rate: with a timeout between
bytes alone, a server that sends single bytes would hold a reader for ever."""

_CONTENT_RANGE = re.compile(r"bytes\s+(\d{1,18})-(\d{1,18})/(\d{1,18}|\*)", re.IGNORECASE)
_VALIDATORS = ("ETag", "Last-Modified")


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
            self._size, self._changed_at = _identity(os.stat(self._path))
        except (OSError, ValueError) as error:  # the latter for names with a null byte
            raise SourceError(f"cannot read {self._path}: {_reason(error)}") from error

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
            # Opened again: threads and forked processes would share the position of an open file.
            with self._path.open("rb", buffering=0) as file:
                if _identity(os.fstat(file.fileno())) != (self._size, self._changed_at):
                    raise SourceError(f"{self._path} changed while it was in use: load the dataset again")
                file.seek(offset)
                return _read_fully(file, min(length, max(0, self._size - offset)))
        except (OSError, ValueError) as error:
            raise SourceError(f"cannot read {self._path}: {_reason(error)}") from error


class RemoteSource:
    """A file that fsspec supports, e.g. of "hf://datasets/org/name/...", read by range requests.

    A request that fails for a temporary reason is repeated, `ATTEMPTS` requests in all.
    """

    def __init__(self, url: str, *, storage_options: dict[str, Any] | None = None, size: int | None = None) -> None:
        self._url = url
        self._shown = shown_url(url)
        self._storage_options = dict(storage_options or {})
        self._connection: Any = None
        self._process = -1
        self._size = -1 if size is None else size
        self._version = ""

    @property
    def url(self) -> str:
        """See `ByteSource.url`."""
        return self._url

    @property
    def size(self) -> int:
        """See `ByteSource.size`."""
        if self._size < 0:
            self._size = self._persist(f"cannot read {self._shown}", self._ask_size)
        return self._size

    def read(self, offset: int, length: int) -> bytes:
        """See `ByteSource.read`."""
        end = min(offset + length, self.size)
        if end <= offset:
            return b""
        data = self._persist(f"cannot read bytes {offset} to {end} of {self._shown}", self._ask_range, offset, end)
        if len(data) != end - offset:
            raise SourceError(f"{self._shown} ends before byte {end}: it changed while it was read")
        return data

    def _persist(self, what: str, ask: Callable[..., _T], *arguments: int) -> _T:
        retrying = Retrying(
            retry=retry_if_exception(_may_pass),
            stop=stop_after_attempt(ATTEMPTS),
            wait=_wait_s,
            reraise=True,
        )
        try:
            return retrying(ask, *arguments)
        except OpenS2VError:
            raise
        except Exception as error:  # file systems of fsspec raise what their clients raise
            raise SourceError(f"{what}: {_reason(error).replace(self._url, self._shown)}") from error

    def _connected(self) -> Any:
        """The client: opened in each process, since connections do not survive a fork."""
        if self._connection is None or self._process != os.getpid():
            self._connection = self._connect()
            self._process = os.getpid()
        return self._connection

    def _connect(self) -> Any:
        try:
            if "://" not in self._url.rpartition("::")[2]:
                # fsspec would take "::" for a chain of file systems, each of which has a protocol.
                filesystem = fsspec.filesystem(self._url.partition("://")[0], **self._storage_options)
                return filesystem, filesystem._strip_protocol(self._url)
            return fsspec.core.url_to_fs(self._url, **self._storage_options)
        except (ValueError, ImportError) as error:
            raise ArgumentError(f"cannot open {self._shown}: {error}") from error

    def _ask_size(self) -> int:
        filesystem, path = self._connected()
        size = filesystem.info(path).get("size")
        if size is None:
            raise SourceError(f"cannot read {self._shown} by ranges: its server does not say how long it is")
        return int(size)

    def _ask_range(self, offset: int, end: int) -> bytes:
        filesystem, path = self._connected()
        if isinstance(filesystem, HfFileSystem):
            return self._ask_hub_range(filesystem, path, offset, end)
        return filesystem.cat_file(path, start=offset, end=end)

    def _ask_hub_range(self, filesystem: HfFileSystem, path: str, offset: int, end: int) -> bytes:
        # The Hub's `cat_file` reads ahead by 5 MB, and nothing tells which version of the file it has read.
        headers = {
            **build_hf_headers(token=filesystem.token),
            "Accept-Encoding": "identity",  # a range of a compressed file would be one of other bytes
            "Range": f"bytes={offset}-{end - 1}",
        }
        response = http_backoff("GET", filesystem.url(path), headers=headers, timeout=_LONGEST_WAIT_S)
        hf_raise_for_status(response)
        version = _hub_version([*response.history, response])
        sent = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", "").strip())
        is_other = sent is not None and (int(sent[1]) != offset or sent[3] not in ("*", str(self.size)))
        if is_other or (self._version and version and version != self._version):
            filesystem.invalidate_cache()  # its listing has the size of the file that was there before
            raise SourceError(f"{self._shown} changed while it was read: load the dataset again")
        self._version = self._version or version
        return response.content

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_connection": None, "_process": -1}


class HttpSource(RemoteSource):
    """A file behind "http://" or "https://", read by range requests.

    Every byte must be one that the server declares to be of the requested range: a response with another range, with
    several parts, compressed, or of a file that has changed since the first response is an error. A server that answers
    a range request with the whole file, which may have many GB, is refused before the file is downloaded.
    """

    def __init__(self, url: str, *, storage_options: dict[str, Any] | None = None, size: int | None = None) -> None:
        super().__init__(url, storage_options=storage_options, size=size)
        self._validators: dict[str, str] = {}

    def _connect(self) -> httpx.AsyncClient:
        # A range of a compressed file would be one of other bytes.
        headers = {**(self._storage_options.get("headers") or {}), "Accept-Encoding": "identity"}
        hooks = {"response": [drop_redirect_body]}
        client = httpx.AsyncClient(
            follow_redirects=True, timeout=60, headers=headers, event_hooks=hooks, verify=tls_context()
        )
        weakref.finalize(self, _close, client, event_loop(), os.getpid()).atexit = False
        return client

    def _ask_size(self) -> int:
        return self._in_time(self._told_size(), 0)

    def _ask_range(self, offset: int, end: int) -> bytes:
        parts = []
        while offset < end:
            # A server may send the first part of the requested range only.
            parts.append(self._in_time(self._first_part(offset, end), end - offset))
            offset += len(parts[-1])
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _in_time(self, exchange: Coroutine[Any, Any, _T], length: int) -> _T:
        limit_s = _LONGEST_WAIT_S + length / _SLOWEST_BYTES_PER_S
        try:
            return run_within(limit_s, exchange)
        except TimeoutError as error:
            raise httpx.ReadTimeout(f"the answer did not come within {limit_s:.3g} s") from error

    async def _told_size(self) -> int:
        async with self._get(0, 1) as response:
            if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
                return 0
            if response.status_code == httpx.codes.OK:  # a file of at most one byte, see `_get`
                return int(response.headers["Content-Length"])
            total = self._content_range(response)[2]
            self._validators = _validators_of(response)
        if total is not None:
            return total
        response = await self._connected().head(self._url)
        response.raise_for_status()
        length = response.headers.get("Content-Length", "")
        # The file has a first byte, and the length of a compressed copy is another one.
        if not length.isdecimal() or length == "0" or _is_compressed(response):
            raise SourceError(f"cannot read {self._shown} by ranges: its server does not say how long it is")
        return int(length)

    async def _first_part(self, offset: int, end: int) -> bytes:
        async with self._get(offset, end) as response:
            if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
                raise SourceError(f"{self._shown} ends before byte {end}: it changed while it was read")
            total: int | None = end
            first, last = 0, end - 1
            if response.status_code == httpx.codes.PARTIAL_CONTENT:
                first, last, total = self._content_range(response)
            if first != offset or not first <= last < end:
                raise SourceError(
                    f"cannot read {self._shown} by ranges: its server sent bytes {first} to {last} (requested were "
                    f"{offset} to {end - 1})"
                )
            self._check_unchanged(response, total)
            return await self._body(response, last - first + 1)

    @asynccontextmanager
    async def _get(self, offset: int, end: int) -> AsyncIterator[httpx.Response]:
        """The answer to a range: 206, 416, or 200 where the range is the whole file, or the file is empty."""
        headers = {"Range": f"bytes={offset}-{end - 1}"}
        async with self._connected().stream("GET", self._url, headers=headers) as response:
            is_empty = response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE
            if response.is_error and not is_empty:
                response.raise_for_status()
            is_whole = (
                response.status_code == httpx.codes.OK
                and offset == 0
                and response.headers.get("Content-Length") in (str(end), "0")
            )
            if not (is_empty or is_whole) and response.status_code != httpx.codes.PARTIAL_CONTENT:
                raise SourceError(
                    f"cannot read {self._shown} by ranges: its server sends files only whole (status "
                    f"{response.status_code})"
                )
            if _is_compressed(response):
                raise SourceError(f"cannot read {self._shown} by ranges: its server sends it compressed")
            yield response

    def _content_range(self, response: httpx.Response) -> tuple[int, int, int | None]:
        """First and last byte of a partial answer, and the length of the file where the server tells it."""
        header = response.headers.get("Content-Range", "")
        found = _CONTENT_RANGE.fullmatch(header.strip())
        in_parts = response.headers.get("Content-Type", "").strip().lower().startswith("multipart/")
        if found is None or in_parts or (found[3] != "*" and int(found[2]) >= int(found[3])):
            reason = f"Content-Range is {header[:80]!r}" if header else "Content-Range is missing"
            if in_parts:
                reason = "it answers in several parts"
            raise SourceError(
                f"cannot read {self._shown} by ranges: its server does not say which bytes it sends ({reason})"
            )
        return int(found[1]), int(found[2]), None if found[3] == "*" else int(found[3])

    def _check_unchanged(self, response: httpx.Response, total: int | None) -> None:
        validators = _validators_of(response)
        shared = [name for name in _VALIDATORS if name in validators and name in self._validators]
        # The first that both answers have: where entity tags agree, times may differ between servers.
        changed = bool(shared) and validators[shared[0]] != self._validators[shared[0]]
        if changed or (total is not None and total != self.size):
            raise SourceError(f"{self._shown} changed while it was read: load the dataset again")
        self._validators = {**validators, **self._validators}

    async def _body(self, response: httpx.Response, length: int) -> bytes:
        body = bytearray()
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > length:
                raise SourceError(f"cannot read {self._shown} by ranges: its server sends more bytes than it announces")
        if len(body) < length:
            raise httpx.RemoteProtocolError(f"the answer ends after {len(body)} of {length} bytes")
        return bytes(body)


def _close(client: httpx.AsyncClient, loop: asyncio.AbstractEventLoop, process: int) -> None:
    if process == os.getpid():  # the connections of a forked process are its parent's
        asyncio.run_coroutine_threadsafe(client.aclose(), loop)


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


def hub_options(url: str, token: str | bool | None) -> dict[str, Any]:
    """The options of fsspec for a URL with a token of the Hub, which no other server gets.

    >>> hub_options("hf://datasets/org/name/file", "hf_x"), hub_options("https://host/file", "hf_x")
    ({'token': 'hf_x'}, {})
    """
    return {"token": token} if token and url.startswith("hf://") else {}


def shown_url(url: str) -> str:
    """A URL without its user, password and query, which may hold secrets; for messages.

    >>> shown_url("https://me:secret@host/file.bin?signature=secret"), shown_url("hf://datasets/org/name@main/file?")
    ('https://host/file.bin', 'hf://datasets/org/name@main/file?')
    """
    if not url.startswith(("http://", "https://", "s3://", "ftp://")):
        return url
    return re.sub(r"//[^/@]*@", "//", url).partition("?")[0]


def _is_compressed(response: httpx.Response) -> bool:
    return response.headers.get("Content-Encoding", "").strip().lower() not in ("", "identity")


def _read_fully(file: io.FileIO, length: int) -> bytes:
    parts = []
    while length > 0 and (part := file.read(length)):
        parts.append(part)
        length -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _validators_of(response: httpx.Response) -> dict[str, str]:
    # a tag that a proxy makes weak is still that of the same file
    return {name: response.headers[name].removeprefix("W/") for name in _VALIDATORS if name in response.headers}


def _hub_version(answers: Sequence[Any]) -> str:
    """The entity tag of a file of the Hub, from the answers of one request with its redirects; "" where none is said.

    A large file is behind a redirect, which has the tag; that of the storage it leads to is another one.
    """
    linked = next((answer.headers["X-Linked-ETag"] for answer in answers if "X-Linked-ETag" in answer.headers), "")
    tag = linked or (answers[0].headers.get("ETag", "") if len(answers) == 1 else "")
    return tag.removeprefix("W/").strip('"')


def _identity(stat: os.stat_result) -> tuple[int, int]:
    return stat.st_size, stat.st_mtime_ns


def _wait_s(state: RetryCallState) -> float:
    """Seconds before the next request: longer each time, and no shorter than the server demands (Retry-After)."""
    wait = wait_exponential_jitter(initial=0.2, max=10)(state)
    error = None if state.outcome is None else state.outcome.exception()
    asked = getattr(getattr(error, "response", None), "headers", {}).get("Retry-After")
    return max(wait, min(retry_after_s(asked, time.time()) or 0.0, _LONGEST_WAIT_S))


def _may_pass(error: BaseException) -> bool:
    """Whether another request may succeed: not where the server says that the request itself is wrong."""
    if isinstance(error, FileNotFoundError) or not isinstance(error, _NO_ANSWER):
        return False
    status = getattr(getattr(error, "response", None), "status_code", None)
    return status is None or status >= 500 or status in (408, 425, 429)


def _reason(error: BaseException) -> str:
    response = getattr(error, "response", None)
    if isinstance(error, FileNotFoundError) or getattr(response, "status_code", None) == httpx.codes.NOT_FOUND:
        return "there is no such file"
    if isinstance(error, httpx.HTTPStatusError):  # whose own text holds the URL after redirects
        return f"status {error.response.status_code} {error.response.reason_phrase}".rstrip()
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error).splitlines()[0] if str(error) else type(error).__name__
