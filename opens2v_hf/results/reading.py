"""Finding, reading and checking result files, which other people may have written."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from opens2v_hf._util.argument_types import checked
from opens2v_hf._util.json_file import read_json
from opens2v_hf._util.text import shown
from opens2v_hf.data.benchmark.prompts import PROMPT_FILES
from opens2v_hf.errors import ResultError
from opens2v_hf.results.columns import category_of_id
from opens2v_hf.results.file_names import FORMAT, PARTIAL_ENDING
from opens2v_hf.results.problem import MAX_PROBLEMS, Problem, ProblemsError, form_problems
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


def read_result_file(path: Path) -> ResultFile:
    """Read the file of a result.

    Raises:
        ResultError: the file is missing, not JSON, or not a result of this format.
        ProblemsError: fields are missing or malformed, or contradict each other; it lists them all.
    """
    record = read_json(path)
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise ResultError(f"{path} is not a result of format {FORMAT}; give a file that `opens2v score` wrote")
    what = f"{path} is a malformed result"
    try:
        file = ResultFile.model_validate(record)
    except ValidationError as error:
        raise ProblemsError(what, form_problems(error, _REMEDY)) from error
    if problems := [Problem("contradiction", "", text, _REMEDY) for text in _contradictions(file)]:
        raise ProblemsError(what, problems[:MAX_PROBLEMS])
    return file


def _contradictions(file: ResultFile) -> Iterator[str]:
    """Contradictions between the parts of a file, a sentence each."""
    ids = [video.id for video in file.videos]
    coverage = file.coverage
    if len(ids) + len(coverage.missing) > MAX_SAMPLES:
        yield f"it has more than {MAX_SAMPLES} samples"
        return
    for sample_id in (*ids, *coverage.missing):
        if category_of_id(sample_id) is None:
            yield f"{shown(sample_id)} is not an id of the benchmark"
    for video in file.videos:
        if video.category != category_of_id(video.id):
            yield f"{shown(video.id)} is not of the category {shown(video.category)}"
    if len(set(ids) | set(coverage.missing)) < len(ids) + len(coverage.missing):
        yield "an id is there twice among `videos` and `coverage.missing`"
    if (coverage.found, coverage.expected) != (len(ids), len(ids) + len(coverage.missing)):
        yield (
            f"{len(ids)} videos and {len(coverage.missing)} missing ones do not make {coverage.found} found of "
            f"{coverage.expected}"
        )
    if file.other_seeds and (file.generation is None or str(file.generation.seed) in file.other_seeds):
        yield "`other_seeds` needs a `generation` with another seed"
    for seed, columns in file.other_seeds.items():
        if unknown := sorted(set(columns) - set(COLUMNS)):
            yield f"other_seeds.{seed} has {shown(unknown[0])}, which is no column of the leaderboard"
        if not {i for values in columns.values() for i in values} <= {*ids, *coverage.missing}:
            yield f"other_seeds.{seed} has ids that are none of the result's"
    for name, metric in file.metrics.items():
        if set(metric.scores) != set(ids):
            yield f"metrics.{name}.scores does not have the ids of `videos`"
