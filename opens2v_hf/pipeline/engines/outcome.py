"""What an engine says when it has ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class EngineResult:
    """Which units an engine did.

    Attributes:
        done: names of the units that it finished.
        failed: name of a unit to the reason; the next run tries it again.
    """

    done: tuple[str, ...] = ()
    failed: Mapping[str, str] = field(default_factory=dict)
