"""Reading and checking a result file, which another person may have written."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from opens2v_hf._util.argument_types import checked
from opens2v_hf._util.json_file import read_json
from opens2v_hf._util.text import shown
from opens2v_hf.data.benchmark.prompts import PROMPT_FILES
from opens2v_hf.errors import ResultError
from opens2v_hf.results.columns import category_of_id
from opens2v_hf.results.problem import MAX_PROBLEMS, Problem, ProblemsError, form_problems
from opens2v_hf.results.result import FORMAT, PARTIAL_ENDING, RunResult
from opens2v_hf.results.result_file import ResultFile
from opens2v_hf.scores.scorecard import COLUMNS

MAX_SAMPLES = 10_000
"""The benchmark's largest split has 180."""

_REMEDY = "give a file that `opens2v score` wrote"
_HEAD_BYTES = 4096
_HEAD = re.compile(rb'\A(?:\xef\xbb\xbf)?\s*\{\s*"format"\s*:\s*"' + re.escape(FORMAT).encode() + rb'"')


def is_result(path: Path) -> bool:
    """Whether a file begins as `opens2v score` writes results; it is not read whole."""
    try:
        with path.open("rb") as file:
            return _HEAD.match(file.read(_HEAD_BYTES)) is not None
    except OSError:
        return False


@checked
def read_results(paths: Sequence[str | os.PathLike[str]]) -> list[tuple[Path, RunResult]]:
    """Read files and all results that folders hold, each with the file that it was read from.

    Raises:
        ResultError: see `read_result`; or a folder holds no result.
    """
    files = dict.fromkeys(file for path in paths for file in result_files(path))
    return [(file, read_result(file)) for file in files]


@checked
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


@checked
def result_file(path: str | os.PathLike[str]) -> Path:
    """The path itself; of a folder the only result in it.

    Raises:
        ResultError: the folder holds no result or several.
    """
    files = result_files(path)
    if len(files) > 1:
        names = ", ".join(file.relative_to(path).as_posix() for file in files[:6])
        raise ResultError(
            f"{os.fspath(path)} holds {len(files)} results ({names}{', ...' * (len(files) > 6)}); name one"
        )
    return files[0]


@checked
def read_result(path: str | os.PathLike[str]) -> RunResult:
    """Read a result that `RunResult.save` wrote.

    Args:
        path: of the file, or of a folder that holds just one result.

    Raises:
        ResultError: the file is missing, not JSON, or not a result of this format.
        ProblemsError: fields are missing or malformed, or contradict each other; it lists them all.
    """
    path = result_file(path)
    record = read_json(path)
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise ResultError(
            f"{os.fspath(path)} is not a result of format {FORMAT}; give a file that `opens2v score` wrote"
        )
    what = f"{os.fspath(path)} is a malformed result"
    try:
        result = ResultFile.model_validate(record).result()
    except ValidationError as error:
        raise ProblemsError(what, form_problems(error, _REMEDY)) from error
    if problems := [Problem("contradiction", "", text, _REMEDY) for text in _contradictions(result)]:
        raise ProblemsError(what, problems[:MAX_PROBLEMS])
    return result


def result_schema() -> dict[str, Any]:
    """The JSON schema of a result file; rules between fields, which no schema can hold, are checked on reading."""
    return ResultFile.model_json_schema()


def _contradictions(result: RunResult) -> Iterator[str]:
    """Contradictions between the parts of a result, a sentence each."""
    ids = [video.id for video in result.videos]
    coverage = result.coverage
    if len(ids) + len(coverage.missing) > MAX_SAMPLES:
        yield f"it has more than {MAX_SAMPLES} samples"
        return
    for sample_id in (*ids, *coverage.missing):
        if category_of_id(sample_id) is None:
            yield f"{shown(sample_id)} is not an id of the benchmark"
    for video in result.videos:
        if video.category != category_of_id(video.id):
            yield f"{shown(video.id)} is not of the category {shown(video.category)}"
    if len(set(ids) | set(coverage.missing)) < len(ids) + len(coverage.missing):
        yield "an id is there twice among `videos` and `coverage.missing`"
    if (coverage.found, coverage.expected) != (len(ids), len(ids) + len(coverage.missing)):
        yield (
            f"{len(ids)} videos and {len(coverage.missing)} missing ones do not make {coverage.found} found of "
            f"{coverage.expected}"
        )
    if result.other_seeds and (result.generation is None or result.generation.seed in result.other_seeds):
        yield "`other_seeds` needs a `generation` with another seed"
    for seed, columns in result.other_seeds.items():
        if unknown := sorted(set(columns) - set(COLUMNS)):
            yield f"other_seeds.{seed} has {shown(unknown[0])}, which is no column of the leaderboard"
        if not {i for values in columns.values() for i in values} <= {*ids, *coverage.missing}:
            yield f"other_seeds.{seed} has ids that are none of the result's"
    for metric in result.metrics:
        if set(metric.scores) != set(ids):
            yield f"metrics.{metric.name}.scores does not have the ids of `videos`"
