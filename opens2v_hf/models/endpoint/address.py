"""Address and key of an endpoint."""

from __future__ import annotations

import os

import httpx

from opens2v_hf.errors import ArgumentError

DEFAULT_BASE_URL = "https://api.openai.com/v1"


def endpoint_url(base_url: str | None, path: str) -> str:
    """The address of one call.

    Args:
        base_url: up to and without the path; None for `OPENAI_BASE_URL`, else OpenAI's own.
        path: of the call, e.g. "/chat/completions".

    Raises:
        ArgumentError: the base URL is none, or holds credentials.
    """
    given = base_url or os.environ.get("OPENAI_BASE_URL") or DEFAULT_BASE_URL
    # no message shows the URL before it is known to hold no credentials
    try:
        url = httpx.URL(given.strip())
    except (httpx.InvalidURL, ValueError) as error:
        raise ArgumentError("the base URL of the endpoint must be a URL such as https://host/v1") from error
    if url.userinfo or url.query or url.fragment:
        raise ArgumentError(
            "the base URL of the endpoint holds a user, a password or a query; "
            "give it as https://host/v1, and the key apart"
        )
    if url.scheme not in ("http", "https") or not url.host:
        raise ArgumentError(
            f"the base URL of the endpoint must be an http(s) URL such as https://host/v1 (got {given!r})"
        )
    return str(url.copy_with(path=url.path.rstrip("/") + path))


def endpoint_key(given: str | None) -> str:
    """The key that was given, else that of `OPENAI_API_KEY`; "" where there is none.

    Raises:
        ArgumentError: it is no text, or has characters that no key has.
    """
    if not isinstance(given, str | None):
        raise ArgumentError(f"api_key must be a text (got a value of type {type(given).__name__})")
    key = (given if given is not None else os.environ.get("OPENAI_API_KEY", "")).strip()
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ArgumentError("the API key holds spaces or characters that no key has; copy it anew")
    return key
