"""Submitting a record to the results dataset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from huggingface_hub import HfApi

from opens2v_hf._util.argument_types import checked
from opens2v_hf._util.repo_id import check_repo_id
from opens2v_hf.hub.client import HubUnreachableError, who_may_write
from opens2v_hf.hub.pull_requests import Proposal, find_target, offline_proposal, propose, read_text
from opens2v_hf.leaderboard.submissions.record import Submission, read_existing
from opens2v_hf.leaderboard.submissions.remote import DATA_FOLDER, changes_of
from opens2v_hf.leaderboard.submissions.validation.submission import validate_submission
from opens2v_hf.results.problem import Problem, SubmissionError, is_refused


@checked
def submit(
    submission: Submission,
    repo_id: str,
    *,
    direct: bool = False,
    dry_run: bool = False,
    api: HfApi | None = None,
) -> Proposal:
    """Propose a record to the results dataset by a pull request.

    It is validated first, together with the present records. An open pull request of the same user about the same model
    and split is updated: the record in it is replaced.

    Args:
        submission: whose `submitted_by` is the user or one of their organisations.
        repo_id: of the results dataset, "org/opens2v-results".
        direct: commit it, instead of opening a pull request.
        dry_run: change nothing; the result has the diff. It fails if the submission would fail, with one exception:
            if the Hub cannot be reached, the record is in the diff, and `unchecked` has the reason.
        api: with a token; the saved one by default.

    Raises:
        ArgumentError: `repo_id` is malformed.
        SubmissionError: the record is refused; the error has every reason.
        HubError: the token is missing or may not write, the repo does not exist, or the Hub cannot be reached.
    """
    check_repo_id(repo_id, "the results dataset")
    api = api or HfApi()
    try:
        return _submit(submission, repo_id, direct=direct, dry_run=dry_run, api=api)
    except HubUnreachableError as error:
        if not dry_run:
            raise
        _accept(submission, validate_submission(submission))
        return offline_proposal(repo_id, "dataset", {submission.path: submission.to_json().decode()}, error)


def _submit(submission: Submission, repo_id: str, *, direct: bool, dry_run: bool, api: HfApi) -> Proposal:
    user = who_may_write(api)
    title = f"Add {submission.model} ({submission.split}, {submission.scoring} {submission.version})"
    target = find_target(api, repo_id, "dataset", title=title, user=user, direct=direct)
    problems = validate_submission(submission, existing=read_existing(api, repo_id), authors=user.names)
    notices = _accept(submission, problems)
    files: dict[str, tuple[str, str | None]] = {submission.path: ("", submission.to_json().decode())}
    if target.revision != "main":
        for path in changes_of(api, repo_id, target.commit).added:
            if path.startswith(f"{DATA_FOLDER}/"):
                files[path] = (read_text(api, target, path), files.get(path, ("", None))[1])
    description = f"Total {100 * submission.total:.2f} on {submission.split}, submitted by {submission.submitted_by}."
    if notices:
        description += "\n\n" + "\n".join(f"- {notice}" for notice in notices)  # for the reviewers
    proposal = propose(api, target, files, title=title, description=description, dry_run=dry_run)
    return replace(proposal, notices=notices)


def _accept(submission: Submission, problems: Sequence[Problem]) -> tuple[str, ...]:
    if is_refused(problems):
        raise SubmissionError(f"the submission of {submission.model!r} is refused", problems)
    return tuple(str(problem) for problem in problems)
