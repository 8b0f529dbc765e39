"""Reading a result file that somebody else may have written: whole and sound, or an error that says what is wrong."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from opens2v_hf._util.fields import Fields, read_json
from opens2v_hf.data.benchmark.prompts import PROMPT_FILES
from opens2v_hf.errors import ResultError
from opens2v_hf.models.info import ModelInfo
from opens2v_hf.results.columns import category_of_id
from opens2v_hf.results.result import FORMAT, PARTIAL_ENDING, Coverage, MetricResult, RunResult, VideoRecord
from opens2v_hf.scores.outcome import Status, VideoScore

MAX_SAMPLES = 10_000
"""The benchmark's largest split has 180."""

_HEAD_BYTES = 4096
_HEAD = re.compile(rb'\A(?:\xef\xbb\xbf)?\s*\{\s*"format"\s*:\s*"' + re.escape(FORMAT).encode() + rb'"')


def is_result(path: Path) -> bool:
    """Whether a file begins as `opens2v score` writes results; it is not read whole."""
    try:
        with path.open("rb") as file:
            return _HEAD.match(file.read(_HEAD_BYTES)) is not None
    except OSError:
        return False


def read_results(paths: Sequence[str | os.PathLike[str]]) -> list[tuple[Path, RunResult]]:
    """Read files and all results that folders hold, each with the file that it was read from.

    Raises:
        ResultError: see `read_result`; or a folder holds no result.
    """
    files = dict.fromkeys(file for path in paths for file in result_files(path))
    return [(file, read_result(file)) for file in files]


def result_files(path: str | os.PathLike[str]) -> list[Path]:
    """The path itself; of a folder the results of `opens2v score` in it, else those in its subfolders.

    Raises:
        ResultError: the folder holds no result, or cannot be listed.
    """
    place = Path(path)
    if not os.path.isdir(place):  # pathlib raises for a name that is too long
        return [place]
    names = [f"{split}{ending}" for split in PROMPT_FILES for ending in (".json", PARTIAL_ENDING)]
    try:
        folders = [place], sorted(child for child in place.iterdir() if child.is_dir())
    except OSError as error:
        raise ResultError(f"cannot list {place}: {error.strerror}") from error
    for searched in folders:
        found = [folder / name for folder in searched for name in names if (folder / name).is_file()]
        if found:
            return found
    raise ResultError(
        f"the folder {place} holds no result; give a file that `opens2v score` wrote, or the folder that holds it "
        f"(looked for {', '.join(f'{split}.json' for split in PROMPT_FILES)})"
    )


def read_result(path: str | os.PathLike[str]) -> RunResult:
    """Read a result that `RunResult.save` wrote.

    Args:
        path: of the file, or of a folder that holds just one result.

    Raises:
        ResultError: the file is missing, no JSON, or no result of this format; or its parts do not fit together.
    """
    files = result_files(path)
    if len(files) > 1:
        names = ", ".join(file.relative_to(path).as_posix() for file in files[:6])
        raise ResultError(
            f"{os.fspath(path)} holds {len(files)} results ({names}{', ...' * (len(files) > 6)}); name one"
        )
    (path,) = files
    record = read_json(path)
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise ResultError(f"{os.fspath(path)} is no result of format {FORMAT}; give a file that `opens2v score` wrote")
    fields = Fields(record, os.fspath(path))
    coverage = fields.child("coverage")
    result = RunResult(
        model=fields.line("model"),
        split=fields.line("split"),
        benchmark=fields.mapping("benchmark"),
        source=fields.line("source"),
        coverage=Coverage(
            coverage.count("expected"),
            coverage.count("found"),
            coverage.lines("missing"),
            coverage.texts("unknown"),
            {name: coverage.child("applicable").lines(name) for name in coverage.mapping("applicable")},
        ),
        videos=tuple(_video(video) for video in fields.children("videos")),
        metrics=tuple(_metric(name, metric) for name, metric in fields.child("metrics").items()),
        package={name: fields.child("package").line(name) for name in fields.mapping("package")},
        created_at=fields.line("created_at"),
    )
    _check(result, fields)
    return result


def _video(fields: Fields) -> VideoRecord:
    return VideoRecord(
        id=fields.line("id"),
        file=fields.text("file"),
        sha256=fields.line("sha256"),
        category=fields.line("category"),
        num_frames=fields.count_or_none("num_frames"),
        fps=fields.number_or_none("fps"),
        width=fields.count_or_none("width"),
        height=fields.count_or_none("height"),
    )


def _metric(name: str, fields: Fields) -> MetricResult:
    return MetricResult(
        name=name,
        models=tuple(
            ModelInfo(
                role=model.line("role"),
                name=model.line("name"),
                revision=model.line_or_none("revision"),
                dtype=model.line_or_none("dtype"),
                device=model.line_or_none("device"),
                embedded=model.flag("embedded"),
                quantization=model.line_or_none("quantization"),
            )
            for model in fields.children("models")
        ),
        options=fields.mapping("options"),
        caveats=fields.lines("caveats"),
        scores={sample_id: _score(score) for sample_id, score in fields.child("scores").items()},
    )


def _score(fields: Fields) -> VideoScore:
    try:
        return VideoScore(
            Status(fields.line("status")),
            fields.number_or_none("value"),
            fields.text("reason", default=""),
            fields.mapping("details"),
        )
    except ValueError as error:
        raise fields.error(str(error)) from error


def _check(result: RunResult, fields: Fields) -> None:
    """What holds between the parts of a result.

    Raises:
        ResultError: it does not.
    """
    ids = [video.id for video in result.videos]
    coverage = result.coverage
    if len(ids) + len(coverage.missing) > MAX_SAMPLES:
        raise fields.error(f"it has more than {MAX_SAMPLES} samples")
    if strangers := [i for i in (*ids, *coverage.missing) if category_of_id(i) is None]:
        raise fields.error(f"the benchmark has no id {strangers[0][:60]!r}")
    for video in result.videos:
        if video.category != category_of_id(video.id):
            raise fields.error(f"{video.id} is not of the category {video.category[:60]!r}")
    if not result.model.strip():
        raise fields.error("the model has no name")
    if len(set(ids) | set(coverage.missing)) < len(ids) + len(coverage.missing):
        raise fields.error("an id stands twice among `videos` and `coverage.missing`")
    if (coverage.found, coverage.expected) != (len(ids), len(ids) + len(coverage.missing)):
        raise fields.error(
            f"{len(ids)} videos and {len(coverage.missing)} missing ones do not make {coverage.found} found of "
            f"{coverage.expected}"
        )
    for metric in result.metrics:
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,63}", metric.name):
            raise fields.error(f"{metric.name[:60]!r} is no name of a metric")
        if set(metric.scores) != set(ids):
            raise fields.error(f"metrics.{metric.name}.scores does not have the ids of `videos`")
