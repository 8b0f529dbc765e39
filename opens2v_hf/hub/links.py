"""Checks of links in submissions and results."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from opens2v_hf.results.problem import Problem, shown

MAX_LENGTH = 300

_ALLOWED = re.compile(r"[A-Za-z0-9\-._~:/?#@!&*+,;=%$]*")
_HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,24}")
_ENCODED_CONTROL = re.compile(r"%(?:[01][0-9a-f]|7f)", re.I)
_LOCAL_SUFFIXES = (
    ".localhost", ".local", ".localdomain", ".internal", ".intranet", ".lan", ".home", ".corp", ".private", ".arpa",
    ".test", ".invalid", ".onion", ".nip.io", ".sslip.io", ".xip.io", "localtest.me", "lvh.me", ".vcap.me",
)  # fmt: skip


def link_problems(where: str, link: str) -> Iterator[Problem]:
    """The problems of a link; an empty one has none."""
    if not link:
        return
    if len(link) > MAX_LENGTH:
        yield Problem("link_length", where, f"has {len(link)} characters", f"use at most {MAX_LENGTH}")
        return
    if not _ALLOWED.fullmatch(link):
        what = f"{shown(link)} has characters that a link does not need"
        yield Problem("link_characters", where, what, "percent-encode them, or give a plain link")
        return
    if _ENCODED_CONTROL.search(link):
        yield Problem("link_characters", where, f"{shown(link)} has an encoded control character", "remove it")
    try:
        parts = urlsplit(link)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        yield Problem("link_form", where, f"{shown(link)} is not a link", "give one that begins with https://")
        return
    if parts.scheme not in ("http", "https") or not link.lower().startswith(f"{parts.scheme}://"):
        yield Problem("link_scheme", where, f"{shown(link)} is not a web page", "give a link that begins with https://")
        return
    if parts.username is not None or parts.password is not None or "@" in parts.netloc:
        yield Problem("link_user", where, f"{shown(link)} has a user name or password", "remove it")
    if port not in (None, 80, 443):
        yield Problem("link_port", where, f"{shown(link)} has a port", "give a public page")
    if not _HOST.fullmatch(host) or f".{host}".endswith(_LOCAL_SUFFIXES):
        what = f"{shown(link)} has no public host"
        yield Problem("link_host", where, what, "give a public page by its name in plain ASCII")
    elif ".xn--" in f".{host}":
        yield Problem(
            "link_host", where, f"{shown(link)} has a host in another script", "give a page with an ASCII name"
        )
