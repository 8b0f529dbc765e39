"""Units of work, in groups that share an input."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Protocol

from opens2v_hf.errors import ProcessError
from opens2v_hf.jobs.journal import Journal
from opens2v_hf.jobs.outcome import Outcome


@dataclass(frozen=True)
class Unit:
    """The smallest piece of work that the journal records.

    Attributes:
        name: unique in its group.
        key: returns a digest of everything that decides the outcome.
        work: does the unit; a failure is an outcome or an exception.
        about: for people who read the journal.
        service: name of the service that the unit needs, "" for none; see `ServiceUnavailableError`.
        required: whether the later units of its group fail when it fails.
        load: prepares the input for `work`; runs while other groups use the resource.
        resource: name of what only one group at a time can use, e.g. a device; "" for none.
    """

    name: str
    key: Callable[[], str]
    work: Callable[[], Outcome]
    about: Mapping[str, Any] = field(default_factory=dict)
    service: str = ""
    required: bool = False
    load: Callable[[], None] | None = None
    resource: str = ""


class OpenGroup(Protocol):
    """A group with its input loaded.

    Attributes:
        key: a digest of the input and of the units.
        facts: about the input, JSON-compatible.
        units: in the order in which to do them.
    """

    @property
    def key(self) -> str: ...  # noqa: D102
    @property
    def facts(self) -> Mapping[str, Any]: ...  # noqa: D102
    @property
    def units(self) -> Sequence[Unit]: ...  # noqa: D102

    def prepare(self, names: Collection[str]) -> None:
        """Prepare the input for the units with these names."""
        ...

    def num_bytes(self) -> int:
        """Memory that the input takes, once the required units are done."""
        ...

    def is_changed(self) -> bool:
        """Whether the input may have changed since the group was opened."""
        ...

    @property
    def check(self) -> Callable[[], None] | None:
        """Reads the input; called in a child process, which it may crash. None for no check."""
        ...


class PlainGroup:
    """What an open group (see `OpenGroup`) has whose input is small, needs no preparation, and does not change."""

    facts: Mapping[str, Any] = MappingProxyType({})
    check: Callable[[], None] | None = None

    def prepare(self, names: Collection[str]) -> None:
        """Nothing to do."""

    def num_bytes(self) -> int:
        """None that count."""
        return 0

    def is_changed(self) -> bool:
        """Never."""
        return False


class Group(Protocol):
    """Units that share an input and are done together by one process."""

    @property
    def name(self) -> str:
        """For messages; unique."""
        ...

    @property
    def unit_names(self) -> Sequence[str]:
        """Names of the units that are counted."""
        ...

    def cost(self) -> float:
        """Relative amount of work; called only if several processes share the groups."""
        ...

    def open(self) -> OpenGroup:
        """Load the input."""
        ...


@dataclass(frozen=True)
class GroupOutcome:
    """The outcome of a group.

    Attributes:
        facts: about its input; empty if it could not be loaded.
        units: name to outcome.
        keys: name to the key of those that are in the journal.
    """

    facts: Mapping[str, Any] = field(default_factory=dict)
    units: Mapping[str, Outcome] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict)

    def num_failed(self, names: Collection[str]) -> int:
        """Number of these units that failed."""
        return sum(outcome.failed for name, outcome in self.units.items() if name in names)

    def to_dict(self) -> dict[str, Any]:
        """JSON-compatible; a unit that is in the journal is given by its key."""
        units = {
            name: {"key": self.keys[name], "known": outcome.known} if name in self.keys else outcome.to_dict()
            for name, outcome in self.units.items()
        }
        return {"facts": dict(self.facts), "units": units}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any], journal: Journal) -> GroupOutcome:
        """The inverse of `to_dict`, for a record of another process of the launch."""
        units = {}
        for name, unit in record["units"].items():
            outcome = journal.get(unit["key"]) if "key" in unit else Outcome.from_dict(unit)
            if outcome is None:
                raise ProcessError(f"the journal lacks the record of a process for {name}; run the same command again")
            units[name] = replace(outcome, known=unit["known"]) if "key" in unit else outcome
        return cls(record["facts"], units)


def digest(content: Any) -> str:
    """A digest for keys: the SHA-256 of JSON-compatible content, as 64 hexadecimal digits."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()
