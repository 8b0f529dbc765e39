"""Propose files to a repo: by a new pull request, by the user's own open one, or by a commit."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, Discussion, HfApi
from huggingface_hub.errors import GatedRepoError, RemoteEntryNotFoundError, RepositoryNotFoundError

from opens2v_hf.errors import HubError
from opens2v_hf.hub.client import TOKENS_PAGE, HubUser, hub_errors

OPEN = ("open", "draft")
MAX_BYTES = 4 << 20
"""Of a file that is read as text."""
_NEEDS_NO_RIGHT = "a pull request needs no right to write to the repo, so leave `direct=True` out"


@dataclass(frozen=True)
class Target:
    """The target of a change."""

    repo_id: str  # "org/name"
    kind: str  # "model" or "dataset"
    revision: str  # "main", or "refs/pr/<number>" of the user's own open pull request
    commit: str  # of the revision, the parent of the change
    new_pull_request: bool  # whether to open a pull request


@dataclass(frozen=True)
class Proposal:
    """A change, made or proposed.

    Attributes:
        target: of the change.
        diff: of the files, unified; empty without a change.
        done: whether it was carried out.
        url: of the pull request or commit; empty if nothing was done.
        unchecked: why a dry run could not reach the Hub, so that the present files are unknown; empty otherwise.
        notices: for a person to check before the merge, a sentence each.
    """

    target: Target
    diff: str
    done: bool
    url: str = ""
    unchecked: str = ""
    notices: tuple[str, ...] = ()

    @property
    def is_needed(self) -> bool:
        """Whether there is a change."""
        return bool(self.diff)

    def describe(self) -> str:
        """The change, in one line."""
        target = self.target
        if self.unchecked:
            return f"{target.repo_id}: this would be proposed; the present files were not read: {self.unchecked}"
        if not self.is_needed:
            return f"{target.repo_id}: up to date, nothing to push"
        if target.new_pull_request:
            how = "opened a pull request" if self.done else "would open a pull request"
        elif target.revision == "main":
            how = "committed" if self.done else "would commit"
        else:
            number = target.revision.rpartition("/")[2]
            how = f"updated pull request {number}" if self.done else f"would update pull request {number}"
        return f"{target.repo_id}: {how}" + (f", {self.url}" if self.url else "")


def find_target(api: HfApi, repo_id: str, kind: str, *, title: str, user: HubUser, direct: bool) -> Target:
    """The target of a change: the main branch, the user's own open pull request of this title, or a new one.

    Raises:
        HubError: the repo does not exist, is of another kind, the user may not commit to it, or the Hub cannot be
            reached.
    """
    with hub_errors(api):
        try:
            main = api.repo_info(repo_id, repo_type=kind).sha
        except GatedRepoError:
            raise
        except RepositoryNotFoundError as error:
            others = [other for other in ("model", "dataset", "space") if other != kind]
            if found := next((other for other in others if api.repo_exists(repo_id, repo_type=other)), None):
                raise HubError(f"{repo_id} must be a {kind} on the Hub (got a {found})") from error
            raise HubError(
                f"the {kind} {repo_id} does not exist on the Hub, or the token has no access to it"
            ) from error
        if direct and repo_id.partition("/")[0] not in user.names:
            raise HubError(f"{user.names[0]} may not commit to {repo_id}: {_NEEDS_NO_RIGHT}")
        own = None if direct else _own_pull_request(api, repo_id, kind, title, user.names[0])
        if own is None:
            return Target(repo_id, kind, "main", str(main), new_pull_request=not direct)
        revision = f"refs/pr/{own.num}"
        commit = api.repo_info(repo_id, repo_type=kind, revision=revision).sha
    return Target(repo_id, kind, revision, str(commit), new_pull_request=False)


def offline_proposal(repo_id: str, kind: str, files: Mapping[str, str], reason: Exception) -> Proposal:
    """The proposal of a dry run that cannot reach the Hub: all files as new ones.

    Args:
        repo_id: of the repo.
        kind: "model" or "dataset".
        files: path to content.
        reason: why the Hub cannot be reached.
    """
    diff = "".join(_diff(path, "", new) for path, new in files.items())
    return Proposal(Target(repo_id, kind, "main", "", new_pull_request=True), diff, done=False, unchecked=str(reason))


def read_text(api: HfApi, target: Target, path: str) -> str:
    """A file at the target's commit; empty if it does not exist.

    Raises:
        HubError: it cannot be read.
    """
    with hub_errors(api):
        try:
            local = api.hf_hub_download(target.repo_id, path, repo_type=target.kind, revision=target.commit)
        except RemoteEntryNotFoundError:
            return ""
    try:
        if os.path.getsize(local) > MAX_BYTES:
            raise HubError(f"{path} of {target.repo_id} must have at most {MAX_BYTES:,} bytes")
        with open(local, encoding="utf-8") as file:
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise HubError(f"{path} of {target.repo_id} cannot be read as text ({error})") from error


def propose(
    api: HfApi,
    target: Target,
    files: Mapping[str, tuple[str, str | None]],
    *,
    title: str,
    description: str,
    dry_run: bool = False,
) -> Proposal:
    """Carry a change out.

    Args:
        api: with a token.
        target: made with `find_target`.
        files: path to the present and the new content; None to delete the file.
        title: of the commit and of a new pull request.
        description: of them.
        dry_run: change nothing.

    Raises:
        HubError: the Hub cannot be reached or refuses, or the target has changed since it was read.
    """
    changes = {path: pair for path, pair in files.items() if pair[0] != (pair[1] or "")}
    diff = "".join(_diff(path, old, new) for path, (old, new) in changes.items())
    if dry_run or not diff:
        return Proposal(target, diff, done=False)
    operations = [
        CommitOperationDelete(path) if new is None else CommitOperationAdd(path, new.encode())
        for path, (_, new) in changes.items()
    ]
    is_direct = target.revision == "main" and not target.new_pull_request
    advice = (
        _NEEDS_NO_RIGHT
        if is_direct
        else f"a token that may only read opens no pull request, make another at {TOKENS_PAGE}"
    )
    with hub_errors(api, advice):
        commit = api.create_commit(
            target.repo_id,
            operations,
            commit_message=title,
            commit_description=description,
            repo_type=target.kind,
            revision=target.revision,
            create_pr=target.new_pull_request,
            parent_commit=target.commit,
        )
    return Proposal(target, diff, done=True, url=commit.pr_url or str(commit.commit_url))


def _own_pull_request(api: HfApi, repo_id: str, kind: str, title: str, user: str) -> Discussion | None:
    found = api.get_repo_discussions(repo_id, repo_type=kind, author=user, discussion_type="pull_request")
    own = [d for d in found if d.title == title and d.author == user and d.is_pull_request and d.status in OPEN]
    return max(own, key=lambda discussion: discussion.num, default=None)


def _diff(path: str, old: str, new: str | None) -> str:
    before = f"a/{path}" if old else "/dev/null"
    after = "/dev/null" if new is None else f"b/{path}"
    lines = difflib.unified_diff(old.splitlines(), (new or "").splitlines(), before, after, lineterm="")
    return "".join(f"{line}\n" for line in lines)
