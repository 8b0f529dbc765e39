"""What is done: units, in groups that share an input."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from opens2v_hf.errors import ProcessError
from opens2v_hf.jobs.journal import Journal
from opens2v_hf.jobs.outcome import Outcome


@dataclass(frozen=True)
class Unit:
    """The smallest piece of work that is kept.

    Attributes:
        name: unique in its group.
        key: computes a digest of all that the outcome follows from.
        work: does the unit; a failure is an outcome or an exception.
        about: for people who read the journal.
        service: what the unit needs that may stop answering; see `ServiceUnavailableError`.
        required: whether the units after it in its group fail when it fails.
        load: prepares the input for `work`, where that can be done while other groups use the resource.
        resource: what one group at a time can use, e.g. a device; "" where there is nothing.
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
    """A group whose input is there.

    Attributes:
        key: a digest of the input and of what is done with it.
        facts: about the input, JSON-compatible.
        units: in the order in which they are done.
    """

    @property
    def key(self) -> str: ...  # noqa: D102
    @property
    def facts(self) -> Mapping[str, Any]: ...  # noqa: D102
    @property
    def units(self) -> Sequence[Unit]: ...  # noqa: D102

    def prepare(self, names: Collection[str]) -> None:
        """Get ready for the units that are to be done."""
        ...

    def num_bytes(self) -> int:
        """What the input takes in memory, once the required units are done."""
        ...

    def is_changed(self) -> bool:
        """Whether the input may be another one than when the group was opened."""
        ...

    @property
    def check(self) -> Callable[[], None] | None:
        """Reads the input in another process, which may end by it; None where there is nothing to be tried out."""
        ...


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
        """About how much work it is; asked only where several processes share the groups."""
        ...

    def open(self) -> OpenGroup:
        """Get the input."""
        ...


@dataclass(frozen=True)
class GroupOutcome:
    """What came of a group.

    Attributes:
        facts: of its input; empty where it could not be had.
        units: name to outcome.
        keys: name to the key of those that are in the journal.
    """

    facts: Mapping[str, Any] = field(default_factory=dict)
    units: Mapping[str, Outcome] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict)

    def num_failed(self, names: Collection[str]) -> int:
        """How many of these units failed."""
        return sum(outcome.failed for name, outcome in self.units.items() if name in names)

    def to_dict(self) -> dict[str, Any]:
        """JSON-compatible; what is in the journal is named by its key."""
        units = {
            name: {"key": self.keys[name], "known": outcome.known} if name in self.keys else outcome.to_dict()
            for name, outcome in self.units.items()
        }
        return {"facts": dict(self.facts), "units": units}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any], journal: Journal) -> GroupOutcome:
        """What `to_dict` was called on by another process of the launch."""
        units = {}
        for name, unit in record["units"].items():
            outcome = journal.get(unit["key"]) if "key" in unit else Outcome.from_dict(unit)
            if outcome is None:
                raise ProcessError(f"the journal does not hold what a process has written for {name}; run it again")
            units[name] = replace(outcome, known=unit["known"]) if "key" in unit else outcome
        return cls(record["facts"], units)
