"""Result of an engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class EngineResult:
    """Units that an engine processed.

    Attributes:
        done: names of the units that it finished.
        failed: name of a unit to the reason; the next run tries it again.
    """

    done: tuple[str, ...] = ()
    failed: Mapping[str, str] = field(default_factory=dict)
