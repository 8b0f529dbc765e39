"""The result of a scoring run as a typed record, written to and read from JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from opens2v_hf._util.argument_types import checked
from opens2v_hf._util.atomic import atomic_file
from opens2v_hf.errors import ResultError
from opens2v_hf.models.info import EMBEDDED_NOTE, ModelInfo
from opens2v_hf.results.columns import (
    category_of_id,
    column_metrics,
    knows_what_is_missing,
    result_scorecard,
    version_of,
)
from opens2v_hf.results.editions import editions
from opens2v_hf.results.file_names import FORMAT
from opens2v_hf.results.generation import Generation
from opens2v_hf.results.views import result_html, short_repr
from opens2v_hf.scores.outcome import Summary, VideoScore, summarize
from opens2v_hf.scores.scorecard import RELEASED, SCORINGS, SPLITS, STRICT, Scorecard

if TYPE_CHECKING:
    import pandas as pd

    from opens2v_hf.scores.seeds import SeedValues

PARTIAL_NOTE = "only some samples of the split were scored: a trial, not comparable with any leaderboard"
"""Of a result with `RunResult.is_partial`."""


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


@dataclass(frozen=True, repr=False)
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

    def __repr__(self) -> str:
        found = self.summary
        mean = "none" if found.mean is None else f"{found.mean:.4f}"
        return f"<MetricResult {self.name}: mean {mean} of {found.num_scored} videos, {found.num_failed} failed>"

    @property
    def embedded(self) -> bool:
        """Whether an embedded model took part."""
        return any(model.embedded for model in self.models)

    @property
    def note(self) -> str:
        """Why the numbers are not comparable with the leaderboard's; empty if they are."""
        return "; ".join([EMBEDDED_NOTE] * self.embedded + list(self.caveats))

    @property
    def summary(self) -> Summary:
        """Over all videos that were found."""
        return summarize(list(self.scores.values()))

    @checked
    def by_category(self, category_of: Mapping[str, str]) -> dict[str, Summary]:
        """A summary for each category, in the order in which `category_of` first names them."""
        ids_of: dict[str, list[str]] = {}
        for sample_id in self.scores:
            ids_of.setdefault(category_of[sample_id], []).append(sample_id)
        order = dict.fromkeys(category_of.values())
        return {name: summarize([self.scores[i] for i in ids_of[name]]) for name in order if name in ids_of}


@dataclass(frozen=True)
class Coverage:
    """The part of the benchmark's split that a result covers.

    Attributes:
        expected: ids of the split.
        found: ids that have a video.
        missing: ids without one.
        unknown: files that belong to no id of the split.
        applicable: metric to the ids of the split that it applies to, with a video or without; empty if it was not
            recorded.
    """

    expected: int
    found: int
    missing: tuple[str, ...]
    unknown: tuple[str, ...]
    applicable: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, repr=False)
class RunResult:
    """The videos of one model, scored on one split.

    Attributes:
        model: name of the model that made the videos, as the user gave it.
        split: e.g. "open-domain".
        benchmark: where prompts and references came from: source, revision, sha256 of the prompt file; and "subset"
            if only some samples of the split were scored.
        source: the folder's name or the Hub repo that held the videos.
        coverage: what was found.
        videos: that were found, in the benchmark's order.
        metrics: in the order of the request.
        package: name and version of this package and of the libraries that decide numbers.
        created_at: UTC, ISO 8601.
        generation: who made the videos, and how; None where they were given.
        other_seeds: further seeds of the same samples, to column to sample id to raw value, None for a video that
            should have one and has none. All else here is about the videos of `generation.seed`.
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
    generation: Generation | None = None
    other_seeds: Mapping[int, SeedValues] = field(default_factory=dict)

    @property
    def comparable(self) -> bool:
        """Whether the numbers are comparable with the leaderboard's.

        A metric that fills no column of the leaderboard has no part in that, unless there is no other. A part of a
        split never is, nor is a result with `Generation.caveats`.
        """
        if self.is_partial or (self.generation is not None and self.generation.caveats):
            return False
        return not any(metric.note for metric in (column_metrics(self).values() or self.metrics))

    @property
    def is_partial(self) -> bool:
        """Whether only some samples of the split were scored (`limit=`, `ids=`, `categories=`)."""
        return "subset" in self.benchmark

    @property
    def category_of(self) -> dict[str, str]:
        """Sample id to category."""
        return {video.id: video.category for video in self.videos}

    @checked
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

    @checked
    def scorecard(self, *, version: str = "v1.1", scoring: str = RELEASED) -> Scorecard:
        """The leaderboard's columns and total, each with an interval over prompts and by the paper's categories.

        Args:
            version: of the weights, "v1.1" or "v1.0", for which the values are the same; "v1.2-open" for a NaturalScore
                by the open judge, which has no column in the others.
            scoring: "released", or "strict": a video that failed or was not found counts as the worst.

        Raises:
            ArgumentError: an unknown version or scoring, or the split is not one of the leaderboard's.
            ResultError: with strict scoring, if the result does not name the metrics of the samples without a video.
        """
        return result_scorecard(self, version=version, scoring=scoring)

    def to_pandas(self) -> pd.DataFrame:
        """One row a sample, with a video or without, indexed by its id.

        Columns: category, file, num_frames, fps, width, height, and for every metric its raw value (NaN where there
        is none), `<metric>_status` ("scored", "not_applicable", "failed", or "missing" without a video) and
        `<metric>_reason`.
        """
        import pandas as pd

        about = ("id", "category", "file", "num_frames", "fps", "width", "height")
        rows: list[dict[str, Any]] = [{name: getattr(video, name) for name in about} for video in self.videos]
        rows += [{"id": i, "category": category_of_id(i), "file": None} for i in self.coverage.missing]
        for row in rows:
            for metric in self.metrics:
                score = metric.scores.get(row["id"])
                row[metric.name] = None if score is None else score.value
                row[f"{metric.name}_status"] = "missing" if score is None else str(score.status)
                row[f"{metric.name}_reason"] = "" if score is None else score.reason
        frame = pd.DataFrame(rows, columns=None if rows else list(about)).set_index("id")
        return frame.astype({metric.name: float for metric in self.metrics if metric.name in frame})

    def __repr__(self) -> str:
        return short_repr(self)

    def _repr_html_(self) -> str:
        """The scorecard, for notebooks."""
        return result_html(self, notes([self]))

    def to_dict(self) -> dict[str, Any]:
        """A JSON-compatible dict: scorecards, per-video values, summaries by metric and category, provenance, coverage.

        `editions` holds, for every edition, the checksum of its record and why the numbers are not of it. `scorecard`
        holds one by "released" and one by "strict" scoring, or None where there is none; after reading a file
        they are computed again from the per-video values.
        """
        return {
            "format": FORMAT,
            "model": self.model,
            "split": self.split,
            "comparable": self.comparable,
            "editions": self._editions_to_dict(),
            "scorecard": {scoring: self._scorecard_to_dict(scoring) for scoring in SCORINGS},
            "benchmark": dict(self.benchmark),
            "source": self.source,
            "coverage": {**asdict(self.coverage), "scored": {m.name: m.summary.num_scored for m in self.metrics}},
            "metrics": {metric.name: self._metric_to_dict(metric) for metric in self.metrics},
            "videos": [asdict(video) for video in self.videos],
            "package": dict(self.package),
            "created_at": self.created_at,
            "generation": None if self.generation is None else self.generation.to_dict(),
            "other_seeds": {str(seed): values for seed, values in self.other_seeds.items()},
        }

    def _scorecard_to_dict(self, scoring: str) -> dict[str, Any] | None:
        if self.split not in SPLITS or (scoring == STRICT and not knows_what_is_missing(self)):
            return None
        return self.scorecard(version=version_of(self), scoring=scoring).to_dict()

    def _editions_to_dict(self) -> dict[str, Any]:
        """Edition to the checksum of its record, and to why the numbers are not of it."""
        metrics = column_metrics(self)
        return {one.name: {"sha256": one.sha256, "differences": one.differences(metrics)} for one in editions()}

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

    @checked
    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the result as JSON, whole or not at all.

        Raises:
            ResultError: the file cannot be written.
        """
        return write_json(path, self.to_dict())

    @classmethod
    @checked
    def load(cls, path: str | os.PathLike[str]) -> RunResult:
        """Read a result written by `save`.

        Args:
            path: of the file, or of a folder that holds no other result.

        Raises:
            ResultError: the file is missing, not JSON, or not a result of this format; a `ProblemsError` lists all that
                is wrong with its fields.
        """
        from opens2v_hf.results.reading import read_result_file, result_file  # pydantic is large

        file = read_result_file(result_file(path))
        covered = file.coverage
        return cls(
            model=file.model,
            split=file.split,
            benchmark=file.benchmark,
            source=file.source,
            coverage=Coverage(
                covered.expected,
                covered.found,
                tuple(covered.missing),
                tuple(covered.unknown),
                {name: tuple(ids) for name, ids in covered.applicable.items()},
            ),
            videos=tuple(VideoRecord(**dict(video)) for video in file.videos),
            metrics=tuple(
                MetricResult(
                    name=name,
                    models=tuple(ModelInfo(**dict(model)) for model in metric.models),
                    options=metric.options,
                    caveats=tuple(metric.caveats),
                    scores={sample_id: score.made() for sample_id, score in metric.scores.items()},
                )
                for name, metric in file.metrics.items()
            ),
            package=file.package,
            created_at=file.created_at,
            generation=None if file.generation is None else file.generation.made(),
            other_seeds={int(seed): columns for seed, columns in file.other_seeds.items()},
        )


@checked
def read_results(paths: Sequence[str | os.PathLike[str]]) -> list[tuple[Path, RunResult]]:
    """Read files and all results that folders hold, each with the file that it was read from.

    Raises:
        ResultError: see `RunResult.load`; or a folder holds no result.
    """
    from opens2v_hf.results.reading import result_files

    files = dict.fromkeys(file for path in paths for file in result_files(path))
    return [(file, RunResult.load(file)) for file in files]


def notes(results: Sequence[RunResult]) -> list[str]:
    """Why numbers of these results are not comparable with the leaderboard's, each reason once."""
    partial = [PARTIAL_NOTE] if any(result.is_partial for result in results) else []
    metrics = [metric for result in results for metric in result.metrics]
    embedded = [EMBEDDED_NOTE] if any(metric.embedded for metric in metrics) else []
    made = [caveat for result in results if result.generation is not None for caveat in result.generation.caveats]
    caveats = (f"{metric.name}: {caveat}" for metric in metrics for caveat in metric.caveats)
    return list(dict.fromkeys([*partial, *embedded, *made, *caveats]))


def write_json(path: str | os.PathLike[str], record: Any) -> Path:
    """Write JSON through a temporary file in the same folder, so that a reader sees the old file or the new one.

    What UTF-8 cannot hold, e.g. bytes of a file's name that are no text, becomes a question mark.

    Raises:
        ResultError: the file cannot be written, e.g. because the disk is full, or is no regular file.
    """
    target = Path(path)
    if os.path.exists(target) and not os.path.isfile(target):  # a device or a pipe would be replaced
        raise ResultError(f"cannot write {target}: it is there, and is no file; name another")
    text = json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    try:
        with atomic_file(target) as temporary:
            temporary.write_bytes(text.encode("utf-8", "replace"))
    except OSError as error:
        raise ResultError(f"cannot write {target}: {error.strerror}; free space or choose another folder") from error
    return target
