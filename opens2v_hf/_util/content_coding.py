"""Answers of servers that become much longer when they are unpacked."""

from __future__ import annotations

import httpx

_UNBOUNDED = {"br", "zstd"}


def check_coding(response: httpx.Response) -> None:
    """Refuse an answer of which a few bytes may become gigabytes, before any of it is read.

    httpx unpacks all that one read of a connection gave (64 KB) at once. By gzip or deflate that is 64 MB at most, so
    that callers can count what comes; packed twice, or by Brotli or Zstandard, it has no useful bound.

    Raises:
        httpx.DecodingError: the answer is packed in such a way.
    """
    codings = [coding.strip().lower() for coding in response.headers.get("Content-Encoding", "").split(",")]
    if len(codings) > 1 or codings[0] in _UNBOUNDED:
        shown = ", ".join(codings)[:80]
        raise httpx.DecodingError(
            f"Content-Encoding must be gzip, deflate or nothing (got {shown!r})", request=response.request
        )
