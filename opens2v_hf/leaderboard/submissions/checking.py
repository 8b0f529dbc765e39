"""Validation of files, of a clone of the results dataset, and of a pull request to it."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Sequence
from pathlib import Path

from huggingface_hub import HfApi

from opens2v_hf._util.argument_types import checked
from opens2v_hf.errors import ArgumentError, HubError
from opens2v_hf.hub.client import hub_errors
from opens2v_hf.hub.pull_requests import OPEN
from opens2v_hf.leaderboard.submissions.record import Submission, read_existing, read_submission
from opens2v_hf.leaderboard.submissions.released_form import is_released_form, released_form_problems
from opens2v_hf.leaderboard.submissions.remote import DATA_FOLDER, changes_of
from opens2v_hf.leaderboard.submissions.untrusted_json import MAX_BYTES, parse, read_file, too_large
from opens2v_hf.leaderboard.submissions.validation.submission import validate_submission
from opens2v_hf.results.problem import Problem, SubmissionError, harmless, is_refused
from opens2v_hf.results.reading import is_result

MAX_FILES = 20
"""Records in one pull request."""

_PULL_REQUEST = re.compile(
    r"(?:https?://[^/]+/datasets/)?(?P<repo>[\w.-]+/[\w.-]+)(?:#|/discussions/)(?P<number>[1-9]\d{0,8})/?"
)

Checked = dict[str, list[Problem]]
"""File to its problems; an empty list if it has none."""


def pull_request_of(text: str) -> tuple[str, int] | None:
    """Repo and number of a pull request given as `org/name#3` or by its page's address; None for anything else.

    Example:
        >>> pull_request_of("org/opens2v-results#3")
        ('org/opens2v-results', 3)
    """
    found = _PULL_REQUEST.fullmatch(text)
    return (found["repo"], int(found["number"])) if found else None


@checked
def validate_file(
    path: Path, *, split: str | None = None, existing: Sequence[Submission] = (), allow_published: bool = False
) -> list[Problem]:
    """The problems of a file: a record of the results dataset, or the released Space's form.

    A byte order mark is skipped here, and refused in the dataset itself.

    Args:
        path: of the file.
        split: that a file in the released form is of; see `released_form_problems`.
        existing: the records of the dataset.
        allow_published: whether a record may be of a published table.

    Raises:
        ArgumentError: `path` is empty.
    """
    if path == Path():
        raise ArgumentError("the file must have a name (got an empty path)")
    if problems := _of_result(path):
        return problems
    try:
        record = parse(read_file(path), bom=True)
        if is_released_form(record):
            return list(released_form_problems(record, split))
        submission = Submission.from_dict(record)
    except SubmissionError as error:
        return list(error.problems)
    return validate_submission(submission, existing=existing, allow_published=allow_published)


def _of_result(path: Path) -> list[Problem]:
    if not is_result(path):
        return []
    what = "this is a result of `opens2v score`, and not a submission"
    remedy = "submit it with `opens2v push FILE --results ORG/NAME`, whose `--dry-run` checks it first"
    return [Problem("is_result", "", what, remedy)]


@checked
def validate_folder(folder: Path, *, existing: Sequence[Submission] = ()) -> Checked:
    """Every record in a folder, against those that were submitted before it.

    Args:
        folder: a clone of the results dataset, whose paths are checked; or any folder of JSON files.
        existing: the records that are there already; a clone holds them itself.

    Raises:
        ArgumentError: the folder has no file to check.
    """
    is_clone = (folder / DATA_FOLDER).is_dir()
    pattern = f"{DATA_FOLDER}/**/*" if is_clone else "**/*.json"
    files = sorted(
        path
        # unlike `Path.glob`, it goes on where a folder vanishes or cannot be read
        for parent, _, names in os.walk(folder / DATA_FOLDER if is_clone else folder)
        for path in (Path(parent, name) for name in names)
        if not path.name.startswith(".") and (is_clone or path.suffix == ".json") and os.path.isfile(path)
    )
    if not files:
        raise ArgumentError(f"{folder} must contain results (no file {pattern} in it)")
    checked: Checked = {}
    read: dict[str, Submission] = {}
    for path in files:
        name = path.relative_to(folder).as_posix()
        try:
            checked[name] = _of_result(path)
            if not checked[name]:
                read[name] = read_submission(read_file(path), bom=not is_clone)
        except SubmissionError as error:
            checked[name] = list(error.problems)
    accepted = [] if is_clone else list(existing)
    for name in sorted(read, key=lambda name: (read[name].submitted_at, name)):
        path_in_repo = name if is_clone else None
        checked[name] = _accept(read[name], accepted, path=path_in_repo, allow_published=True)
    return checked


@checked
def validate_pull_request(api: HfApi, repo_id: str, number: int, *, allow_published: bool = False) -> Checked:
    """Everything that a pull request to the results dataset would change.

    It may add records of its author, and do nothing else. Files are measured before they are downloaded.

    Args:
        api: a token is needed for private repos alone.
        repo_id: of the results dataset.
        number: of the pull request.
        allow_published: whether its records may be of a published table.

    Raises:
        HubError: the Hub cannot be reached, has no such pull request, or it is closed.
        ResultError: a record that is in the dataset already is malformed.
    """
    with hub_errors(api):
        discussion = api.get_discussion_details(repo_id, number, repo_type="dataset")
    if not discussion.is_pull_request or discussion.status not in OPEN:
        raise HubError(f"{repo_id}#{number} is not an open pull request")
    authors = _names_of(api, discussion.author)
    revision = f"refs/pr/{number}"
    changes = changes_of(api, repo_id, revision)
    checked: Checked = {}
    remedy = "a submission adds its record and changes nothing else"
    for verb, paths in (("changes", changes.changed), ("deletes", changes.deleted)):
        for path in paths:
            checked[path] = [Problem("touches_others", "", f"the pull request {verb} {harmless(path)}", remedy)]
    if not changes.added:
        checked["."] = [Problem("nothing_added", "", "the pull request adds no record", remedy)]
    if len(changes.added) > MAX_FILES:
        what = f"the pull request adds {len(changes.added)} files"
        checked["."] = [Problem("too_many_files", "", what, f"add at most {MAX_FILES}")]
        return checked
    existing = read_existing(api, repo_id)
    for path, num_bytes in changes.added.items():
        if not path.startswith(f"{DATA_FOLDER}/"):
            what = f"the pull request adds {harmless(path)}, outside {DATA_FOLDER}/"
            checked[path] = [Problem("touches_others", "", what, remedy)]
        elif num_bytes > MAX_BYTES:
            checked[path] = [too_large(num_bytes)]
        else:
            with hub_errors(api):
                local = api.hf_hub_download(repo_id, path, repo_type="dataset", revision=revision)
            try:
                submission = read_submission(Path(local).read_bytes())
            except SubmissionError as error:
                checked[path] = list(error.problems)
                continue
            checked[path] = _accept(submission, existing, path=path, authors=authors, allow_published=allow_published)
    return checked


def _accept(
    submission: Submission,
    accepted: list[Submission],
    *,
    path: str | None,
    authors: Collection[str] | None = None,
    allow_published: bool,
) -> list[Problem]:
    """The problems of a record; an accepted one is added to those that the next ones are compared with."""
    problems = validate_submission(
        submission, existing=accepted, authors=authors, path=path, allow_published=allow_published
    )
    if not is_refused(problems):
        accepted.append(submission)
    return problems


def _names_of(api: HfApi, user: str) -> list[str]:
    with hub_errors(api):
        overview = api.get_user_overview(user)
    return [user, *(org.name for org in overview.orgs or ())]
