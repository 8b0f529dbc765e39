"""A folder served on loopback with range requests, and with faults where a test asks for them."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class RangeServer:
    """Attributes: url, requests (method, path, range) as they came, failures: how many GETs still answer 503, alter:
    changes an answer (status, headers, body, whole content, request headers) before it is sent."""

    def __init__(self, folder: Path, *, ranges: bool = True) -> None:
        self.folder = folder
        self.ranges = ranges
        self.requests: list[tuple[str, str, str | None]] = []
        self.failures = 0
        self.alter = lambda status, headers, body, whole, asked: (status, headers, body)
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_HEAD(self) -> None:
                outer.answer(self, send_body=False)

            def do_GET(self) -> None:
                outer.answer(self, send_body=True)

            def log_message(self, *arguments: object) -> None:
                """Keeps the test's output clean."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def answer(self, handler: BaseHTTPRequestHandler, *, send_body: bool) -> None:
        asked = handler.headers.get("Range")
        self.requests.append((handler.command, handler.path, asked))
        path = self.folder / handler.path.lstrip("/")
        status, body, headers = 200, b"", {}
        if send_body and self.failures > 0:
            self.failures -= 1
            status = 503
        elif not path.is_file():
            status = 404
        else:
            body = path.read_bytes()
            if self.ranges:
                headers["Accept-Ranges"] = "bytes"
                if found := re.fullmatch(r"bytes=(\d+)-(\d*)", asked or ""):
                    begin, end = int(found[1]), min(int(found[2] or len(body) - 1), len(body) - 1)
                    status, headers["Content-Range"] = 206, f"bytes {begin}-{end}/{len(body)}"
                    body = body[begin : end + 1]
        whole = path.read_bytes() if path.is_file() else b""
        status, headers, body = self.alter(status, headers, body, whole, handler.headers)
        handler.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            handler.send_header(name, value)
        handler.end_headers()
        if send_body:
            handler.wfile.write(body)

    @contextmanager
    def running(self) -> Iterator["RangeServer"]:
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()
