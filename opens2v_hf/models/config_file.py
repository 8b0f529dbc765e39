"""Reading a config.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from opens2v_hf.errors import ModelError


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
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read as the configuration of {of}: {error}") from error
    if not isinstance(values, dict):
        raise ModelError(f"{path} holds no JSON object")
    return values
