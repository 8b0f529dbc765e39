"""A submission: the scores of a model on a split, and how they were made. One JSON file in the results dataset.

The classes below have the fields of the file. Every record has every field, and maps are lists of named
entries, so that all files are one table with the same columns.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, TypeVar

from huggingface_hub import HfApi
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from opens2v_hf._util.argument_types import checked
from opens2v_hf._util.files import visible_files
from opens2v_hf.data.benchmark.ids import applicable_ids, split_ids
from opens2v_hf.data.benchmark.sample import PAPER_CATEGORIES
from opens2v_hf.errors import ArgumentError, ResultError, short_repr
from opens2v_hf.leaderboard.submissions.remote import DATA_FOLDER, download_results
from opens2v_hf.leaderboard.submissions.untrusted_json import parse
from opens2v_hf.results.editions import OPEN, edition
from opens2v_hf.results.problem import SubmissionError, exact, form_problems
from opens2v_hf.scores.scorecard import NUM_RESAMPLES, SPLITS, Scorecard, scorecard, weights

FORMAT = "opens2v-hf/submission/1"

GENERATION = "generation"
"""In place of a metric's name: options of and caveats about the generation of the videos."""

VENUES = ("Open-Source", "Closed-Source")


_SLUG_LENGTH = 64


Number = Annotated[float, BeforeValidator(exact)]
Count = Annotated[int, BeforeValidator(exact)]
T = TypeVar("T")


class _Part(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True, protected_namespaces=()
    )


class PerColumn(_Part, Generic[T]):
    """A value for each column of the leaderboard; null where there is none."""

    aesthetics: T | None
    motion_smoothness: T | None
    motion_amplitude: T | None
    facesim_cur: T | None
    gmescore: T | None
    nexusscore: T | None
    naturalscore: T | None

    @cached_property
    def given(self) -> dict[str, T]:
        """The values that are there, by column."""
        return {name: value for name in PerColumn.model_fields if (value := getattr(self, name)) is not None}


class _WithId(_Part):
    id: str
    """Of the sample, e.g. "singleobj_3"."""


class VideoValues(PerColumn[Number], _WithId):
    """A video's raw values, each in the metric's own range."""


class PackageEntry(_Part):
    """A library that decides numbers."""

    name: str
    version: str


class ModelEntry(_Part):
    """A model that a column was made with; see `opens2v_hf.models.info.ModelInfo`."""

    metric: str
    role: str
    name: str
    revision: str | None
    dtype: str | None
    device: str | None
    embedded: bool
    quantization: str | None
    engine: str | None


class OptionEntry(_Part):
    """An option of a metric, or of making the videos (`GENERATION`)."""

    metric: str
    option: str
    value: str
    """As JSON."""


class CaveatEntry(_Part):
    """Why a column's numbers, or the videos (`GENERATION`), are not the leaderboard's."""

    metric: str
    caveat: str


class BenchmarkEntry(_Part):
    """The benchmark's prompts; empty texts for published figures."""

    source: str
    prompt_file: str
    sha256: str


class Provenance(_Part):
    """Source of the numbers of a submission."""

    kind: Literal["published", "measured"]
    """"published" for figures taken over from a published table, "measured" for a run of this package."""
    source: str
    """URL of the table; for a run, where its videos came from (may be empty)."""
    packages: list[PackageEntry]
    model_entries: list[ModelEntry] = Field(alias="models")
    options: list[OptionEntry]
    caveats: list[CaveatEntry]
    benchmark: BenchmarkEntry

    @property
    def models(self) -> dict[str, list[ModelEntry]]:
        """Metric to the models that it was made with."""
        found: dict[str, list[ModelEntry]] = {}
        for entry in self.model_entries:
            found.setdefault(entry.metric, []).append(entry)
        return found


@dataclass(frozen=True)
class MadeColumn:
    """How a column was computed."""

    models: Sequence[ModelEntry]  # of the column
    options: Mapping[str, Any]  # name to value


class Submission(_Part):
    """One row of a leaderboard, with its evidence."""

    format: Literal["opens2v-hf/submission/1"]
    model: str
    """Display name."""
    model_id: str
    """"org/name" on the Hub; empty for a model that has no repo there."""
    link: str
    """The model's page, http(s); may be empty if there is a `model_id`."""
    team: str
    """The team that evaluated the model."""
    venue: Literal["Open-Source", "Closed-Source"]
    split: Literal["open-domain", "human-domain", "single-domain"]
    version: Literal["v1.1", "v1.0", "v1.2-open"]
    """The edition that the numbers are of, with the weights of their total."""
    edition: str
    """SHA-256 of that edition's frozen record; empty for published figures."""
    scoring: Literal["released", "strict"]
    total: Number
    """Weighted total in 0..1."""
    column_values: PerColumn[Number] = Field(alias="columns")
    """Normalised values in 0..1."""
    counts: PerColumn[Count] = Field(alias="num_videos")
    """Number of videos of each column; null if it was not published."""
    videos: list[VideoValues] = Field(alias="per_video")
    """One entry for every sample of the split; empty for published figures."""
    provenance: Provenance
    submitted_by: str
    """Hub user or organisation that owns the model's rows."""
    submitted_at: str
    """UTC, e.g. "2025-10-01 12:00:00": the form that `datasets` leaves as it is."""

    @property
    def columns(self) -> dict[str, float]:
        """Normalised values by column; those that the split does not have are absent."""
        return self.column_values.given

    @property
    def num_videos(self) -> dict[str, int]:
        """Column to how many videos it rests on, where that is known."""
        return self.counts.given

    @cached_property
    def per_video(self) -> dict[str, dict[str, float]]:
        """Sample id to column to the video's raw value; a column that has no value for a video is absent there."""
        return {entry.id: entry.given for entry in self.videos}

    @cached_property
    def made(self) -> dict[str, MadeColumn]:
        """Column to how it was made, as far as it is recorded."""
        options: dict[str, dict[str, Any]] = {}
        for entry in self.provenance.options:
            try:
                options.setdefault(entry.metric, {})[entry.option] = json.loads(entry.value)
            except (ValueError, RecursionError):  # validation refuses it
                continue
        models = self.provenance.models
        return {name: MadeColumn(models.get(name, []), options.get(name, {})) for name in self.columns}

    def edition_differences(self, version: str) -> list[str]:
        """Why the numbers are not of an edition, a sentence each.

        Published figures are of the released leaderboard, whose columns v1.1 and v1.0 have in common.

        Raises:
            ArgumentError: the edition is unknown.
        """
        if self.provenance.kind == "published":
            return [] if version != OPEN else ["the figures are those of the released leaderboard"]
        return edition(version).differences(self.made)

    @property
    def raw_values(self) -> dict[str, dict[str, float | None]]:
        """Column to every id that it applies to, to the raw value; None for a video that has none."""
        return {
            name: {i: self.per_video.get(i, {}).get(name) for i in sorted(applicable_ids(name, self.split))}
            for name in weights("v1.1", self.split)
        }

    @cached_property
    def _scorecards(self) -> dict[tuple[str, str, int], Scorecard]:
        return {}

    def scorecard(self, version: str, scoring: str, *, num_resamples: int = NUM_RESAMPLES) -> Scorecard:
        """The scorecard that follows from the per-video values, by the paper's categories; computed once.

        Args:
            version: of the weights.
            scoring: "released" or "strict".
            num_resamples: of the bootstrap of the intervals, which takes nearly all of the time; 0 for none.

        Raises:
            ArgumentError: a value cannot be, which `validation.rules` finds out before.
        """
        key = version, scoring, num_resamples
        if key not in self._scorecards:
            values = self.raw_values
            self._scorecards[key] = scorecard(
                values,
                split=self.split,
                category_of={i: PAPER_CATEGORIES[prefix] for i, prefix in split_ids(self.split).items()},
                version=version,
                scoring=scoring,
                applicable={name: tuple(ids) for name, ids in values.items()},
                num_resamples=num_resamples,
            )
        return self._scorecards[key]

    def to_dict(self) -> dict[str, Any]:
        """The record as it is written."""
        return self.model_dump(by_alias=True)

    def to_json(self) -> bytes:
        """The content of the record's file: one line, so that `datasets` reads it as JSON Lines.

        Raises:
            ValueError: a number is not finite.
        """
        return json.dumps(self.to_dict(), ensure_ascii=False, allow_nan=False).encode() + b"\n"

    @property
    def path(self) -> str:
        """Path of the record in the results dataset: `data/<split>/<model>/<time>-<digest>.json`.

        It has only ASCII letters, digits and hyphens, and differs for any two records.
        """
        stamp = re.sub(r"[^0-9]", "", self.submitted_at)[:_SLUG_LENGTH]
        digest = hashlib.sha256(self.to_json()).hexdigest()[:12]
        return f"{DATA_FOLDER}/{self.split}/{_slug(self.model)}/{stamp}-{digest}.json"

    @classmethod
    def from_dict(cls, record: object, *, source: str = "the record") -> Submission:
        """A record as `to_dict` writes it. Only its form is checked.

        Raises:
            SubmissionError: it is not a record of this format; the error has every reason.
        """
        try:
            return cls.model_validate(record)
        except ValidationError as error:
            raise SubmissionError(f"{source} is not a submission", form_problems(error)) from error


@checked
def read_submission(content: bytes, *, source: str = "the file", bom: bool = False) -> Submission:
    """The record in a file's content. Only its form is checked.

    Args:
        content: of the file.
        source: names it in messages.
        bom: whether a byte order mark before it is skipped.

    Raises:
        SubmissionError: it is not a record; the error has every reason.
    """
    try:
        record = parse(content, bom=bom)
    except SubmissionError as error:
        raise SubmissionError(f"{source} is not a submission", error.problems) from error
    return Submission.from_dict(record, source=source)


def json_schema() -> dict[str, Any]:
    """The JSON schema of a record, for those who write one without this package."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": FORMAT,
        **Submission.model_json_schema(by_alias=True, mode="serialization"),
    }


@checked
def load_submissions(
    source: str | Path,
    *,
    revision: str | None = None,
    token: str | bool | None = None,
    on_error: Callable[[str], None] | None = None,
) -> list[Submission]:
    """Read all submissions of a results dataset.

    Args:
        source: a folder that holds `data/` as the dataset does (a clone, a snapshot), a `.jsonl` file of records, or
            the dataset's id on the Hub ("org/name").
        revision: of the Hub repo, e.g. "refs/pr/3".
        token: for a private Hub repo.
        on_error: called with a sentence for every file that is not a submission, which is then skipped; without it
            such a file raises.

    Returns:
        The submissions by split, model and time.

    Raises:
        ArgumentError: `source` is empty.
        ResultError: `source` has no results, or a file is not a submission.
        HubError: the Hub cannot be reached, or has no such dataset.
    """
    if not str(source):
        raise ArgumentError("the results dataset must be a folder, a file or org/name (got an empty text)")
    folder = Path(source)
    if not os.path.exists(folder) and re.fullmatch(r"[\w.-]+/[\w.-]+", str(source)):
        folder = download_results(HfApi(token=token), str(source), revision)
    found = []
    for name, content in _records_at(folder):
        try:
            found.append(read_submission(_bytes_of(content), source=name, bom=True))
        except ResultError as error:
            if on_error is None:
                raise
            on_error(str(error))
    return sorted(found, key=lambda one: (SPLITS.index(one.split), one.model.casefold(), one.submitted_at))


def read_existing(api: HfApi, repo_id: str) -> list[Submission]:
    """The records that are there.

    Raises:
        HubError: the Hub cannot be reached, or has no such dataset.
        ResultError: a record that is there is malformed.
    """
    folder = download_results(api, repo_id)
    return load_submissions(folder) if visible_files(folder / DATA_FOLDER, "**/*.json") else []


def _records_at(folder: Path) -> list[tuple[str, Path | bytes]]:
    try:
        if os.path.isdir(folder):
            files = [path for path in visible_files(folder / DATA_FOLDER, "**/*.json") if path.is_file()]
            if not files:
                raise ResultError(f"{folder} must contain results (no file {DATA_FOLDER}/**/*.json in it)")
            return [(path.relative_to(folder).as_posix(), path) for path in files]
        lines = folder.read_bytes().splitlines()
    except OSError as error:
        raise ResultError(f"cannot read results from {short_repr(str(folder))}: {error.strerror}") from error
    return [(f"{folder.name}, line {number}", line) for number, line in enumerate(lines, start=1) if line.strip()]


def _bytes_of(content: Path | bytes) -> bytes:
    if isinstance(content, bytes):
        return content
    try:
        return content.read_bytes()
    except OSError as error:
        raise ResultError(f"cannot read the result {content}: {error.strerror}") from error


def _slug(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:_SLUG_LENGTH].strip("-") or "model"
