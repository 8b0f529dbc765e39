"""The files and batches endpoints of OpenAI's protocol on loopback."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = Callable[[dict[str, Any]], tuple[int, dict[str, Any]] | None]
"""From a request's body to status and body of its answer; None for a request that is never answered."""


@dataclass
class BatchEndpoint:
    """What is there, and how it behaves.

    Attributes:
        answer: see `Answer`.
        state: that a batch ends in.
        looks: at a batch, until it has ended.
        files: id to content.
        batches: in the order in which they came.
        asked: bodies of all requests of all batches.
    """

    answer: Answer
    state: str = "completed"
    looks: int = 1
    base_url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    batches: list[dict[str, Any]] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)

    def add_file(self, content: bytes) -> str:
        name = f"file-{len(self.files)}"
        self.files[name] = content
        return name

    def create(self, record: dict[str, Any]) -> dict[str, Any]:
        lines = [json.loads(line) for line in self.files[record["input_file_id"]].splitlines()]
        assert len({line["custom_id"] for line in lines}) == len(lines), "names are unique in a batch"
        assert all((line["method"], line["url"]) == ("POST", "/v1/chat/completions") for line in lines)
        assert (record["endpoint"], record["completion_window"]) == ("/v1/chat/completions", "24h")
        self.asked += [line["body"] for line in lines]
        batch = {"id": f"batch-{len(self.batches)}", "status": "in_progress", "left": self.looks, "lines": lines}
        self.batches.append({**batch, "metadata": record["metadata"]})
        return self.shown(self.batches[-1])

    def state_of(self, name: str) -> dict[str, Any]:
        batch = next(one for one in self.batches if one["id"] == name)
        batch["left"] -= 1
        if batch["left"] < 0 and batch["status"] == "in_progress":
            self.end(batch)
        return self.shown(batch)

    def end(self, batch: dict[str, Any]) -> None:
        answers: dict[str, list[str]] = {"output_file_id": [], "error_file_id": []}
        for line in batch["lines"]:
            made = self.answer(line["body"])
            if made is not None:
                status, body = made
                record = {"custom_id": line["custom_id"], "response": {"status_code": status, "body": body}}
                answers["output_file_id" if status == 200 else "error_file_id"].append(json.dumps(record))
        for name, lines in answers.items():
            batch[name] = self.add_file("\n".join(reversed(lines)).encode() + b"\n") if lines else None
        batch["status"] = self.state

    def shown(self, batch: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in batch.items() if name not in ("left", "lines")}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    endpoint: BatchEndpoint

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.endpoint.keys.add(self.headers.get("Authorization", ""))
        if self.path == "/v1/files":
            boundary = self.headers["Content-Type"].partition("boundary=")[2].encode()
            parts = dict(part.partition(b"\r\n\r\n")[::2] for part in body.split(b"--" + boundary))
            [purpose] = [value.strip() for head, value in parts.items() if b'name="purpose"' in head]
            assert purpose == b"batch"
            [content] = [value.removesuffix(b"\r\n") for head, value in parts.items() if b'name="file"' in head]
            self.send({"id": self.endpoint.add_file(content)})
        elif self.path == "/v1/batches":
            self.send(self.endpoint.create(json.loads(body)))
        else:
            self.send({"error": {"message": "a batch was wanted"}}, 404)

    def do_GET(self) -> None:
        _, _, kind, *rest = self.path.partition("?")[0].split("/")
        if kind == "batches" and rest:
            self.send(self.endpoint.state_of(rest[0]))
        elif kind == "batches":
            self.send({"data": [self.endpoint.shown(batch) for batch in self.endpoint.batches]})
        else:
            self.send(self.endpoint.files[rest[0]])

    def send(self, content: Any, status: int = 200) -> None:
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Keep the tests' output clean."""


@contextmanager
def batch_endpoint(answer: Answer, **behaviour: Any) -> Iterator[BatchEndpoint]:
    """Serve on a free port of 127.0.0.1 until the block ends."""
    endpoint = BatchEndpoint(answer, **behaviour)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"endpoint": endpoint}))
    server.daemon_threads = True
    endpoint.base_url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield endpoint
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
