"""Answers of servers that are much longer than they should be, or become so when they are unpacked."""

from __future__ import annotations

import httpx

_UNBOUNDED = {"br", "zstd"}
_REDIRECT_PARTS = 4
"""Reads of the body of a redirect: after a short one, which is read to its end, the connection can be used again."""


def check_coding(response: httpx.Response) -> None:
    """Refuse an answer of which a few bytes may become gigabytes, before any of it is read.

    httpx unpacks all that one read of a connection gave (64 KB) at once. By gzip or deflate that is 64 MB at most, so
    that callers can count what comes; packed twice, or by Brotli or Zstandard, it has no useful bound.

    Raises:
        httpx.DecodingError: the answer is packed in such a way.
    """
    if problem := coding_problem(response.headers.get("Content-Encoding", "")):
        raise httpx.DecodingError(problem, request=response.request)


def coding_problem(header: str) -> str:
    """Why an answer with this `Content-Encoding` is not to be unpacked; empty where it may be. See `check_coding`.

    Example:
        >>> coding_problem("gzip"), coding_problem("gzip, br")
        ('', "Content-Encoding must be gzip, deflate or nothing (got 'gzip, br')")
    """
    codings = [coding.strip().lower() for coding in header.split(",")]
    if len(codings) == 1 and codings[0] not in _UNBOUNDED:
        return ""
    return f"Content-Encoding must be gzip, deflate or nothing (got {', '.join(codings)[:80]!r})"


async def bounded_body(response: httpx.Response, num_bytes: int) -> bytes:
    """Read the body of a streamed answer; of a longer one, one part more than `num_bytes`, which the caller refuses.

    Raises:
        httpx.DecodingError: see `check_coding`.
    """
    check_coding(response)
    body = bytearray()
    async for part in response.aiter_bytes():
        body += part
        if len(body) > num_bytes:
            break
    return bytes(body)


async def drop_redirect_body(response: httpx.Response) -> None:
    """A response hook for a client that follows redirects: httpx reads the body of each whole, of any length."""
    if response.has_redirect_location and isinstance(response.stream, httpx.AsyncByteStream):
        parts = 0
        async for _ in response.stream:
            parts += 1
            if parts == _REDIRECT_PARTS:
                break
        await response.stream.aclose()
        response.stream = httpx.ByteStream(b"")
