"""Reading a config.json."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from opens2v_hf.errors import ModelError, OpenS2VError

_MOST = 10**9
_MOST_LAYERS = 10_000

_Config = TypeVar("_Config")


def read_config(path: Path, of: str) -> dict[str, Any]:
    """The JSON object in a file.

    Raises:
        ModelError: the file is missing or no JSON object.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path} cannot be read as JSON, the configuration of {of}: {error}") from error
    if not isinstance(values, dict):
        raise ModelError(f"{path} holds a {type(values).__name__} where a JSON object is expected")
    return values


def config_from(path: Path, of: str, make: Callable[[dict[str, Any]], _Config]) -> _Config:
    """Apply a function to the JSON object in a file.

    Args:
        path: of the file.
        of: whose configuration it is, for messages.
        make: may raise any exception for values of the wrong type.

    Raises:
        ModelError: the file is missing or no JSON object, or describes nothing that can be made.
    """
    values = read_config(path, of)
    check_sizes(values, str(path))
    try:
        return make(values)
    except OpenS2VError as error:
        raise error if str(path) in str(error) else ModelError(f"{path}: {error}") from error
    except Exception as error:  # any field may have a value of any type
        raise ModelError(f"{path} does not describe {of}: {type(error).__name__}: {error}") from error


def known_values(kind: type, values: Mapping[str, Any], source: str, also: Collection[str] = ()) -> dict[str, Any]:
    """The values for the fields of a dataclass, lists as tuples.

    Args:
        kind: the dataclass.
        values: of a JSON object.
        source: what they come from, for messages.
        also: keys that may be there, and are no fields.

    Raises:
        ModelError: a key is unknown.
    """
    known = {item.name for item in fields(kind)}
    if unknown := sorted(set(values) - known - set(also)):
        raise ModelError(f"{source} has unknown keys: {', '.join(unknown)}; known are {', '.join(sorted(known))}")
    return {key: tuple(value) if isinstance(value, list) else value for key, value in values.items() if key in known}


def check_sizes(values: Any, source: str, name: str = "") -> None:
    """Refuse a configuration with sizes that no network has, before a library builds layer after layer without end.

    Raises:
        ModelError: a number is too large.
    """
    if isinstance(values, Mapping):
        for key, value in values.items():
            check_sizes(value, source, str(key))
    elif isinstance(values, list | tuple):
        for value in values:
            check_sizes(value, source, name)
    elif isinstance(values, int | float):
        most = _MOST_LAYERS if name.endswith(("layers", "depth")) else _MOST
        if not -most <= values <= most and math.isfinite(values):
            raise ModelError(f"{source} is damaged: {name} is {str(values)[:30]}, which no network has")
