"""A submission: what a model scored on a split, by whom, made with what. One JSON file each in the results dataset."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from opens2v_hf.errors import ResultError
from opens2v_hf.hub.results.schema import mismatches
from opens2v_hf.models.info import ModelInfo
from opens2v_hf.scores.scorecard import COLUMNS, SPLITS

FORMAT = "opens2v-hf/submission/1"

VENUES = ("Open-Source", "Closed-Source")
KINDS = ("published", "measured")

UNAVOIDABLE_CAVEAT = "the rubric is "
"""NaturalScore always says whose rubric it used, since the released prompt cannot be shipped: told, not refused."""

DATA_FOLDER = "data"
_SLUG_LENGTH = 64


@dataclass(frozen=True)
class Provenance:
    """Where the numbers of a submission come from.

    Attributes:
        kind: "published" for figures taken over from a published table, "measured" for a run of this package.
        source: URL of the table; for a run, where its videos came from (may be empty).
        packages: name to version of the libraries that decide numbers; empty for published figures.
        models: metric to the models that it was made with.
        options: metric to its options, whose values are JSON.
        caveats: metric to why its numbers are not the leaderboard's; empty where they are.
        benchmark: `source`, `prompt_file` and `sha256` of the benchmark's prompts; empty for published figures.
    """

    kind: str
    source: str = ""
    packages: Mapping[str, str] = field(default_factory=dict)
    models: Mapping[str, tuple[ModelInfo, ...]] = field(default_factory=dict)
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    caveats: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    benchmark: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Submission:
    """One row of a leaderboard, with what it rests on.

    Attributes:
        model: display name.
        model_id: "org/name" on the Hub; empty for a model that has no repo there.
        link: the model's page, http(s); may be empty.
        team: who evaluated it.
        venue: one of `VENUES`.
        split: one of `opens2v_hf.scores.scorecard.SPLITS`.
        version: of the weights of the total, "v1.1" or "v1.0".
        scoring: "released" or "strict", see `opens2v_hf.scores.scorecard`.
        columns: normalised values in 0..1 by metric name; the columns that the split does not have are absent.
        total: weighted total in 0..1.
        num_videos: how many videos each column rests on; empty where that was not published.
        per_video: sample id to metric name to the video's raw value in the metric's own range; a metric that has no
            value for a video is absent there. Empty for published figures.
        provenance: where the numbers come from.
        submitted_by: Hub user or organisation that owns the model's rows.
        submitted_at: UTC, e.g. "2025-10-01 12:00:00": the form that `datasets` leaves as it is.
    """

    model: str
    model_id: str
    link: str
    team: str
    venue: str
    split: str
    version: str
    scoring: str
    columns: Mapping[str, float]
    total: float
    provenance: Provenance
    submitted_by: str
    submitted_at: str
    num_videos: Mapping[str, int] = field(default_factory=dict)
    per_video: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The record as it is written; every field is there, absent columns are None."""
        made = self.provenance
        return {
            "format": FORMAT,
            "model": self.model,
            "model_id": self.model_id,
            "link": self.link,
            "team": self.team,
            "venue": self.venue,
            "split": self.split,
            "version": self.version,
            "scoring": self.scoring,
            "total": float(self.total),
            "columns": {name: self.columns.get(name) for name in COLUMNS},
            "num_videos": {name: self.num_videos.get(name) for name in COLUMNS},
            "per_video": [
                {"id": sample_id, **{name: values.get(name) for name in COLUMNS}}
                for sample_id, values in self.per_video.items()
            ],
            "provenance": {
                "kind": made.kind,
                "source": made.source,
                "packages": [{"name": name, "version": version} for name, version in made.packages.items()],
                "models": [
                    {"metric": metric, **info.to_dict()} for metric, infos in made.models.items() for info in infos
                ],
                "options": [
                    {"metric": metric, "option": option, "value": json.dumps(value, ensure_ascii=False)}
                    for metric, options in made.options.items()
                    for option, value in options.items()
                ],
                "caveats": [
                    {"metric": metric, "caveat": caveat}
                    for metric, caveats in made.caveats.items()
                    for caveat in caveats
                ],
                "benchmark": {name: made.benchmark.get(name, "") for name in ("source", "prompt_file", "sha256")},
            },
            "submitted_by": self.submitted_by,
            "submitted_at": self.submitted_at,
        }

    def to_json(self) -> bytes:
        """The content of the record's file: one line, so that `datasets` reads it as JSON Lines."""
        return json.dumps(self.to_dict(), ensure_ascii=False, allow_nan=False).encode() + b"\n"

    @property
    def path(self) -> str:
        """Where the record lies in the results dataset: `data/<split>/<model>/<time>-<digest>.json`.

        It is made of letters, digits and hyphens alone, whatever the model is called, and differs for any two records.
        """
        stamp = re.sub(r"[^0-9]", "", self.submitted_at)[:_SLUG_LENGTH]
        digest = hashlib.sha256(self.to_json()).hexdigest()[:12]
        return f"{DATA_FOLDER}/{_slug(self.split)}/{_slug(self.model)}/{stamp}-{digest}.json"

    @classmethod
    def from_dict(cls, record: object, *, source: str = "the record") -> Submission:
        """A record as `to_dict` writes it. Only its form is checked here, not whether it tells the truth.

        Args:
            record: as Python's json reads it.
            source: names it in messages.

        Raises:
            ResultError: it is no record of this format.
        """
        for where, what in mismatches(record):
            raise ResultError(f"{source} is no submission: {where or 'it'} {what}")
        assert isinstance(record, dict)  # noqa: S101 - for the type checker; `mismatches` has seen to it
        if record["format"] != FORMAT:
            raise ResultError(f"{source} has the format {record['format'][:60]!r}; this version reads {FORMAT!r}")
        made = record["provenance"]
        models: dict[str, tuple[ModelInfo, ...]] = {}
        for entry in made["models"]:
            info = ModelInfo(**{name: value for name, value in entry.items() if name != "metric"})
            models[entry["metric"]] = (*models.get(entry["metric"], ()), info)
        options: dict[str, dict[str, Any]] = {}
        for entry in made["options"]:
            options.setdefault(entry["metric"], {})[entry["option"]] = _option_value(entry["value"], source)
        caveats: dict[str, tuple[str, ...]] = {}
        for entry in made["caveats"]:
            caveats[entry["metric"]] = (*caveats.get(entry["metric"], ()), entry["caveat"])
        return cls(
            **{name: record[name] for name in _PLAIN_FIELDS},
            total=float(record["total"]),
            columns={name: float(value) for name, value in record["columns"].items() if value is not None},
            num_videos={name: value for name, value in record["num_videos"].items() if value is not None},
            per_video={
                entry["id"]: {name: float(value) for name, value in entry.items() if name != "id" and value is not None}
                for entry in record["per_video"]
            },
            provenance=Provenance(
                kind=made["kind"],
                source=made["source"],
                packages={entry["name"]: entry["version"] for entry in made["packages"]},
                models=models,
                options=options,
                caveats=caveats,
                benchmark={name: value for name, value in made["benchmark"].items() if value},
            ),
        )


_PLAIN_FIELDS = (
    "model", "model_id", "link", "team", "venue", "split", "version", "scoring", "submitted_by", "submitted_at",
)  # fmt: skip


def is_unavoidable(column: str, caveat: str) -> bool:
    """Whether every result has such a caveat, so that it is no reason to refuse one."""
    return column == "naturalscore" and caveat.startswith(UNAVOIDABLE_CAVEAT)


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
        on_error: called with a sentence for every file that is no submission, which is then left out; without it such
            a file raises.

    Returns:
        The submissions by split, model and time.

    Raises:
        ResultError: there is nothing at `source`, or a file is no submission.
        HubError: the Hub cannot be reached, or has no such dataset.
    """
    place = Path(source)
    if not place.exists() and re.fullmatch(r"[\w.-]+/[\w.-]+", str(source)):
        from opens2v_hf.hub.results.remote import download_results

        place = download_results(str(source), revision=revision, token=token)
    found = []
    for name, text in _records_at(place):
        try:
            found.append(_parse(text, name))
        except ResultError as error:
            if on_error is None:
                raise
            on_error(str(error))
    return sorted(found, key=lambda one: (SPLITS.index(one.split), one.model.casefold(), one.submitted_at))


def _parse(text: bytes, name: str) -> Submission:
    try:
        record = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ResultError(f"{name} is no JSON ({str(error)[:200]}); run `opens2v validate` on it") from error
    submission = Submission.from_dict(record, source=name)
    if submission.split not in SPLITS:
        raise ResultError(f"{name} is of an unknown split {submission.split[:60]!r} (known are: {', '.join(SPLITS)})")
    return submission


def _records_at(place: Path) -> list[tuple[str, bytes]]:
    try:
        if place.is_dir():
            found = (place / DATA_FOLDER).rglob("*.json")
            files = sorted(path for path in found if path.is_file() and not path.name.startswith("."))
            if not files:
                raise ResultError(f"{place} holds no results: there is no file {DATA_FOLDER}/**/*.json in it")
            return [(path.relative_to(place).as_posix(), path.read_bytes()) for path in files]
        lines = place.read_bytes().splitlines()
    except OSError as error:
        raise ResultError(f"cannot read results from {place}: {error.strerror}") from error
    return [(f"{place.name}, line {number}", line) for number, line in enumerate(lines, start=1) if line.strip()]


def _refuse_constant(word: str) -> float:
    raise ValueError(f"{word} is no number of JSON")


def _option_value(text: str, source: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ResultError(f"{source} is no submission: the option value {text[:60]!r} is no JSON") from error


def _slug(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:_SLUG_LENGTH].strip("-") or "model"
