"""From an uploaded file to a pull request: read, checked, shown, and sent with the visitor's own token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import HfApi

from opens2v_hf.errors import OpenS2VError
from opens2v_hf.leaderboard.submissions.from_result import make_submission
from opens2v_hf.leaderboard.submissions.record import FORMAT, Submission
from opens2v_hf.leaderboard.submissions.released_form import is_released_form
from opens2v_hf.leaderboard.submissions.submit import submit
from opens2v_hf.leaderboard.submissions.untrusted_json import parse
from opens2v_hf.leaderboard.submissions.validation.submission import validate_submission
from opens2v_hf.results.columns import version_of
from opens2v_hf.results.comparability import Allowed, NotComparableError, check_comparable
from opens2v_hf.results.problem import Problem, SubmissionError, harmless, is_refused
from opens2v_hf.results.reading import is_result
from opens2v_hf.results.result import RunResult

MAX_RESULT_BYTES = 32 << 20
"""A result has values of all frames, and is larger than its record."""


@dataclass(frozen=True)
class Details:
    """The visitor's description of the model."""

    model: str  # display name
    team: str  # who evaluated it
    venue: str  # "Open-Source" or "Closed-Source"
    submitted_by: str  # the visitor on the Hub, or one of their organisations
    model_id: str = ""  # "org/name" on the Hub; may be empty
    link: str = ""  # the model's page; may be empty
    scoring: str = "released"  # "released" or "strict"


@dataclass(frozen=True)
class Checked:
    """An upload after all checks."""

    submission: Submission | None  # the record that would be sent; None if the file holds none
    problems: tuple[Problem, ...]  # reasons for a refusal, and notices

    @property
    def acceptable(self) -> bool:
        """Whether it can be sent."""
        return self.submission is not None and not is_refused(self.problems)


def check_upload(file: Path, details: Details, existing: Sequence[Submission]) -> Checked:
    """Read and check an uploaded file; no content raises.

    Args:
        file: a result that `opens2v score` wrote, or a record of the results dataset; for a record
            `details` are ignored.
        details: of the model.
        existing: the submissions of the dataset.
    """
    try:
        num_bytes = file.stat().st_size
        if num_bytes > MAX_RESULT_BYTES:
            return _refused("too_large", f"the file has {num_bytes:,} bytes", f"at most {MAX_RESULT_BYTES:,} are read")
        content = file.read_bytes()
    except OSError as error:
        return _refused("unreadable", f"the file cannot be read ({error.strerror})", "upload it again")
    try:
        record = parse(content, bom=True) if not is_result(file) else None
        if is_released_form(record):
            what = "eight numbers without anything that they could be checked by"
            return _refused("released_form", what, "upload the result file that `opens2v score` writes")
        if isinstance(record, dict) and record.get("format") == FORMAT:
            return _checked(Submission.from_dict(record), existing)
        result = RunResult.load(file)
        version = version_of(result)
        card = result.scorecard(version=version, scoring=details.scoring)
        check_comparable(result, card, Allowed(), has_protocol=True)
        submission = make_submission(
            result,
            model=details.model.strip(),
            team=details.team.strip(),
            venue=details.venue,
            submitted_by=details.submitted_by.strip(),
            model_id=details.model_id.strip(),
            link=details.link.strip(),
            version=version,
            scoring=details.scoring,
        )
    except (SubmissionError, NotComparableError) as error:
        return Checked(None, error.problems)
    except OpenS2VError as error:
        return _refused("refused", harmless(str(error).replace(str(file), "the file")), "see the page about submitting")
    return _checked(submission, existing)


def send(submission: Submission, repo_id: str, token: str) -> str:
    """Propose a record to the results dataset as the visitor; it is checked again with the present records.

    Returns:
        The address of the pull request.

    Raises:
        ResultError: the record is not acceptable any more, or is not the visitor's to send.
        HubError: the Hub cannot be reached or refuses.
    """
    return submit(submission, repo_id, api=HfApi(token=token)).url


def _checked(submission: Submission, existing: Sequence[Submission]) -> Checked:
    problems = tuple(validate_submission(submission, existing=existing))
    return Checked(None if is_refused(problems) else submission, problems)


def _refused(code: str, what: str, remedy: str) -> Checked:
    return Checked(None, (Problem(code, "", what, remedy),))
