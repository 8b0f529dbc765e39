"""Repos, commits, references and LFS objects, in memory."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


def blob_id(content: bytes) -> str:
    """The id that git gives to a file's content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@dataclass(frozen=True)
class Commit:
    files: Mapping[str, bytes]
    message: str
    parent: str | None


@dataclass
class Discussion:
    """A discussion or pull request."""

    number: int
    title: str
    is_pull_request: bool
    status: str
    description: str = ""
    author: str = "org"

    @property
    def is_open_pull_request(self) -> bool:
        return self.is_pull_request and self.status in ("open", "draft")

    @property
    def ref(self) -> str:
        return f"refs/pr/{self.number}"


def commit_header(payload: bytes) -> dict[str, Any]:
    """The header of a commit request: `summary`, `description`, and `parentCommit` where the client names it."""
    return json.loads(payload.splitlines()[0])["value"]


class Repo:
    def __init__(self, kind: str, repo_id: str, sdk: str | None = None) -> None:
        self.kind, self.id, self.sdk = kind, repo_id, sdk
        self.commits: dict[str, Commit] = {}
        self.refs: dict[str, str] = {}
        self.discussions: dict[int, Discussion] = {}
        self._count = itertools.count()
        self.commit("main", {}, "initial commit")

    def commit(self, ref: str, files: Mapping[str, bytes], message: str, parent: str | None = None) -> str:
        parent = parent or self.refs.get(ref)
        tree = sorted((path, blob_id(content)) for path, content in files.items())
        sha = hashlib.sha1(f"{self.id} {parent} {message} {tree} {next(self._count)}".encode()).hexdigest()
        self.commits[sha] = Commit(dict(files), message, parent)
        self.refs[ref] = sha
        return sha

    def resolve(self, revision: str) -> str | None:
        """The commit of a branch, pull request or commit id."""
        return revision if revision in self.commits else self.refs.get(revision)

    def open_discussion(
        self, title: str, *, is_pull_request: bool, status: str, description: str = "", author: str = "org"
    ) -> Discussion:
        discussion = Discussion(len(self.discussions) + 1, title, is_pull_request, status, description, author)
        self.discussions[discussion.number] = discussion
        return discussion

    def history(self, commit: str | None) -> list[str]:
        """A commit and those before it, newest first."""
        found = []
        while commit is not None:
            found.append(commit)
            commit = self.commits[commit].parent
        return found

    def merge(self, discussion: Discussion) -> None:
        """What the pull request has changed since it left the main branch is changed there; the rest stays."""
        head, main = self.refs[discussion.ref], self.refs["main"]
        on_main = set(self.history(main))
        base = next(commit for commit in self.history(head) if commit in on_main)
        before, after = self.commits[base].files, self.commits[head].files
        files = {
            path: content for path, content in self.commits[main].files.items() if path in after or path not in before
        }
        files |= {path: content for path, content in after.items() if before.get(path) != content}
        discussion.status = "merged"
        self.commit("main", files, f"Merge {discussion.ref}", main)


@dataclass
class Store:
    """Everything the server knows.

    Attributes:
        use_lfs: whether clients must upload large files, Parquet and videos through LFS, as the Hub does.
        requests: method and path of every request, for tests that count them.
    """

    use_lfs: bool = False
    repos: dict[tuple[str, str], Repo] = field(default_factory=dict)
    lfs: dict[str, bytes] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)

    def uploads_through_lfs(self, path: str, num_bytes: int) -> bool:
        return self.use_lfs and (num_bytes > 10_000_000 or path.endswith((".parquet", ".mp4", ".tar", ".npz")))

    def lfs_id(self, content: bytes) -> str | None:
        """The LFS id of a file that was uploaded that way."""
        sha256 = hashlib.sha256(content).hexdigest()
        return sha256 if sha256 in self.lfs else None

    def changed_files(self, files: Mapping[str, bytes], payload: bytes) -> dict[str, bytes]:
        """Apply the body of a commit request (one JSON operation a line) to files."""
        changed = dict(files)
        for line in filter(bytes.strip, payload.splitlines()):
            operation: dict[str, Any] = json.loads(line)
            value = operation["value"]
            match operation["key"]:
                case "file":
                    changed[value["path"]] = base64.b64decode(value["content"])
                case "lfsFile":
                    changed[value["path"]] = self.lfs[value["oid"]]
                case "deletedFile":
                    changed.pop(value["path"], None)
                case "deletedFolder":
                    folder = value["path"].rstrip("/") + "/"
                    changed = {path: content for path, content in changed.items() if not path.startswith(folder)}
        return changed
