"""One TLS context for all connections of a process."""

from __future__ import annotations

import functools
import ssl

import httpx


@functools.cache
def tls_context() -> ssl.SSLContext:
    """For `verify=` of httpx. To read the certificates takes tens of milliseconds, and each file has a client."""
    return httpx.create_ssl_context()
