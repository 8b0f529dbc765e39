"""Captions that the user has."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from opens2v_hf.errors import SourceError, short_repr


def read_captions(captions: Mapping[str, str] | str | os.PathLike[str]) -> dict[str, str]:
    """Captions by the name of a file or the id of a clip.

    Args:
        captions: a mapping; or a .json file that holds one; or a .jsonl file of lines
            `{"name": "clip.mp4", "caption": "..."}`.

    Raises:
        SourceError: the file cannot be read, or holds something else; the message names the line.
    """
    if isinstance(captions, Mapping):
        return _checked(captions, "the captions")
    path = Path(captions)
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise SourceError(f"{path}: the captions cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise SourceError(f"{path}: the captions are not UTF-8 ({error.reason} at byte {error.start})") from error
    if path.suffix.lower() != ".jsonl":
        return _checked(_parsed(text, str(path)), str(path))
    found: dict[str, Any] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        entry = _parsed(line, f"{path}, line {number}")
        if not isinstance(entry, dict) or not {"name", "caption"} <= entry.keys():
            raise SourceError(f"{path}, line {number}: must have 'name' and 'caption' (got {short_repr(entry)})")
        found |= _checked({entry["name"]: entry["caption"]}, f"{path}, line {number}")
    return found


def _parsed(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SourceError(f"{where}: is no JSON ({error})") from error


def _checked(entries: Any, where: str) -> dict[str, str]:
    if not isinstance(entries, Mapping):
        raise SourceError(f"{where}: must map names to captions (got {short_repr(entries)})")
    for name, caption in entries.items():
        if not isinstance(name, str) or not isinstance(caption, str):
            raise SourceError(f"{where}: names and captions are texts (got {short_repr(name)}: {short_repr(caption)})")
    return dict(entries)
