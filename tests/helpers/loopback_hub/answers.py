"""The Hub's answers as JSON."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from helpers.loopback_hub.evaluations import eval_results
from helpers.loopback_hub.store import Discussion, Repo, Store, blob_id
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

NOW = "2026-01-01T00:00:00.000Z"


def error(code: str, status: int, message: str) -> Response:
    return JSONResponse({"error": message}, status, headers={"X-Error-Code": code, "X-Error-Message": message})


def repo_page(base_url: str, repo: Repo) -> str:
    return f"{base_url}{'' if repo.kind == 'model' else repo.kind + 's/'}{repo.id}"


def repo_info(repo: Repo, commit: str) -> dict[str, Any]:
    files = repo.commits[commit].files
    info: dict[str, Any] = {
        "_id": "0", "id": repo.id, "sha": commit, "author": repo.id.split("/")[0], "private": False, "gated": False,
        "disabled": False, "downloads": 0, "likes": 0, "tags": [], "lastModified": NOW, "createdAt": NOW,
        "siblings": [{"rfilename": p, "size": len(b), "blobId": blob_id(b)} for p, b in files.items()],
    }  # fmt: skip
    if repo.kind == "model":
        info |= {"modelId": repo.id, "evalResults": eval_results(repo, commit)}
    if repo.kind == "space":
        info["sdk"] = repo.sdk
    return info


def file_entry(store: Store, path: str, content: bytes) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "type": "file", "oid": blob_id(content), "size": len(content), "path": path,
        "lastCommit": {"id": "0" * 40, "title": "commit", "date": NOW},
    }  # fmt: skip
    if lfs_id := store.lfs_id(content):
        entry["lfs"] = {"oid": lfs_id, "size": len(content), "pointerSize": 134}
    return entry


def folder_entry(path: str) -> dict[str, Any]:
    return {"type": "directory", "oid": "0" * 40, "size": 0, "path": path}


def tree(store: Store, files: Mapping[str, bytes], folder: str, *, recursive: bool) -> list[dict[str, Any]] | None:
    """Entries below a folder, folders first; None where there is no such folder."""
    prefix = f"{folder}/" if folder else ""
    below = {path: content for path, content in files.items() if path.startswith(prefix)}
    if folder and not below:
        return None
    folders: set[str] = set()
    for path in below:
        parts = path[len(prefix) :].split("/")
        folders.update(prefix + "/".join(parts[:depth]) for depth in range(1, len(parts)))
    entries = [folder_entry(path) for path in sorted(folders)]
    entries += [file_entry(store, path, content) for path, content in sorted(below.items())]
    return [entry for entry in entries if recursive or "/" not in entry["path"][len(prefix) :]]


def discussion_info(repo: Repo, discussion: Discussion) -> dict[str, Any]:
    return {
        "num": discussion.number, "title": discussion.title, "status": discussion.status,
        "author": {"name": discussion.author},
        "isPullRequest": discussion.is_pull_request, "createdAt": NOW, "repo": {"name": repo.id, "type": repo.kind},
    }  # fmt: skip


def discussion_details(repo: Repo, discussion: Discussion) -> dict[str, Any]:
    author = {"name": discussion.author}
    comment = {
        "id": "comment", "type": "comment", "createdAt": NOW, "author": author,
        "data": {
            "edited": False, "hidden": False,
            "latest": {"raw": discussion.description, "updatedAt": NOW, "html": "", "author": author},
        },
    }  # fmt: skip
    return {
        **discussion_info(repo, discussion), "events": [comment], "changes": {"base": "refs/heads/main"},
        "filesWithConflicts": [], "diffUrl": "",
    }  # fmt: skip


def file_content(request: Request, content: bytes, headers: Mapping[str, str]) -> Response:
    """A file, or the range of it that was asked for."""
    headers = {**headers, "Accept-Ranges": "bytes"}
    if request.method == "HEAD":
        return Response(b"", 200, headers={**headers, "Content-Length": str(len(content))})
    wanted = re.fullmatch(r"bytes=(\d*)-(\d*)", request.headers.get("range", ""))
    if wanted is None:
        return Response(content, 200, headers=headers, media_type="application/octet-stream")
    if wanted[1]:
        first, last = int(wanted[1]), min(int(wanted[2] or len(content) - 1), len(content) - 1)
    else:
        first, last = max(len(content) - int(wanted[2]), 0), len(content) - 1
    if first >= len(content):
        return Response(status_code=416, headers={"Content-Range": f"bytes */{len(content)}"})
    headers["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
    return Response(content[first : last + 1], 206, headers=headers, media_type="application/octet-stream")
