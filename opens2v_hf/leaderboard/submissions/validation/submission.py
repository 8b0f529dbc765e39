"""`validate_submission`: the one answer to whether a submission is acceptable."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from opens2v_hf.leaderboard.submissions import untrusted_json as reading
from opens2v_hf.leaderboard.submissions.record import Submission, read_submission
from opens2v_hf.leaderboard.submissions.validation import existing as rows
from opens2v_hf.leaderboard.submissions.validation import rules
from opens2v_hf.results.problem import Problem, SubmissionError, shown


def validate_submission(
    submission: Submission | bytes | str | Path,
    *,
    existing: Sequence[Submission] = (),
    authors: Collection[str] | None = None,
    path: str | None = None,
    allow_published: bool = False,
    now: datetime | None = None,
) -> list[Problem]:
    """The problems of a submission; no content raises.

    Args:
        submission: a record, the content of a file, or a file by its path.
        existing: the submissions that are there already.
        authors: names on the Hub of who sent it: their own and those of their organisations; None if that is not
            known, and `submitted_by` is not compared.
        path: in the results dataset; None if unknown.
        allow_published: whether it may be a row taken over from a published table, without per-video values.
        now: the present, UTC.

    Returns:
        The problems; none where it is acceptable. One that is a notice does not refuse it.
    """
    try:
        if isinstance(submission, str | Path):
            submission = reading.read_file(Path(submission))
        one = submission if isinstance(submission, Submission) else read_submission(submission)
    except SubmissionError as error:
        return list(error.problems)
    try:
        num_bytes = len(one.to_json())
    except ValueError:
        remedy = "give finite numbers, and None for a missing value"
        return [Problem("not_finite", "", "a number is not finite", remedy)]
    if num_bytes > reading.MAX_BYTES:
        return [reading.too_large(num_bytes)]
    checks = (
        rules.names_and_links,
        partial(rules.time_of_submission, now=now or datetime.now(UTC)),
        partial(rules.provenance, allow_published=allow_published),
        rules.edition_of_numbers,
        rules.columns_and_total,
        rules.videos,
        partial(rows.against_existing, existing=existing),
        partial(rows.sender, authors=authors),
        partial(_lies_where_it_belongs, path=path),
    )
    return [problem for check in checks for problem in check(one)]


def _lies_where_it_belongs(one: Submission, *, path: str | None) -> list[Problem]:
    if path is None or path == one.path:
        return []
    return [Problem("path", "", f"is at {shown(path)}", f"a record with this content belongs at {one.path}")]
