"""What a scoring run found out, as a typed record that is written to and read from JSON."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from opens2v_hf.errors import ResultError
from opens2v_hf.models.info import EMBEDDED_NOTE, ModelInfo
from opens2v_hf.scores.outcome import Status, Summary, VideoScore, summarize

FORMAT = "opens2v-hf/result/1"


@dataclass(frozen=True)
class VideoRecord:
    """A video that was found, and what identifies it.

    Attributes:
        id: of its sample.
        file: name of the file in the folder or repo.
        sha256: of the file's bytes.
        category: of its sample, one of the benchmark's id prefixes.
        num_frames: decoded frames; None where the file is no readable video.
        fps: frames per second; None as above.
        width: in pixels; None as above.
        height: in pixels; None as above.
    """

    id: str
    file: str
    sha256: str
    category: str
    num_frames: int | None = None
    fps: float | None = None
    width: int | None = None
    height: int | None = None


@dataclass(frozen=True)
class MetricResult:
    """One metric's outcome for every video that was found.

    Attributes:
        name: of the metric, e.g. "gmescore".
        models: that the numbers come from.
        options: everything else that decides the numbers, the sampling rule's name among it.
        caveats: why the numbers are not the leaderboard's; empty when they are.
        scores: sample id to outcome.
    """

    name: str
    models: tuple[ModelInfo, ...]
    options: Mapping[str, Any]
    caveats: tuple[str, ...]
    scores: Mapping[str, VideoScore]

    @property
    def embedded(self) -> bool:
        """Whether an embedded model took part."""
        return any(model.embedded for model in self.models)

    @property
    def note(self) -> str:
        """Why the numbers may not be set beside the leaderboard's; empty when they may."""
        return "; ".join([EMBEDDED_NOTE] * self.embedded + list(self.caveats))

    @property
    def summary(self) -> Summary:
        """Over all videos that were found."""
        return summarize(list(self.scores.values()))

    def by_category(self, category_of: Mapping[str, str]) -> dict[str, Summary]:
        """A summary for each category, in the order in which `category_of` first names them."""
        ids_of: dict[str, list[str]] = {}
        for sample_id in self.scores:
            ids_of.setdefault(category_of[sample_id], []).append(sample_id)
        order = dict.fromkeys(category_of.values())
        return {name: summarize([self.scores[i] for i in ids_of[name]]) for name in order if name in ids_of}


@dataclass(frozen=True)
class Coverage:
    """How much of the benchmark's split a result rests on.

    Attributes:
        expected: ids of the split.
        found: ids that have a video.
        missing: ids without one.
        unknown: files that belong to no id of the split.
    """

    expected: int
    found: int
    missing: tuple[str, ...]
    unknown: tuple[str, ...]


@dataclass(frozen=True)
class RunResult:
    """The videos of one model, scored on one split.

    Attributes:
        model: name of the model that made the videos, as the user gave it.
        split: e.g. "open-domain".
        benchmark: where prompts and references came from: source, revision, sha256 of the prompt file.
        source: the folder's name or the Hub repo that held the videos.
        coverage: what was found.
        videos: that were found, in the benchmark's order.
        metrics: in the order asked for.
        package: name and version of this package and of the libraries that decide numbers.
        created_at: UTC, ISO 8601.
    """

    model: str
    split: str
    benchmark: Mapping[str, Any]
    source: str
    coverage: Coverage
    videos: tuple[VideoRecord, ...]
    metrics: tuple[MetricResult, ...]
    package: Mapping[str, str] = field(default_factory=dict)
    created_at: str = ""

    @property
    def comparable(self) -> bool:
        """Whether all numbers may be set beside the leaderboard's."""
        return not any(metric.note for metric in self.metrics)

    @property
    def category_of(self) -> dict[str, str]:
        """Sample id to category."""
        return {video.id: video.category for video in self.videos}

    def metric(self, name: str) -> MetricResult:
        """The metric of that name.

        Raises:
            ResultError: this result has none.
        """
        for metric in self.metrics:
            if metric.name == name:
                return metric
        have = ", ".join(metric.name for metric in self.metrics)
        raise ResultError(f"the result of {self.model!r} holds no {name!r} (it has: {have})")

    def to_dict(self) -> dict[str, Any]:
        """A JSON-compatible dict: per-video values, summaries, per-category summaries, provenance, coverage."""
        return {
            "format": FORMAT,
            "model": self.model,
            "split": self.split,
            "comparable": self.comparable,
            "benchmark": dict(self.benchmark),
            "source": self.source,
            "coverage": {**asdict(self.coverage), "scored": {m.name: m.summary.num_scored for m in self.metrics}},
            "metrics": {metric.name: self._metric_to_dict(metric) for metric in self.metrics},
            "videos": [asdict(video) for video in self.videos],
            "package": dict(self.package),
            "created_at": self.created_at,
        }

    def _metric_to_dict(self, metric: MetricResult) -> dict[str, Any]:
        return {
            "summary": metric.summary.to_dict(),
            "note": metric.note,
            "caveats": list(metric.caveats),
            "models": [model.to_dict() for model in metric.models],
            "options": dict(metric.options),
            "by_category": {name: s.to_dict() for name, s in metric.by_category(self.category_of).items()},
            "scores": {sample_id: score.to_dict() for sample_id, score in metric.scores.items()},
        }

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the result as JSON, whole or not at all.

        Raises:
            ResultError: the file cannot be written.
        """
        return write_json(path, self.to_dict())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> RunResult:
        """Read a result written by `save`.

        Raises:
            ResultError: the file is missing, no JSON, or no result of this format.
        """
        try:
            record = json.loads(Path(path).read_text(encoding="utf-8"))
        except OSError as error:
            raise ResultError(f"cannot read the result {os.fspath(path)}: {error.strerror}") from error
        except ValueError as error:
            raise ResultError(
                f"{os.fspath(path)} is no JSON ({error}); give a file that `opens2v score` wrote"
            ) from error
        if not isinstance(record, dict) or record.get("format") != FORMAT:
            raise ResultError(
                f"{os.fspath(path)} is no result of format {FORMAT}; give a file that `opens2v score` wrote"
            )
        try:
            return cls._from_dict(record)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ResultError(f"{os.fspath(path)} is a malformed result: {error!r}") from error

    @classmethod
    def _from_dict(cls, record: Mapping[str, Any]) -> RunResult:
        coverage = record["coverage"]
        return cls(
            model=record["model"],
            split=record["split"],
            benchmark=record["benchmark"],
            source=record["source"],
            coverage=Coverage(
                coverage["expected"], coverage["found"], tuple(coverage["missing"]), tuple(coverage["unknown"])
            ),
            videos=tuple(VideoRecord(**video) for video in record["videos"]),
            metrics=tuple(
                MetricResult(
                    name=name,
                    models=tuple(ModelInfo(**model) for model in metric["models"]),
                    options=metric["options"],
                    caveats=tuple(metric["caveats"]),
                    scores={sample_id: _score_from_dict(score) for sample_id, score in metric["scores"].items()},
                )
                for name, metric in record["metrics"].items()
            ),
            package=record["package"],
            created_at=record["created_at"],
        )


def notes(results: Sequence[RunResult]) -> list[str]:
    """Why numbers of these results may not be set beside the leaderboard's, each reason once."""
    metrics = [metric for result in results for metric in result.metrics]
    embedded = [EMBEDDED_NOTE] if any(metric.embedded for metric in metrics) else []
    return list(dict.fromkeys([*embedded, *(f"{m.name}: {caveat}" for m in metrics for caveat in m.caveats)]))


def _score_from_dict(record: Mapping[str, Any]) -> VideoScore:
    return VideoScore(Status(record["status"]), record["value"], record.get("reason", ""), record.get("details", {}))


def write_json(path: str | os.PathLike[str], record: Any) -> Path:
    """Write JSON through a temporary file beside `path`, so that a reader sees the old file or the new one.

    Raises:
        ResultError: the file cannot be written, e.g. because the disk is full.
    """
    target = Path(path)
    text = json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    temporary = ""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=target.parent, prefix=f".{target.name}.", delete=False
        ) as file:
            temporary = file.name
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except OSError as error:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        raise ResultError(f"cannot write {target}: {error.strerror}; free space or choose another folder") from error
    return target
