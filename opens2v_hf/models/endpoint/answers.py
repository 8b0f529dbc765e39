"""Common parsing of the answers of endpoints."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from opens2v_hf._util.numbers import is_whole


def read_json(content: bytes) -> Any:
    """The JSON value of an answer.

    Raises:
        ValueError: it is none, or is nested too deeply to be read.
    """
    try:
        return json.loads(content)
    except RecursionError as error:
        raise ValueError("its JSON is nested too deeply") from error
    except ValueError as error:
        raise ValueError(f"it is no JSON ({error})") from error


def token_count(usage: Any, name: str) -> int | None:
    """A count of tokens in the usage that an answer states; None where it states no whole number from 0.

    Example:
        >>> token_count({"prompt_tokens": 7}, "prompt_tokens"), token_count(None, "prompt_tokens")
        (7, None)
    """
    value = usage.get(name) if isinstance(usage, Mapping) else None
    return value if is_whole(value, 0) else None
