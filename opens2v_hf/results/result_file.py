"""The file of a result as pydantic models: what a reader accepts, and the JSON schema of it.

Fields that only sum up others (`scorecard`, `comparable`, `summary`, ...) are not read: they are computed again.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from opens2v_hf._util.text import A_LINE, is_line
from opens2v_hf.results.generation import Generation
from opens2v_hf.results.problem import exact
from opens2v_hf.scores.outcome import Status, VideoScore


def _line(value: str) -> str:
    if not is_line(value):
        raise ValueError(f"should be {A_LINE}")
    return value


def _not_blank(value: str) -> str:
    if not value.strip():
        raise ValueError("should not be blank")
    return value


Line = Annotated[str, AfterValidator(_line)]
Count = Annotated[int, Field(ge=0), BeforeValidator(exact)]
Number = Annotated[float, Field(allow_inf_nan=False), BeforeValidator(exact)]
Seed = Annotated[str, Field(pattern=r"^(0|[1-9][0-9]{0,15})$")]
MetricName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]


class _Part(BaseModel):
    model_config = ConfigDict(
        extra="ignore", frozen=True, strict=True, use_attribute_docstrings=True, protected_namespaces=()
    )


class Model(_Part):
    """A model that a metric's numbers come from."""

    role: Line
    """Role of the model in the metric."""
    name: Line
    """Hub id, folder, "openai:<model>" or "embedded"."""
    revision: Line | None = None
    """Commit, or sha256 of the weights."""
    dtype: Line | None = None
    device: Line | None = None
    embedded: bool = False
    """Whether it is one of the small models of the package."""
    quantization: Line | None = None
    engine: Line | None = None
    """That ran the network where transformers did not, e.g. "vllm"."""


class Score(_Part):
    """One metric's outcome for one video."""

    status: Annotated[Status, Field(strict=False)]
    value: Number | None = None
    """Given exactly when the status is "scored"."""
    reason: str = ""
    """Why there is no value, or a remark."""
    details: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        self.made()  # raises ValueError
        return self

    def made(self) -> VideoScore:
        """The score."""
        return VideoScore.from_dict(self.model_dump())


class Metric(_Part):
    """One metric's outcome for every video."""

    models: list[Model]
    options: dict[str, Any] = Field(default_factory=dict)
    """Other settings that affect the numbers."""
    caveats: list[Line]
    """Why the numbers are not the leaderboard's."""
    scores: dict[str, Score]
    """Sample id to outcome."""


class Video(_Part):
    """A video that was found."""

    id: Line
    file: str
    sha256: Line
    category: Line
    num_frames: Count | None = None
    fps: Number | None = None
    width: Count | None = None
    height: Count | None = None


class CoverageRecord(_Part):
    """The part of the split that the result covers."""

    expected: Count
    found: Count
    missing: list[Line]
    """Ids without a video."""
    unknown: list[str]
    """Files that belong to no id."""
    applicable: dict[str, list[Line]] = Field(default_factory=dict)
    """Metric to the ids that it applies to."""


class GenerationRecord(_Part):
    """Generator of the videos, and its settings."""

    kind: Line
    name: Line
    revision: Line | None = None
    family: Line | None = None
    """Pipeline class."""
    dtype: Line | None = None
    versions: dict[str, Line]
    subject_driven: bool
    notes: list[Line]
    recipe: dict[str, Any]
    seed: Count
    too_many_references: Line
    references_changed: dict[str, Count]
    prompts_cut: list[Line]
    prompts_rewritten: list[Line]
    failed: dict[str, str]
    """Sample id to the reason."""
    seeds: list[Count] = Field(default_factory=list)
    """Of the same run, `seed` among them; empty if it was the only one."""

    def made(self) -> Generation:
        """The typed record."""
        lists = {name: tuple(getattr(self, name)) for name in ("notes", "prompts_cut", "prompts_rewritten", "seeds")}
        return Generation(**{**dict(self), **lists})


class ResultFile(_Part):
    """The result of scoring one model on one split, as `opens2v score` writes it."""

    format: Literal["opens2v-hf/result/1"]
    model: Annotated[Line, AfterValidator(_not_blank)]
    """Name of the model that made the videos."""
    split: Line
    benchmark: dict[str, Any] = Field(default_factory=dict)
    """Source of prompts and references."""
    source: Line
    """The folder's name or the Hub repo of the videos."""
    coverage: CoverageRecord
    videos: list[Video]
    metrics: dict[MetricName, Metric]
    package: dict[str, Line] = Field(default_factory=dict)
    """Versions of the libraries."""
    created_at: Line
    """UTC, ISO 8601."""
    generation: GenerationRecord | None = None
    """None where the videos were given."""
    other_seeds: dict[Seed, dict[MetricName, dict[str, Number | None]]] = Field(default_factory=dict)
    """Further seeds of the same samples to column to sample id to raw value; null for a video that has none."""
