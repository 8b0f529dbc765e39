"""Units of files, and the plan that says which file belongs to which.

The plan is written first and only ever grows: files that are added later become units of their own, so
that a changed folder costs no finished work. A unit whose file has changed is processed again.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from opens2v_hf._util.files import whole_file
from opens2v_hf._util.json_file import read_json
from opens2v_hf.errors import ResultError
from opens2v_hf.pipeline.inputs import InputFile, Listing, same_content

_LOGGER = logging.getLogger(__name__)

PART = "clips"
"""Of the dataset, as the column `part` says it; units are named after it."""

WORK_FOLDER = ".build"
PLAN = f"{WORK_FOLDER}/plan.json"
ERRORS = f"{WORK_FOLDER}/errors.log"
"""Gets the tracebacks of unexpected errors."""
FORMAT = 1


@dataclass(frozen=True)
class UnitSize:
    """Size limits of a unit, which has at least one file.

    Attributes:
        files: of the input.
        num_bytes: of these.
    """

    files: int = 32
    num_bytes: int = 256 << 20


@dataclass(frozen=True)
class BuildUnit:
    """Files that become one shard.

    Attributes:
        name: of the shard without its ending.
        files: of the input.
    """

    name: str
    files: tuple[InputFile, ...]

    @property
    def shard(self) -> str:
        """Path of the shard within the dataset."""
        return f"data/regular/{self.name}.parquet"

    @property
    def vectors(self) -> str:
        """Path of the vectors within the dataset."""
        return f"vectors/{self.name}.npz"

    @property
    def note(self) -> str:
        """Path of the note that says that the unit is done."""
        return f"{WORK_FOLDER}/{self.name}.json"

    def key(self, recipe: str) -> str:
        """A digest of all that its shard follows from.

        Args:
            recipe: digest of the stages and of the options of the output.
        """
        content = [FORMAT, recipe, self.name, [[file.name, file.num_bytes, file.stamp] for file in self.files]]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()


@dataclass(frozen=True)
class BuildPlan:
    """Which files become which units.

    Attributes:
        root: of the input.
        size: of a unit.
        units: in the order of the dataset.
        duplicates: name of a file to the name of the one before it that holds the same.
        missing: names of files that were there when the plan was made, and are gone.
        num_others: files of the input that are no videos.
    """

    root: str
    size: UnitSize
    units: tuple[BuildUnit, ...] = ()
    duplicates: Mapping[str, str] | None = None
    missing: tuple[str, ...] = ()
    num_others: int = 0

    @property
    def num_files(self) -> int:
        """Of all units."""
        return sum(len(unit.files) for unit in self.units)


def make_plan(
    listing: Listing, size: UnitSize, *, before: BuildPlan | None = None, limit: int | None = None
) -> BuildPlan:
    """Units of what is listed.

    Args:
        listing: of the input.
        size: of a unit.
        before: the plan of an earlier run, whose units stay.
        limit: takes only the first so many files of the listing.
    """
    chosen = list(listing.files if limit is None else listing.files[:limit])
    there = {file.name: file for file in listing.files}
    planned = {file.name for unit in before.units for file in unit.files} if before else set()
    units = [] if before is None else [_as_it_is_now(unit, there) for unit in before.units]
    known = [file for unit in units for file in unit.files]
    new = [file for file in chosen if file.name not in planned]
    duplicates = same_content([*known, *new])
    duplicates = {name: first for name, first in duplicates.items() if name not in planned}
    units += _grouped([file for file in new if file.name not in duplicates], size, len(units))
    gone = tuple(sorted(planned - set(there)))
    return BuildPlan(listing.root, size, tuple(units), duplicates, gone, listing.num_others)


def write_plan(folder: Path, plan: BuildPlan) -> None:
    """Write the plan of a dataset's folder.

    Raises:
        ResultError: it cannot be written.
    """
    content = {"format": FORMAT, **asdict(plan)}
    with whole_file(folder / PLAN) as temporary:
        temporary.write_text(json.dumps(content), "utf-8")  # all ASCII: names may hold what is no text


def read_plan(folder: Path) -> BuildPlan | None:
    """The plan of a dataset's folder; None where there is none.

    Raises:
        ResultError: it cannot be read, or is of another format.
    """
    path = folder / PLAN
    if not os.path.isfile(path):  # pathlib raises for a name that is too long
        return None
    try:
        content = json.loads(path.read_text("utf-8"))
        if content.pop("format") != FORMAT:
            raise ValueError("it is of another version")
        units = tuple(
            BuildUnit(unit["name"], tuple(InputFile(**file) for file in unit["files"])) for unit in content.pop("units")
        )
        content["missing"] = tuple(content["missing"])
        return BuildPlan(**{**content, "size": UnitSize(**content["size"]), "units": units})
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ResultError(f"{path} cannot be read ({error}); choose another folder, or remove this one") from error


class _File(BaseModel):
    name: str
    seconds: float | None


class _Step(BaseModel):
    name: str
    taken: int
    kept: int
    seconds: float
    usage: dict[str, float]


class _Drop(BaseModel):
    clip_id: str
    stage: str
    rule: str
    reason: str


class _Note(BaseModel):
    """What is used of a note; see `output.write_unit`."""

    key: str
    files: list[_File]
    shard: str | None
    rows: int
    sha256: str | None
    vectors: str | None
    clip_seconds: float
    stages: list[_Step]
    errors: int
    dropped: list[_Drop]


def read_note(folder: Path, unit: BuildUnit) -> dict[str, Any] | None:
    """What is known of a unit that is done; None where it is not, where its shard is gone or the note is damaged.

    Raises:
        ResultError: the system cannot read the note, which may be whole.
    """
    path = folder / unit.note
    if not path.is_file():
        return None
    try:
        note: dict[str, Any] = read_json(path)
        _Note.model_validate(note)
    except (ResultError, ValidationError) as error:
        if isinstance(error.__cause__, OSError):
            raise  # processing the unit again may cost money
        _LOGGER.warning("%s is damaged, its unit is processed again (%s)", path, str(error).splitlines()[0])
        return None
    files = [name for name in (note["shard"], note["vectors"]) if name]
    return note if all((folder / name).is_file() for name in files) else None


def undone(folder: Path, units: Sequence[BuildUnit], recipe: str, *, retry_failed: bool = False) -> list[BuildUnit]:
    """The units that are not done, or done from something else.

    Args:
        folder: of the dataset.
        units: of the plan.
        recipe: see `BuildUnit.key`.
        retry_failed: take units as well in which a clip was dropped because something went wrong.

    Raises:
        ResultError: the system cannot read a note.
    """
    left = []
    for unit in units:
        note = read_note(folder, unit)
        if note is None or note["key"] != unit.key(recipe) or (retry_failed and note["errors"]):
            left.append(unit)
    return left


def _as_it_is_now(unit: BuildUnit, there: Mapping[str, InputFile]) -> BuildUnit:
    """A file that is gone keeps what was known of it: its clips are in the shard, if the unit is done."""
    return replace(unit, files=tuple(there.get(file.name, file) for file in unit.files))


def _grouped(files: Sequence[InputFile], size: UnitSize, number: int) -> list[BuildUnit]:
    units: list[BuildUnit] = []
    group: list[InputFile] = []
    for file in files:
        num_bytes = sum(member.num_bytes for member in group)
        if group and (len(group) >= size.files or num_bytes + file.num_bytes > size.num_bytes):
            units.append(BuildUnit(f"{PART}-{number + len(units):05d}", tuple(group)))
            group = []
        group.append(file)
    if group:
        units.append(BuildUnit(f"{PART}-{number + len(units):05d}", tuple(group)))
    return units


def path_of(folder: str | os.PathLike[str]) -> Path:
    """A folder of a dataset as an absolute path, which other processes and machines understand alike."""
    return Path(os.path.realpath(folder))  # `Path.resolve` raises for a link to itself
