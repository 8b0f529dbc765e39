"""Finding the damaged file of a model's folder, for a message after loading has failed."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

_PICKLES = (".bin", ".pt", ".pth")
_MAX_JSON_BYTES = 256 << 20


def damaged_file(path: Path) -> str:
    """The first file of a folder, or the one file, that is not what its ending says, and why; empty where none is.

    Only formats are checked (JSON, the header of safetensors, the directory of a PyTorch archive), so this is quick
    for weights of any size.
    """
    try:
        files = (
            [path]
            if path.is_file()
            else sorted(entry for entry in path.iterdir() if entry.is_file() and entry.name[0] != ".")
        )
    except OSError as error:
        return f"{path} cannot be listed ({error.strerror})"
    for path in files:
        if fault := _fault(path):
            return f"{path.name} {fault}"
    return ""


def _fault(path: Path) -> str:
    try:
        if path.suffix == ".json" and path.stat().st_size <= _MAX_JSON_BYTES:
            content = json.loads(path.read_text(encoding="utf-8"))
            return "" if isinstance(content, dict) else "holds no JSON object"
        if path.suffix == ".safetensors":
            return _safetensors_fault(path)
        if path.suffix in _PICKLES:
            return _pickle_fault(path)
        if path.stat().st_size == 0:
            return "is empty"
    except UnicodeDecodeError:
        return "is no UTF-8 text"
    except RecursionError:
        return "is JSON that is nested too deeply"
    except ValueError as error:
        return f"is no JSON ({error})"
    except OSError as error:
        return f"cannot be read ({error.strerror or error})"
    return ""


def _safetensors_fault(path: Path) -> str:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy"):
            return ""
    except SafetensorError as error:
        return f"is no whole safetensors file ({error})"


def _pickle_fault(path: Path) -> str:
    if path.stat().st_size == 0:
        return "is empty"
    with path.open("rb") as stream:
        starts_as_archive = stream.read(2) == b"PK"
    if not starts_as_archive:
        return ""
    try:
        with zipfile.ZipFile(path):
            return ""
    except zipfile.BadZipFile as error:
        return f"is no whole PyTorch archive ({error})"
