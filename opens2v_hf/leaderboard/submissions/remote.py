"""The results dataset on the Hub: its records, and what a pull request would change about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, RepoFile
from tqdm.auto import tqdm

from opens2v_hf.errors import HubError
from opens2v_hf.hub.client import hub_errors

DATA_FOLDER = "data"
"""Of the records in the results dataset."""

_MOST_COMMITS = 1000


@dataclass(frozen=True)
class Changes:
    """Changes of a revision since it left the main branch."""

    added: Mapping[str, int]  # path to size in bytes of the files that are new
    changed: tuple[str, ...]  # paths of files that it changes
    deleted: tuple[str, ...]  # paths of files that it deletes


def download_results(api: HfApi, repo_id: str, revision: str | None = None) -> Path:
    """A local copy of the records of a results dataset; downloaded files are reused.

    Raises:
        HubError: the Hub cannot be reached, or has no such dataset.
    """
    with hub_errors(api):
        folder = api.snapshot_download(
            repo_id,
            repo_type="dataset",
            revision=revision,
            allow_patterns=[f"{DATA_FOLDER}/**/*.json"],
            tqdm_class=_BarInTerminal,
        )
    return Path(folder)


def changes_of(api: HfApi, repo_id: str, revision: str) -> Changes:
    """Changes of a pull request or commit since it left the main branch.

    Raises:
        HubError: the Hub cannot be reached, has no such revision, or it has nothing in common with the main branch.
    """
    with hub_errors(api):
        main = {commit.commit_id for commit in api.list_repo_commits(repo_id, repo_type="dataset")}
        history = islice(api.list_repo_commits(repo_id, repo_type="dataset", revision=revision), _MOST_COMMITS)
        base = next((commit.commit_id for commit in history if commit.commit_id in main), None)
        if base is None:
            raise HubError(f"{revision} of {repo_id} has no commit in common with its main branch; open a new one")
        before, after = _files(api, repo_id, base), _files(api, repo_id, revision)
    return Changes(
        added={path: file.size for path, file in after.items() if path not in before},
        changed=tuple(path for path, file in after.items() if path in before and file.blob_id != before[path].blob_id),
        deleted=tuple(path for path in before if path not in after),
    )


class _BarInTerminal(tqdm):
    """No progress bar without a terminal, since programs read the output of commands."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "disable": kwargs.get("disable") or None})


def _files(api: HfApi, repo_id: str, revision: str) -> dict[str, RepoFile]:
    tree = api.list_repo_tree(repo_id, repo_type="dataset", revision=revision, recursive=True)
    return {entry.path: entry for entry in tree if isinstance(entry, RepoFile)}
