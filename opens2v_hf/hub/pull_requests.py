"""Proposing files to a repo: by a pull request, by going on with one of one's own that is still open, or directly."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, Discussion, HfApi
from huggingface_hub.errors import RemoteEntryNotFoundError, RepositoryNotFoundError

from opens2v_hf.errors import HubError
from opens2v_hf.hub.client import TOKENS_PAGE, told

OPEN = ("open", "draft")


@dataclass(frozen=True)
class Target:
    """Where a change goes.

    Attributes:
        repo_id: "org/name".
        kind: "model" or "dataset".
        revision: "main", or "refs/pr/<number>" of one's own open pull request.
        commit: that was read there, and that the change builds on.
        new_pull_request: whether a pull request is to be opened.
    """

    repo_id: str
    kind: str
    revision: str
    commit: str
    new_pull_request: bool


@dataclass(frozen=True)
class Proposal:
    """What was changed, or would be.

    Attributes:
        target: where.
        diff: of the files, unified; empty where nothing is to be changed.
        done: whether it was carried out.
        url: of the pull request or commit; empty where nothing was done.
    """

    target: Target
    diff: str
    done: bool
    url: str = ""

    @property
    def is_needed(self) -> bool:
        """Whether there is anything to change."""
        return bool(self.diff)

    def describe(self) -> str:
        """What was done, in one line."""
        target = self.target
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


def find_target(api: HfApi, repo_id: str, kind: str, *, title: str, user: str, direct: bool) -> Target:
    """Where a change goes: the main branch, the user's own open pull request of this title, or a new one.

    Raises:
        HubError: there is no such repo, or the Hub cannot be reached.
    """
    with told(api):
        try:
            main = api.repo_info(repo_id, repo_type=kind).sha
        except RepositoryNotFoundError as error:
            raise HubError(f"there is no {kind} {repo_id} on the Hub, or the token may not see it") from error
        own = None if direct else _own_pull_request(api, repo_id, kind, title, user)
        if own is None:
            return Target(repo_id, kind, "main", str(main), new_pull_request=not direct)
        revision = f"refs/pr/{own.num}"
        commit = api.repo_info(repo_id, repo_type=kind, revision=revision).sha
    return Target(repo_id, kind, revision, str(commit), new_pull_request=False)


def read_text(api: HfApi, target: Target, path: str) -> str:
    """A file at the target's commit; empty where there is none.

    Raises:
        HubError: it cannot be read.
    """
    with told(api):
        try:
            local = api.hf_hub_download(target.repo_id, path, repo_type=target.kind, revision=target.commit)
        except RemoteEntryNotFoundError:
            return ""
    try:
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
        files: path to its present content and the one it shall have; None for a file that shall go.
        title: of the commit and of a new pull request.
        description: of them.
        dry_run: change nothing.

    Raises:
        HubError: the Hub cannot be reached or refuses, or somebody else has changed the target since it was read.
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
        "a pull request needs no right to write to the repo: leave `direct=True` out"
        if is_direct
        else f"a token that may only read opens no pull request, make another at {TOKENS_PAGE}"
    )
    with told(api, advice):
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
