"""The outcome of a unit of work: a value, or a failure with its reason and when to retry it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np


class Retry(StrEnum):
    """When to retry a failed unit."""

    NEVER = "never"
    NEXT_RUN = "next_run"
    THIS_RUN = "this_run"


@dataclass(frozen=True)
class Outcome:
    """The outcome of one unit.

    Attributes:
        value: JSON-compatible; of a failure, further details or None.
        reason: why the unit failed; empty if it did not.
        retry: when a failure is retried. Outcomes with `Retry.NEVER` go into the journal.
        known: whether it was read from the journal.
    """

    value: Any = None
    reason: str = ""
    retry: Retry = Retry.NEVER
    known: bool = False

    @property
    def failed(self) -> bool:
        """Whether the unit failed."""
        return bool(self.reason)

    def to_dict(self) -> dict[str, Any]:
        """A JSON-compatible dict, without `known`."""
        if not self.reason:
            return {"value": self.value}
        return {"value": self.value, "reason": self.reason, "retry": str(self.retry)}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any], *, known: bool = False) -> Outcome:
        """Inverse of `to_dict`."""
        return cls(record["value"], record.get("reason", ""), Retry(record.get("retry", Retry.NEVER)), known)


def plain(value: Any) -> Any:
    """A value as JSON returns it, so that a new outcome equals one that was read from a journal.

    Tuples become lists, keys become texts, numpy's numbers become Python's, and numbers that JSON does not know (NaN,
    the infinities) become None.

    Raises:
        TypeError: something in it is not JSON-compatible.

    Example:
        >>> plain({"pair": (1, float("nan")), 3: 0.1})
        {'pair': [1, None], '3': 0.1}
    """
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()  # file names may hold bytes that are not text
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {_key(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    raise TypeError(f"a value must be JSON-compatible (got {type(value).__name__})")


def _key(key: Any) -> str:
    key = plain(key)
    if isinstance(key, str):
        return key
    if key is None or isinstance(key, bool):
        return {None: "null", True: "true", False: "false"}[key]
    if isinstance(key, int | float):
        return repr(key)
    raise TypeError(f"a key must be JSON-compatible (got {key!r})")
