"""A folder served on loopback with range requests, and with faults where a test asks for them."""

import re
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from helpers.loopback_server import LoopbackServer


class RangeServer(LoopbackServer):
    """Attributes: url, requests (method, path, range) as they came, failures: how many GETs still answer 503, alter:
    changes an answer (status, headers, body, whole content, request headers) before it is sent."""

    def __init__(self, folder: Path, *, ranges: bool = True) -> None:
        super().__init__()
        self.folder = folder
        self.ranges = ranges
        self.requests: list[tuple[str, str, str | None]] = []
        self.failures = 0
        self.alter = lambda status, headers, body, whole, asked: (status, headers, body)

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        asked = handler.headers.get("Range")
        self.requests.append((handler.command, handler.path, asked))
        path = self.folder / handler.path.lstrip("/")
        status, body, headers = 200, b"", {}
        if handler.command == "GET" and self.failures > 0:
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
        self.send(handler, status, body, headers)
