"""An OpenAI-compatible endpoint on loopback with a set behaviour for each request."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Behaviour = Callable[["_Handler"], None]


def completion(
    content: Any, *, finish_reason: str = "stop", tokens: int | None = 100, **message: Any
) -> dict[str, Any]:
    record: dict[str, Any] = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": "gpt-4o-2024-11-20",
        "choices": [
            {"index": 0, "finish_reason": finish_reason, "message": {"role": "assistant", "content": content} | message}
        ],
    }
    if tokens is not None:
        record["usage"] = {"prompt_tokens": tokens - 1, "completion_tokens": 1, "total_tokens": tokens}
    return record


def says(content: Any, **options: Any) -> Behaviour:
    """Answers with a chat completion."""
    return raw(json.dumps(completion(content, **options)).encode())


def says_token(listed: dict[str, float], text: str = "4") -> Behaviour:
    """Answers as vLLM does to `logprobs` with `max_tokens: 1`."""
    record = completion(text, finish_reason="length")
    top = [{"token": token, "logprob": value, "bytes": None} for token, value in listed.items()]
    record["choices"][0]["logprobs"] = {"content": [{"token": text, "logprob": -0.1, "top_logprobs": top}]}
    return raw(json.dumps(record).encode())


def raw(body: bytes, *, status: int = 200, content_type: str = "application/json", **headers: str) -> Behaviour:
    """Answers with these bytes; header names are written with underscores."""

    def behave(handler: _Handler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Type", content_type)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return behave


def fails(status: int, message: str = "no", **headers: str) -> Behaviour:
    """Answers with an error of OpenAI's form."""
    return raw(json.dumps({"error": {"message": message}}).encode(), status=status, **headers)


def truncated(handler: _Handler) -> None:
    """Announces more bytes than it sends."""
    body = json.dumps(completion("5")).encode()
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body[: len(body) // 2])
    handler.close_connection = True


def resets(handler: _Handler) -> None:
    """Resets the connection without an answer."""
    # lingering for 0 s makes close() send RST instead of FIN
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.shutdown(socket.SHUT_RD)
    handler.close_connection = True


def hangs(seconds: float) -> Behaviour:
    """Waits before it answers."""

    def behave(handler: _Handler) -> None:
        handler.endpoint.released.wait(seconds)
        says("5")(handler)

    return behave


def drips(seconds: float) -> Behaviour:
    """Sends a byte now and then, so that no single read times out."""

    def behave(handler: _Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", "100000")
        handler.end_headers()
        until = time.monotonic() + seconds
        while time.monotonic() < until and not handler.endpoint.released.wait(0.02):
            handler.wfile.write(b" ")
            handler.wfile.flush()
        handler.close_connection = True

    return behave


def drips_headers(seconds: float) -> Behaviour:
    """Sends its headers byte by byte, and never ends them."""

    def behave(handler: _Handler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        until = time.monotonic() + seconds
        while time.monotonic() < until and not handler.endpoint.released.wait(0.02):
            handler.wfile.write(b"a")
            handler.wfile.flush()
        handler.close_connection = True

    return behave


def never(handler: _Handler) -> None:
    """Takes the request and says nothing until the endpoint ends."""
    handler.endpoint.released.wait(600)
    handler.close_connection = True


@dataclass
class Endpoint:
    """The behaviours of the endpoint, and the requests that it got.

    Attributes:
        script: behaviours of the requests in order; the last one stays.
        requests: bodies that came, as JSON; those of another kind as they are, in `bodies`.
        headers: of each request.
        files: what a GET of a path answers; 404 for others.
        most_at_a_time: requests that were under way together at most.
    """

    script: list[Behaviour]
    base_url: str = ""
    requests: list[dict[str, Any]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    headers: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    most_at_a_time: int = 0
    released: threading.Event = field(default_factory=threading.Event)
    _now: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def enter(self, path: str, headers: dict[str, str], body: bytes) -> Behaviour:
        with self._lock:
            self.paths.append(path)
            self.headers.append(headers)
            self.bodies.append(body)
            if headers.get("Content-Type", "").startswith("application/json"):
                self.requests.append(json.loads(body))
            self._now += 1
            self.most_at_a_time = max(self.most_at_a_time, self._now)
            return self.script.pop(0) if len(self.script) > 1 else self.script[0]

    def leave(self) -> None:
        with self._lock:
            self._now -= 1


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else a body may wait 40 ms for the client to acknowledge the headers
    endpoint: Endpoint

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.body = body
        behave = self.endpoint.enter(self.path, dict(self.headers), body)
        self.counted = True
        try:
            behave(self)
        except OSError:  # the client has gone
            self.close_connection = True
        finally:
            self._leave()

    def send_response(self, code: int, message: str | None = None) -> None:
        """The client may continue as soon as it has the answer, before this thread does."""
        self._leave()
        super().send_response(code, message)

    def _leave(self) -> None:
        if self.counted:
            self.counted = False
            self.endpoint.leave()

    def do_GET(self) -> None:
        content = self.endpoint.files.get(self.path)
        self.endpoint.headers.append(dict(self.headers))
        self.counted = False  # only what is paid for counts as under way
        raw(content or b"", status=404 if content is None else 200)(self)

    def log_message(self, *_: Any) -> None:
        """Keep the tests' output clean."""


@contextmanager
def judge_endpoint(*script: Behaviour) -> Iterator[Endpoint]:
    """Serve on a free port of 127.0.0.1 until the block ends."""
    endpoint = Endpoint(list(script))
    handler = type("Handler", (_Handler,), {"endpoint": endpoint})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    endpoint.base_url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield endpoint
    finally:
        endpoint.released.set()
        server.shutdown()
        server.server_close()
        thread.join()
