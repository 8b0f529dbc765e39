"""A bucket of an S3 service on loopback: what s3fs asks for to list and read objects, and the faults of real ones."""

import hashlib
import re
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.sax.saxutils import escape

from helpers.loopback_server import LoopbackServer

PAGE = 2
"""Objects in an answer to ListObjectsV2; the rest comes with a continuation token."""


class S3Server(LoopbackServer):
    """Attributes: objects (key to content) of the bucket `name`, refused (keys that answer 403), before_get (called
    with the key before an object is sent), requests (method and key or "list")."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.objects: dict[str, bytes] = {}
        self.refused: set[str] = set()
        self.before_get = lambda key: None
        self.requests: list[tuple[str, str]] = []

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        url = urlsplit(handler.path)
        bucket, _, key = unquote(url.path).lstrip("/").partition("/")
        self.requests.append((handler.command, key or "list"))
        if bucket != self.name:
            return self._fail(handler, 404, "NoSuchBucket", "The specified bucket does not exist")
        if not key:
            return self._list(handler, {name: values[0] for name, values in parse_qs(url.query).items()})
        if handler.command == "GET":
            self.before_get(key)
        if key in self.refused:
            return self._fail(handler, 403, "AccessDenied", "Access Denied")
        if key not in self.objects:
            return self._fail(handler, 404, "NoSuchKey", "The specified key does not exist.")
        content = self.objects[key]
        wanted = handler.headers.get("If-Match")
        if wanted is not None and wanted != etag(content):
            return self._fail(handler, 412, "PreconditionFailed", "At least one of the pre-conditions did not hold")
        headers = {"ETag": etag(content), "Last-Modified": "Sat, 01 Nov 2025 00:00:00 GMT", "Accept-Ranges": "bytes"}
        if found := re.fullmatch(r"bytes=(\d+)-(\d+)", handler.headers.get("Range", "")):
            begin, end = int(found[1]), min(int(found[2]), len(content) - 1)
            headers["Content-Range"] = f"bytes {begin}-{end}/{len(content)}"
            return self.send(handler, 206, content[begin : end + 1], headers)
        return self.send(handler, 200, content, headers)

    def _list(self, handler: BaseHTTPRequestHandler, query: dict[str, str]) -> None:
        after, prefix = query.get("continuation-token", ""), query.get("prefix", "")
        keys = [key for key in sorted(self.objects) if key.startswith(prefix) and key > after]
        shown = keys[:PAGE]
        more = f"<NextContinuationToken>{escape(shown[-1])}</NextContinuationToken>" if len(keys) > PAGE else ""
        entries = "".join(
            f"<Contents><Key>{quote(key)}</Key><LastModified>2025-11-01T00:00:00.000Z</LastModified><ETag>"
            f"{escape(etag(self.objects[key]))}</ETag><Size>{len(self.objects[key])}</Size></Contents>"
            for key in shown
        )
        body = (
            f"<ListBucketResult><Name>{self.name}</Name><EncodingType>url</EncodingType><KeyCount>{len(shown)}</KeyCount>"
            f"<IsTruncated>{str(bool(more)).lower()}</IsTruncated>{more}{entries}</ListBucketResult>"
        )
        self.send(handler, 200, body.encode(), {"Content-Type": "application/xml"})

    def _fail(self, handler: BaseHTTPRequestHandler, status: int, code: str, message: str) -> None:
        body = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
        self.send(handler, status, body.encode(), {"Content-Type": "application/xml"})


def etag(content: bytes) -> str:
    """As S3 gives it for an object that was sent in one part."""
    return f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'
