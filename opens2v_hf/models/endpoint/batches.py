"""Many chat completions as batches: a file of requests goes up, and hours later a file of answers comes down."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import httpx
import tenacity

from opens2v_hf._util.content_coding import bounded_body
from opens2v_hf._util.event_loop import run_within
from opens2v_hf._util.tls import tls_context
from opens2v_hf.errors import ServiceUnavailableError
from opens2v_hf.models.endpoint.answers import read_json

ENDED = frozenset({"completed", "failed", "expired", "cancelled"})
"""States of a batch of which nothing more comes."""

TAG = "opens2v"
"""Name of the metadata by which a batch is found again whose id was lost with its process."""

_WINDOW = "24h"
_ATTEMPTS = 6
_EXCERPT_CHARS = 300
_MAX_CONNECT_S = 15.0
_MAX_RECORD_BYTES = 16 << 20
_RECORD_S = 120.0
MAX_CONTENT_BYTES = 200 << 20
"""Bytes of a file of answers: as many as services take of requests, which hold pictures and are longer."""


@dataclass(frozen=True)
class Batch:
    """State of a batch as the service reports it.

    Attributes:
        id: of the batch.
        state: "validating", "in_progress", "finalizing", or one of `ENDED`.
        files: of answers and of errors, as far as there are any.
        completed: requests that are done.
        total: requests.
        problem: why it failed; empty where it did not.
    """

    id: str
    state: str
    files: tuple[str, ...]
    completed: int
    total: int
    problem: str


class _TransientError(Exception):
    pass


@dataclass(frozen=True)
class _Bounds:
    """Of one request with its answer."""

    seconds: float
    num_bytes: int


class BatchClient:
    """The files and batches endpoints of a service that speaks OpenAI's protocol.

    Args:
        base_url: up to and without "/batches".
        headers: with the key; never shown.
        timeout_s: of one request for a file with its answer; files are large. Others have two minutes at most.
        sleep: waits some seconds between attempts.
    """

    def __init__(
        self, base_url: str, headers: Mapping[str, str], *, timeout_s: float, sleep: Callable[[float], None]
    ) -> None:
        self._base_url = base_url
        self._headers = {**headers, "Accept-Encoding": "gzip"}
        self._timeout_s = timeout_s
        self._sleep = sleep

    def submit(self, requests: bytes, tag: str, *, ended: Collection[str] = ()) -> str:
        """Start a batch, unless one with this tag is there already; returns its id.

        Args:
            requests: JSON Lines.
            tag: of the requests.
            ended: ids of batches that have given all they will give; a new one is started in their place.

        Raises:
            ServiceUnavailableError: the service refuses it, or gives no answer.
        """
        listed = self._record("GET", "/batches", params={"limit": 100}).get("data")
        for record in listed if isinstance(listed, list) else []:
            with suppress(AttributeError, KeyError, TypeError):  # it is no batch that this client could have started
                usable = record["status"] not in ("failed", "cancelled") and record["id"] not in ended
                if record["metadata"].get(TAG) == tag and usable:
                    return str(record["id"])
        uploaded = self._id(
            "/files",
            data={"purpose": "batch"},
            files={"file": ("requests.jsonl", requests, "application/jsonl")},
        )
        record = {
            "input_file_id": uploaded,
            "endpoint": "/v1/chat/completions",
            "completion_window": _WINDOW,
            "metadata": {TAG: tag},
        }
        return self._id("/batches", json=record)

    def status(self, batch_id: str) -> Batch:
        """Request the state of a batch."""
        path = f"/batches/{batch_id}"
        record = self._record("GET", path)
        try:
            counts = record.get("request_counts") or {}
            errors = (record.get("errors") or {}).get("data") or []
            files = [record.get(name) for name in ("output_file_id", "error_file_id")]
            return Batch(
                id=batch_id,
                state=str(record["status"]),
                files=tuple(str(name) for name in files if name),
                completed=int(counts.get("completed", 0)) + int(counts.get("failed", 0)),
                total=int(counts.get("total", 0)),
                problem="; ".join(str(error.get("message", "")) for error in errors)[:_EXCERPT_CHARS],
            )
        except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
            raise self._no_batches(path, f"its record of a batch is malformed ({error!r})") from error

    def content(self, file_id: str) -> bytes:
        """The bytes of a file; one of more than `MAX_CONTENT_BYTES` is refused."""
        return self._ask("GET", f"/files/{file_id}/content", {}, _Bounds(self._timeout_s, MAX_CONTENT_BYTES))

    def _id(self, path: str, **arguments: Any) -> str:
        """What the service calls the thing that a POST has made."""
        record = self._record("POST", path, **arguments)
        if not isinstance(record.get("id"), str):
            raise self._no_batches(path, "it holds no id")
        return str(record["id"])

    def _record(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:
        limit_s = self._timeout_s if "files" in arguments else min(self._timeout_s, _RECORD_S)
        content = self._ask(method, path, arguments, _Bounds(limit_s, _MAX_RECORD_BYTES))
        try:
            record = read_json(content)
        except ValueError as error:
            raise self._no_batches(path, str(error)) from error
        if not isinstance(record, dict):
            raise self._no_batches(path, "it is no JSON object")
        return record

    def _no_batches(self, path: str, problem: str) -> ServiceUnavailableError:
        return ServiceUnavailableError(
            f"the answer of {self._base_url}{path} cannot be used: {problem}; does the service take batches?"
        )

    def _ask(self, method: str, path: str, arguments: Mapping[str, Any], bounds: _Bounds) -> bytes:
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(_TransientError),
            stop=tenacity.stop_after_attempt(_ATTEMPTS),
            wait=tenacity.wait_exponential_jitter(initial=1.0, max=60.0),
            sleep=self._sleep,
            reraise=True,
        )
        try:
            return retrying(self._attempt, method, path, arguments, bounds)
        except _TransientError as error:
            raise ServiceUnavailableError(f"{self._base_url}{path} gave no answer: {error}") from error

    def _attempt(self, method: str, path: str, arguments: Mapping[str, Any], bounds: _Bounds) -> bytes:
        url = self._base_url + path
        try:
            response, content = run_within(bounds.seconds, self._exchange(method, url, arguments, bounds))
        except httpx.DecodingError as error:
            raise _TransientError(f"what came cannot be read: {error}") from error
        except TimeoutError as error:
            raise _TransientError(f"none came within {bounds.seconds:g} s") from error
        except (httpx.RequestError, OSError, UnicodeError) as error:  # the last is a host that is no name
            raise _TransientError(f"the connection failed ({type(error).__name__})") from error
        if response.status_code == httpx.codes.TOO_MANY_REQUESTS or response.is_server_error:
            raise _TransientError(f"HTTP {response.status_code}")
        if response.is_error or response.is_redirect:
            said = content[: 4 * _EXCERPT_CHARS].decode("utf-8", errors="replace")[:_EXCERPT_CHARS]
            raise ServiceUnavailableError(
                f"{url} refused with {response.status_code}; does the service take batches? It says: {said}"
            )
        if len(content) > bounds.num_bytes:
            raise ServiceUnavailableError(
                f"the answer of {url} has more than {bounds.num_bytes >> 20} MB, and is not read"
            )
        return content

    async def _exchange(
        self, method: str, url: str, arguments: Mapping[str, Any], bounds: _Bounds
    ) -> tuple[httpx.Response, bytes]:
        """The answer and its body, of which little more than the bound is read."""
        timeout = httpx.Timeout(None, connect=min(bounds.seconds, _MAX_CONNECT_S))
        async with (
            httpx.AsyncClient(headers=self._headers, timeout=timeout, verify=tls_context()) as http,
            http.stream(method, url, **arguments) as response,
        ):
            return response, await bounded_body(response, bounds.num_bytes)
