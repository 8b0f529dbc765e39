"""Publishing repos on the Hub: look what is there, say what will be done, do it; done once, nothing is left to do.

A repo changes in one commit, so that nobody reads half of the old and half of the new. Large files are uploaded before
it; a run that was stopped goes on after those that have arrived.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, RepoFile
from huggingface_hub.errors import RepositoryNotFoundError

from opens2v_hf.errors import HubError
from opens2v_hf.hub.client import told, who_may_write

if TYPE_CHECKING:
    from opens2v_hf.hub.repo_content import RepoContent

SPACE_SDK = "gradio"

FILES_AT_A_TIME = 32
"""Large files that are uploaded together: what a run that is stopped loses at most."""

_CHUNK = 1 << 20


@dataclass(frozen=True)
class RepoPlan:
    """What a repo lacks.

    Attributes:
        content: what it shall hold.
        commit: that was looked at; None where there is no such repo yet.
        added: paths of files that it lacks.
        changed: paths of files that it holds in another form.
        deleted: paths of files that it shall not hold.
        unchanged: how many files are as they shall be.
        num_bytes: of the files that are uploaded.
    """

    content: RepoContent
    commit: str | None
    added: tuple[str, ...]
    changed: tuple[str, ...]
    deleted: tuple[str, ...]
    unchanged: int
    num_bytes: int

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to do."""
        return self.commit is not None and not (self.added or self.changed or self.deleted)

    def describe(self) -> str:
        """What will be done, in one line."""
        name = f"{self.content.kind} {self.content.repo_id}"
        if self.is_done:
            return f"{name}: up to date, {self.unchanged} files"
        counts = (("add", self.added), ("change", self.changed), ("delete", self.deleted))
        parts = [f"{verb} {len(paths)}" for verb, paths in counts if paths]
        action = "create" if self.commit is None else "update"
        return f"{name}: {action}; {', '.join(parts)} files, {_readable(self.num_bytes)}; {self.unchanged} stay"


def check_access(api: HfApi, org: str) -> None:
    """Makes sure that there is a token that may write for the organisation.

    Raises:
        HubError: there is none, it is not valid, may only read, or is that of somebody else.
    """
    user = who_may_write(api, "publishing needs a token that may write")
    if org not in user.names:
        owner, names = user.names[0], ", ".join(user.names)
        raise HubError(f"the token is of {owner}, who cannot publish for {org!r}, only for {names}")


def plan(api: HfApi, repos: Sequence[RepoContent]) -> list[RepoPlan]:
    """Looks at what is on the Hub; changes nothing.

    Raises:
        HubError: the Hub cannot be reached or refuses.
    """
    return [_plan(api, content) for content in repos]


def publish(
    api: HfApi, plans: Sequence[RepoPlan], *, private: bool = False, report: Callable[[str], None] = print
) -> None:
    """Does what is planned, repo by repo.

    Args:
        api: with a token that may write.
        plans: made with `plan`.
        private: whether repos that are created are private.
        report: called with a line about each step.

    Raises:
        HubError: the Hub cannot be reached or refuses, or a repo was changed by somebody else since it was looked at.
            What is done stays; calling it again with a new plan goes on.
    """
    for entry in plans:
        if not entry.is_done:
            _publish(api, entry, private, report)


def _plan(api: HfApi, content: RepoContent) -> RepoPlan:
    commit, remote = None, {}
    with told(api):
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
    additions = [CommitOperationAdd(path, _readable_source(entry.content.files[path])) for path in paths]
    with told(api):
        if entry.commit is None:
            sdk = SPACE_SDK if kind == "space" else None
            api.create_repo(repo_id, repo_type=kind, private=private, exist_ok=True, space_sdk=sdk)
        for start in range(0, len(additions), FILES_AT_A_TIME):
            # This uploads the large ones and leaves the small ones to the commit; what has arrived is not sent again.
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
    if remote.lfs is not None:
        return _digest(source, hashlib.sha256()) == remote.lfs.sha256
    blob = hashlib.sha1(f"blob {remote.size}\0".encode(), usedforsecurity=False)  # git's name for a file's content
    return _digest(source, blob) == remote.blob_id


def _digest(source: Path | bytes, digest: Any) -> str:
    if isinstance(source, bytes):
        digest.update(source)
    else:
        with source.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    return digest.hexdigest()


def _size(source: Path | bytes) -> int:
    return len(source) if isinstance(source, bytes) else source.stat().st_size


def _readable_source(source: Path | bytes) -> str | bytes:
    return source if isinstance(source, bytes) else str(source)


def _readable(num_bytes: int) -> str:
    size = float(num_bytes)
    for unit in ("B", "KB", "MB", "GB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB"
