"""Names of models as they are published: without folders of this machine and without addresses of services."""

from __future__ import annotations

import os
import re

ENDPOINT_NAME = "endpoint"
"""Published in place of the address of an HTTP endpoint, which may be private."""

_LOCAL = "sha256:"
"""Begins the revision of a model that is on this machine; that of a Hub repo is a commit."""

_FOLDER = re.compile(r"[/~.]|[A-Za-z]:[\\/]|.*\\|[^/]+/+[^/]+/+[^/]", re.DOTALL)


def without_folder(name: str) -> str:
    """The last part of a path; other names are unchanged.

    Example:
        >>> without_folder("/home/me/gme-7b"), without_folder("models/gme/7b"), without_folder("org/gme")
        ('gme-7b', '7b', 'org/gme')
        >>> without_folder("http://10.0.0.7:8000/gme")
        'gme'
    """
    return _last_part(name) if _FOLDER.match(name) else name


def generator_name(kind: str, name: str, revision: str | None) -> str:
    """The name of a generator of videos; the name that this returns is returned unchanged.

    Args:
        kind: "diffusers", "python", "http", "provider", or that of a user's own class.
        name: of the generator: Hub id or folder, and "+" before a LoRA; "file.py:function"; address; "hf:...".
        revision: of the generator; it tells folders of this machine from Hub ids.

    Example:
        >>> generator_name("python", "/home/me/mine.py:generate", None)
        'mine.py:generate'
        >>> generator_name("diffusers", "models/vace + org/lora", "sha256:31f0 + 9c2e")
        'vace + org/lora'
        >>> generator_name("provider", "hf:fal-ai/org/model", None), generator_name("http", "http://10.0.0.7:80", None)
        ('hf:fal-ai/org/model', 'endpoint')
    """
    if kind == "http":
        return ENDPOINT_NAME
    if kind == "provider":
        return name
    if kind == "python":
        where, colon, attribute = name.rpartition(":")
        return f"{_last_part(where)}:{attribute}" if colon else _last_part(name)
    revisions = (revision or "").split(" + ")
    parts = name.split(" + ", len(revisions) - 1)
    return " + ".join(
        _last_part(part) if of_part.startswith(_LOCAL) else without_folder(part) if kind != "diffusers" else part
        for part, of_part in zip(parts, revisions, strict=False)
    )


def short_generator_name(kind: str, name: str, revision: str | None) -> str:
    """As `generator_name`, without the owners of Hub repos.

    Example:
        >>> short_generator_name("diffusers", "Wan-AI/Wan2.1-VACE-1.3B-diffusers + org/lora@main", "c0ffee + 9c2e")
        'Wan2.1-VACE-1.3B-diffusers + lora@main'
    """
    return " + ".join(map(_last_part, generator_name(kind, name, revision).split(" + ")))


def _last_part(path: str) -> str:
    last = path.replace("\\", "/").rstrip("/").rpartition("/")[2]
    return last if last not in ("", ".", "..") else os.path.basename(os.path.abspath(path))
