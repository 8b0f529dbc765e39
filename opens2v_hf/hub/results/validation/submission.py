"""`validate_submission`: the one answer to whether a submission is acceptable."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from opens2v_hf.errors import ResultError
from opens2v_hf.hub.results.record import Submission
from opens2v_hf.hub.results.validation import existing as rows
from opens2v_hf.hub.results.validation import fields, reading, values
from opens2v_hf.hub.results.validation.problem import Problem, shown


def validate_submission(
    submission: Submission | bytes | str | Path,
    *,
    existing: Sequence[Submission] = (),
    authors: Collection[str] | None = None,
    path: str | None = None,
    allow_published: bool = False,
    now: datetime | None = None,
) -> list[Problem]:
    """What is wrong with a submission. Whatever it is given, it returns; it never raises for what a file holds.

    Args:
        submission: a record, the content of a file, or a file by its path.
        existing: the submissions that are there already.
        authors: names on the Hub of who sent it: their own and those of their organisations; None where that is not
            known, and `submitted_by` is not compared.
        path: where it lies in the results dataset; None where that is not known.
        allow_published: whether it may be a row taken over from a published table, without per-video values.
        now: the present, UTC.

    Returns:
        The problems; none where it is acceptable.
    """
    content, problems = _content(submission)
    if content is None:
        return problems
    record, problems = reading.parse(content)
    if problems:
        return problems
    if problems := reading.form_problems(record):
        return problems
    problems = [*_field_problems(record, allow_published, now)]
    if any(problem.code == "unknown_value" for problem in problems):
        return problems
    try:
        read = Submission.from_dict(record)
    except ResultError as error:
        return [*problems, Problem("form", "", shown(error), "write the record with `opens2v push`")]
    problems += _number_problems(record, read)
    problems += rows.existing_problems(read, existing)
    if authors is not None:
        problems += rows.author_problems(read, authors)
    if path is not None and path != read.path:
        what = f"lies at {shown(path)}"
        problems.append(Problem("path", "", what, f"a record with this content belongs at {read.path}"))
    return problems


def _content(submission: Submission | bytes | str | Path) -> tuple[bytes | None, list[Problem]]:
    if isinstance(submission, bytes):
        return submission, []
    if isinstance(submission, Submission):
        try:
            return submission.to_json(), []
        except ValueError:
            what = "a number is not finite, or a text cannot be written as UTF-8"
            return None, [Problem("not_finite", "", what, "give finite numbers, and None where there is no value")]
    return reading.read_file(Path(submission))


def _field_problems(record: Mapping[str, Any], allow_published: bool, now: datetime | None) -> Iterator[Problem]:
    yield from fields.choice_problems(record)
    yield from fields.text_field_problems(record, now)
    yield from fields.provenance_problems(record, allow_published=allow_published)


def _number_problems(record: Mapping[str, Any], submission: Submission) -> list[Problem]:
    problems = list(values.column_problems(submission))
    if record["per_video"]:
        id_problems = list(values.id_problems(record, submission.split))
        problems += id_problems
        if not id_problems:
            problems += values.per_video_problems(submission)
    elif submission.num_videos:
        what = "is given, and there are no per-video values to count"
        problems.append(Problem("count_mismatch", "num_videos", what, "leave it null"))
    return problems
