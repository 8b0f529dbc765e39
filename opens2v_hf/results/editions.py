"""Editions: what a number of the leaderboard means, as one frozen record.

A record names for each column the models, with the commits that are pinned, the checksum of a judge's prompt, the
frames and the thresholds, and the weights of the total. It is JSON in `frozen`, and its SHA-256 is in `SHA256`: a
change of anything makes another edition, with another name. Rows of different editions are never ranked together.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from opens2v_hf._util.argument_types import checked
from opens2v_hf.errors import ArgumentError, ResultError

OPEN = "v1.2-open"
"""The edition whose NaturalScore is an open, frozen judge's."""

SHA256 = {
    "v1.1": "6bc7c96dfc4f09db90292c3250dd8c6e42763b7b2085cba5957f0127a03e086d",
    "v1.0": "8f41ecd41f3ec4985150c1c86b0957d4bd66d79e4c40a874dbbf64a129252e09",
    "v1.2-open": "306eaa6ef986115b6995194575c44e7ed419504b97e5bb7b340d150a8204467a",
}
"""Edition to the checksum of its record, in the order in which they are offered."""

_FOLDER = Path(__file__).with_name("frozen")
_MUST_MATCH = ("edition", "edition_sha256")
"""Options that a record decides also where a result does not have them. (Of others it may hold more than a record.)"""


@dataclass(frozen=True)
class FrozenModel:
    """A model of a column.

    Attributes:
        name: Hub id, or "openai:<model>".
        revision: commit; None where none is pinned, as in the released code.
    """

    name: str
    revision: str | None


@dataclass(frozen=True)
class FrozenColumn:
    """Models and settings of a column.

    Attributes:
        models: role to model.
        frames: name of the rule by which frames are sampled.
        options: what else decides the numbers, thresholds among it; None for an option that there must not be.
        prompt_sha256: of a judge's prompt; None without a judge, and where the text is not this package's.
    """

    models: Mapping[str, FrozenModel]
    frames: str
    options: Mapping[str, Any]
    prompt_sha256: str | None


@dataclass(frozen=True)
class Edition:
    """A frozen record.

    Attributes:
        name: of the edition; also that of its weights.
        about: what it is, in a sentence.
        weights: split to column to its weight in the total.
        columns: column to what its numbers are made with.
    """

    name: str
    about: str
    weights: Mapping[str, Mapping[str, float]]
    columns: Mapping[str, FrozenColumn]

    def to_dict(self) -> dict[str, Any]:
        """A JSON-compatible dict of the attributes."""
        return asdict(self)

    @property
    def sha256(self) -> str:
        """Checksum of the record: of its JSON with sorted keys and without blanks."""
        return hashlib.sha256(json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":")).encode()).hexdigest()

    def differences(self, metrics: Mapping[str, Made]) -> list[str]:
        """Why numbers are not of this edition, a sentence each; empty where nothing recorded speaks against it.

        Args:
            metrics: column to what was recorded of its numbers; a column that is missing is no difference.
        """
        return [
            f"{name}: {text}"
            for name, column in self.columns.items()
            if name in metrics
            for text in _differences(column, metrics[name])
        ]


class MadeModel(Protocol):
    """A model as results and submissions record it."""

    @property
    def role(self) -> str: ...  # noqa: D102
    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def revision(self) -> str | None: ...  # noqa: D102
    @property
    def embedded(self) -> bool: ...  # noqa: D102
    @property
    def quantization(self) -> str | None: ...  # noqa: D102
    @property
    def engine(self) -> str | None: ...  # noqa: D102


class Made(Protocol):
    """Models and settings of a column, as recorded in results and submissions."""

    @property
    def models(self) -> Sequence[MadeModel]: ...  # noqa: D102
    @property
    def options(self) -> Mapping[str, Any]: ...  # noqa: D102


@checked
def edition(name: str) -> Edition:
    """The record of an edition.

    Raises:
        ArgumentError: there is no such edition.
        ResultError: the record in this installation is not the frozen one.
    """
    if name not in SHA256:
        raise ArgumentError(f"there is no edition {name!r} (known are: {', '.join(SHA256)})")
    return _read(name)


@functools.cache
def _read(name: str) -> Edition:
    path = _FOLDER / f"{name}.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    columns = {
        column: FrozenColumn(
            **{**made, "models": {role: FrozenModel(**model) for role, model in made["models"].items()}}
        )
        for column, made in record["columns"].items()
    }
    found = Edition(**{**record, "columns": columns})
    if found.sha256 != SHA256[name]:
        raise ResultError(f"{path} was changed: its checksum is not that of {name}; reinstall opens2v-hf")
    return found


def editions() -> Iterator[Edition]:
    """All editions."""
    yield from map(edition, SHA256)


def fills_column(version: str, column: str, options: Mapping[str, Any]) -> bool:
    """Whether a metric may fill a column under a version at all: a judge of one edition never does in another.

    Example:
        >>> fills_column("v1.1", "naturalscore", {"edition": "naturalscore-open-1"})
        False
    """
    frozen = edition(version).columns.get(column)
    return frozen is None or all(options.get(name) == frozen.options.get(name) for name in _MUST_MATCH)


def _differences(frozen: FrozenColumn, made: Made) -> Iterator[str]:
    for model in made.models:
        expected = frozen.models.get(model.role)
        if expected is None:
            continue
        if model.name != expected.name or model.embedded:
            yield f"the {model.role} is {model.name}, not {expected.name}"
        elif expected.revision is not None and model.revision != expected.revision:
            yield f"the {model.role} is of revision {model.revision}, not {expected.revision}"
        elif model.quantization:
            yield f"the {model.role} is quantised by {model.quantization}"
        elif model.engine:
            yield f"the {model.role} is computed by {model.engine}"
    options = {"sampling": frozen.frames, **frozen.options}
    for name in _named(made.options, options):
        if made.options.get(name) != options[name]:
            yield f"{name} is {made.options.get(name)!r}, not {options[name]!r}"


def _named(given: Mapping[str, Any], frozen: Iterable[str]) -> Iterator[str]:
    return (name for name in frozen if name in given or name in _MUST_MATCH)
