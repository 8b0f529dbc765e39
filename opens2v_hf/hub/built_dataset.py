"""Push a dataset of `opens2v build` to the Hub."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from huggingface_hub import HfApi

from opens2v_hf._util.argument_types import checked
from opens2v_hf._util.files import visible_files
from opens2v_hf._util.repo_id import check_repo_id
from opens2v_hf.data.opens2v5m.shards.verify import BUILD_MANIFEST
from opens2v_hf.errors import ResultError
from opens2v_hf.hub.client import who_may_write
from opens2v_hf.hub.publish import RepoPlan, plan, publish
from opens2v_hf.hub.repo_content import RepoContent

CARD = "README.md"
THIS_REPO = "<this repo>"


@checked
def push_dataset(
    folder: Path,
    repo_id: str,
    *,
    private: bool = False,
    dry_run: bool = False,
    api: HfApi | None = None,
    report: Callable[[str], None] = print,
) -> RepoPlan:
    """Upload the shards, vectors, manifest and card of a dataset; unchanged files are skipped.

    Args:
        folder: of the dataset.
        repo_id: of the dataset's repo, "org/name"; created if missing.
        private: whether a created repo is private.
        dry_run: change nothing; the plan is returned.
        api: with a token; the saved one by default.
        report: called with a line about each step.

    Raises:
        ArgumentError: `repo_id` is malformed.
        ResultError: the build is not finished, or no clip remained.
        HubError: the token is missing or may not write, or the Hub cannot be reached. The same call resumes.
    """
    check_repo_id(repo_id, "the repo of the dataset")
    if not (folder / BUILD_MANIFEST).is_file() or not (folder / CARD).is_file():
        raise ResultError(f"{folder} must be a finished dataset; run `opens2v build` to its end first")
    files: dict[str, Path | bytes] = {
        path.relative_to(folder).as_posix(): path
        for part in ("data", "vectors")
        for path in visible_files(folder / part, "**/*")
        if path.is_file()
    }
    if not any(name.startswith("data/regular/") for name in files):
        raise ResultError(f"{folder} holds no clip; build it with other options or models, then push it")
    files[BUILD_MANIFEST] = folder / BUILD_MANIFEST
    files[CARD] = (folder / CARD).read_text("utf-8").replace(THIS_REPO, repo_id).encode()
    api = api or HfApi()
    who_may_write(api)
    planned = plan(api, [RepoContent(repo_id, "dataset", files, owned=("data", "vectors"))])
    if not dry_run:
        publish(api, planned, private=private, report=report)
    return planned[0]
