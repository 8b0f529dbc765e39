"""Evaluation results in model repos (`.eval_results/*.yaml`), and the leaderboards of datasets made of them."""

from __future__ import annotations

import re
from typing import Any

import yaml
from helpers.loopback_hub.store import Repo, Store

_RESULT_FILE = re.compile(r"\.eval_results/[^/]+\.ya?ml")


def eval_results(repo: Repo, commit: str, pull_request: int | None = None) -> list[dict[str, Any]]:
    """Entries of all result files of a commit; a file that is no list of entries is one entry with an `error`."""
    marker = {"pullRequest": pull_request} if pull_request else {}
    found: list[dict[str, Any]] = []
    for path, content in repo.commits[commit].files.items():
        if _RESULT_FILE.fullmatch(path):
            entries = yaml.safe_load(content)
            if isinstance(entries, list) and all(isinstance(entry, dict) for entry in entries):
                found += [{"filename": path, "verified": False, "data": entry, **marker} for entry in entries]
            else:
                found.append({"filename": path, "error": "not a list of evaluation results", **marker})
    return found


def leaderboard(store: Store, dataset_id: str, task_id: str | None) -> list[dict[str, Any]]:
    """Rows of all models, merged results and those of open pull requests, best first."""
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for repo in store.repos.values():
        if repo.kind != "model":
            continue
        results = eval_results(repo, repo.refs["main"])
        for discussion in repo.discussions.values():
            if discussion.is_open_pull_request:
                results += eval_results(repo, repo.refs[discussion.ref], discussion.number)
        for result in results:
            data = result.get("data")
            if data and data["dataset"]["id"] == dataset_id and task_id in (None, data["dataset"]["task_id"]):
                rows.setdefault((repo.id, result["filename"]), _row(repo, result))
    ranked = sorted(rows.values(), key=lambda row: -row["value"])
    return [{**row, "rank": rank} for rank, row in enumerate(ranked, start=1)]


def _row(repo: Repo, result: dict[str, Any]) -> dict[str, Any]:
    data = result["data"]
    owner = repo.id.split("/")[0]
    return {
        "modelId": repo.id,
        "value": data["value"],
        "filename": result["filename"],
        "verified": False,
        "source": data.get("source"),
        "author": {"type": "user", "name": owner, "fullname": owner, "avatarUrl": "", "isPro": False},
        "notes": data.get("notes"),
        **({"pullRequest": result["pullRequest"]} if "pullRequest" in result else {}),
    }
