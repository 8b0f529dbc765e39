"""Submitting a record to the results dataset."""

from __future__ import annotations

from huggingface_hub import HfApi

from opens2v_hf.errors import ResultError
from opens2v_hf.hub.client import who_am_i
from opens2v_hf.hub.pull_requests import Proposal, find_target, propose, read_text
from opens2v_hf.hub.results.record import DATA_FOLDER, Submission
from opens2v_hf.hub.results.remote import changes_of, read_existing
from opens2v_hf.hub.results.validation.submission import validate_submission


def submit(
    submission: Submission,
    repo_id: str,
    *,
    direct: bool = False,
    dry_run: bool = False,
    api: HfApi | None = None,
) -> Proposal:
    """Propose a record to the results dataset by a pull request.

    It is validated first, against what is there. An open pull request of the same user about the same model and split
    is updated: the record in it is replaced.

    Args:
        submission: whose `submitted_by` is the user or one of their organisations.
        repo_id: of the results dataset, "org/opens2v-results".
        direct: commit it, instead of opening a pull request.
        dry_run: change nothing; the diff is in what is returned.
        api: with a token; the one that is logged in by default.

    Raises:
        ResultError: the record is not acceptable; every reason is named.
        HubError: there is no token, no such repo, no right to write, or no way to the Hub.
    """
    api = api or HfApi()
    names = who_am_i(api).names
    title = f"Add {submission.model} ({submission.split}, {submission.scoring} {submission.version})"
    existing = read_existing(api, repo_id)
    problems = validate_submission(submission, existing=existing, authors=names)
    if problems:
        raise ResultError(
            f"the submission of {submission.model!r} is refused:\n" + "\n".join(f"  {one}" for one in problems)
        )
    target = find_target(api, repo_id, "dataset", title=title, user=names[0], direct=direct)
    files: dict[str, tuple[str, str | None]] = {submission.path: ("", submission.to_json().decode())}
    if target.revision != "main":
        for path in changes_of(api, repo_id, target.commit).added:
            if path.startswith(f"{DATA_FOLDER}/"):
                files[path] = (read_text(api, target, path), files.get(path, ("", None))[1])
    description = f"Total {100 * submission.total:.2f} on {submission.split}, submitted by {submission.submitted_by}."
    return propose(api, target, files, title=title, description=description, dry_run=dry_run)
