"""Publish repos on the Hub: compare with the present content, describe the plan, carry it out.

A repo changes in one commit, so that no reader sees a mixture of old and new. Large files are uploaded before the
commit; a stopped run resumes after the uploaded ones.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, RepoFile
from huggingface_hub.errors import RepositoryNotFoundError
from huggingface_hub.utils.sha import git_hash, sha_fileobj
from tqdm import tqdm

from opens2v_hf._util.argument_types import checked
from opens2v_hf.errors import HubError
from opens2v_hf.hub.client import hub_errors, who_may_write

if TYPE_CHECKING:
    from opens2v_hf.hub.repo_content import RepoContent

SPACE_SDK = "gradio"

FILES_AT_A_TIME = 32
"""Large files per upload, the most that a stopped run loses."""


@dataclass(frozen=True)
class RepoPlan:
    """The changes to a repo."""

    content: RepoContent  # the content
    commit: str | None  # with which it was compared; None if the repo does not exist
    added: tuple[str, ...]  # paths of new files
    changed: tuple[str, ...]  # paths of files with another content
    deleted: tuple[str, ...]  # paths of files to delete
    unchanged: int  # number of files without a change
    num_bytes: int  # to upload

    @property
    def is_done(self) -> bool:
        """Whether there is no change."""
        return self.commit is not None and not (self.added or self.changed or self.deleted)

    def describe(self) -> str:
        """The changes, in one line."""
        name = f"{self.content.kind} {self.content.repo_id}"
        if self.is_done:
            return f"{name}: up to date, {self.unchanged} files"
        counts = (("add", self.added), ("change", self.changed), ("delete", self.deleted))
        parts = [f"{verb} {len(paths)}" for verb, paths in counts if paths]
        action = "create" if self.commit is None else "update"
        size = tqdm.format_sizeof(self.num_bytes, "B")
        return f"{name}: {action}; {', '.join(parts)} files, {size}; {self.unchanged} unchanged"


@checked
def check_access(api: HfApi, org: str) -> None:
    """Check that the token may write for the organisation.

    Raises:
        HubError: the token is missing, invalid, a read token, or of a user outside of the organisation.
    """
    user = who_may_write(api, "publishing needs a token that may write")
    if org not in user.names:
        owner, names = user.names[0], ", ".join(user.names)
        raise HubError(f"the token is of {owner}, who cannot publish for {org!r}, only for {names}")


@checked
def plan(api: HfApi, repos: Sequence[RepoContent]) -> list[RepoPlan]:
    """Compare repos with the Hub; changes nothing.

    Raises:
        HubError: the Hub cannot be reached or refuses.
    """
    return [_plan(api, content) for content in repos]


@checked
def publish(
    api: HfApi, plans: Sequence[RepoPlan], *, private: bool = False, report: Callable[[str], None] = print
) -> None:
    """Carry out the plans, repo by repo.

    Args:
        api: with a token that may write.
        plans: made with `plan`.
        private: whether created repos are private.
        report: called with a line about each step.

    Raises:
        HubError: the Hub cannot be reached or refuses, or a repo has changed since it was planned. Finished
            repos stay; a call with a new plan resumes.
    """
    for entry in plans:
        if not entry.is_done:
            _publish(api, entry, private, report)


def _plan(api: HfApi, content: RepoContent) -> RepoPlan:
    commit, remote = None, {}
    with hub_errors(api):
        try:
            commit = api.repo_info(content.repo_id, repo_type=content.kind).sha
            tree = api.list_repo_tree(content.repo_id, repo_type=content.kind, revision=commit, recursive=True)
            remote = {entry.path: entry for entry in tree if isinstance(entry, RepoFile)}
        except RepositoryNotFoundError:
            commit = None
    added, changed = [], []
    for path, source in content.files.items():
        if path not in remote:
            added.append(path)
        elif not _is_same(source, remote[path]):
            changed.append(path)
    owned = tuple(f"{folder}/" for folder in content.owned)
    deleted = [path for path in remote if path not in content.files and path.startswith(owned)] if owned else []
    return RepoPlan(
        content,
        commit,
        tuple(added),
        tuple(changed),
        tuple(sorted(deleted)),
        unchanged=len(content.files) - len(added) - len(changed),
        num_bytes=sum(_size(content.files[path]) for path in (*added, *changed)),
    )


def _publish(api: HfApi, entry: RepoPlan, private: bool, report: Callable[[str], None]) -> None:
    repo_id, kind = entry.content.repo_id, entry.content.kind
    paths = (*entry.added, *entry.changed)
    additions = [CommitOperationAdd(path, entry.content.files[path]) for path in paths]
    with hub_errors(api):
        if entry.commit is None:
            sdk = SPACE_SDK if kind == "space" else None
            api.create_repo(repo_id, repo_type=kind, private=private, exist_ok=True, space_sdk=sdk)
        for start in range(0, len(additions), FILES_AT_A_TIME):
            # uploads the large files, and skips the uploaded ones; the small ones are part of the commit
            api.preupload_lfs_files(repo_id, additions[start : start + FILES_AT_A_TIME], repo_type=kind)
            report(f"{repo_id}: {min(start + FILES_AT_A_TIME, len(additions))} of {len(additions)} files")
        commit = api.create_commit(
            repo_id,
            [*additions, *(CommitOperationDelete(path) for path in entry.deleted)],
            commit_message="Publish with opens2v-hf",
            repo_type=kind,
            parent_commit=entry.commit,
        )
    report(f"{repo_id}: published as {commit.oid[:12]}")


def _is_same(source: Path | bytes, remote: RepoFile) -> bool:
    if _size(source) != remote.size:
        return False
    if remote.lfs is None:
        return git_hash(source if isinstance(source, bytes) else source.read_bytes()) == remote.blob_id
    with io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file:
        return sha_fileobj(file).hex() == remote.lfs.sha256


def _size(source: Path | bytes) -> int:
    return len(source) if isinstance(source, bytes) else source.stat().st_size
