"""Reading a config.json."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from opens2v_hf.errors import ModelError, OpenS2VError

_Config = TypeVar("_Config")


def read_config(path: Path, of: str) -> dict[str, Any]:
    """The JSON object in a file.

    Args:
        path: of the file.
        of: whose configuration it is, for messages.

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
    """What a function makes of the JSON object in a file.

    Args:
        path: of the file.
        of: whose configuration it is, for messages.
        make: may raise whatever values of the wrong type make it raise.

    Raises:
        ModelError: the file is missing or no JSON object, or describes nothing that can be made.
    """
    values = read_config(path, of)
    try:
        return make(values)
    except OpenS2VError:
        raise
    except Exception as error:  # a value of any type may stand anywhere
        raise ModelError(f"{path} does not describe {of}: {type(error).__name__}: {error}") from error
