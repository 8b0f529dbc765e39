"""The content of the Hub repos of this project: the files of their folders, and data."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from opens2v_hf._util.argument_types import checked
from opens2v_hf._version import __version__
from opens2v_hf.data.benchmark.publish import write_parquet
from opens2v_hf.data.opens2v5m.shards.convert import INDEX_FOLDER, MANIFEST, REJECTED
from opens2v_hf.errors import ArgumentError, ResultError
from opens2v_hf.hub.dataset_card import THIS_REPO, card_of, read_manifest
from opens2v_hf.hub.eval_yaml import FILE as EVAL_YAML
from opens2v_hf.hub.eval_yaml import check_eval_yaml
from opens2v_hf.hub.folders import hub_folder, kind_folders

EVAL = "opens2v-eval"
TRAIN = "opens2v-5m"
RESULTS = "opens2v-results"
CARD = "README.md"

REQUIREMENTS = "requirements.txt"

_UNPINNED = re.compile(r"^opens2v-hf(?:\[[\w,-]+\])?(?=[ \t]*(?:#.*)?$)", re.MULTILINE)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_LAYOUT_FOLDER = re.compile(r"/(?:regular|Jsons|cross-frames-pairs|gpt-frames-pairs)(?:/|$)")
_SPACE_PREFIX = "opens2v-"
"""Prefix of the repos of `spaces/`, whose folder names are too short for an organisation."""


@dataclass(frozen=True)
class RepoContent:
    """The content of a repo."""

    repo_id: str  # "org/name"
    kind: Literal["dataset", "space"]  # of the repo
    files: Mapping[str, Path | bytes]  # path in the repo to the local file, or to its bytes
    owned: tuple[str, ...] = ()  # folders of the repo from which other files are deleted


def repo_names() -> dict[str, tuple[str, str]]:
    """Name of each repo to the kind and name of its folder, datasets first."""
    names: dict[str, tuple[str, str]] = {}
    for kind in ("dataset_scripts", "metrics", "spaces"):
        found = {folder.name for root in kind_folders(kind) for folder in root.iterdir() if (folder / CARD).is_file()}
        for name in sorted(found):
            names[_SPACE_PREFIX + name if kind == "spaces" else name] = (kind, name)
    return names


@checked
def contents(
    org: str,
    work: Path,
    *,
    only: Sequence[str] | None = None,
    eval_source: str | None = None,
    converted: Path | None = None,
) -> tuple[list[RepoContent], list[str]]:
    """The content of all repos.

    Args:
        org: user or organisation.
        work: an empty folder for generated files, which are uploaded from there.
        only: names of repos, None for all.
        eval_source: folder or hf:// URL of the benchmark in its released layout, which is converted to Parquet.
        converted: the output of a finished `opens2v convert`.

    Returns:
        The repos, and a sentence for each that is left out.

    Raises:
        ArgumentError: a name is unknown.
        ResultError: the conversion is not finished, or its shards have addresses of local files.
        SampleError: the benchmark is not found.
    """
    names = repo_names()
    if not _NAME.fullmatch(org):
        raise ArgumentError(f"org must be the name of a user or organisation (got {org!r})")
    if unknown := [name for name in only or () if name not in names]:
        raise ArgumentError(f"repos must be among {', '.join(names)} (got {unknown[0]!r})")
    repos, left_out = [], []
    for name in names if only is None else only:
        kind, folder_name = names[name]
        folder = hub_folder(kind, folder_name)
        repo_id = f"{org}/{name}"
        if kind != "dataset_scripts":
            repos.append(RepoContent(repo_id, "space", _with_pinned_package(_files_of(folder))))
        elif name == RESULTS:
            # owns no folder, so submissions of others are not deleted
            repos.append(RepoContent(repo_id, "dataset", _with_repo_id(_files_of(folder), repo_id)))
        elif name == EVAL and eval_source is not None:
            repos.append(_eval_content(repo_id, folder, eval_source, work / name))
        elif name == TRAIN and converted is not None:
            repos.append(_train_content(repo_id, folder, converted))
        else:
            argument = "eval_source" if name == EVAL else "converted"
            left_out.append(f"{repo_id} is left out: `{argument}=` is not given")
    return repos, left_out


def _eval_content(repo_id: str, folder: Path, source: str, work: Path) -> RepoContent:
    check_eval_yaml((folder / EVAL_YAML).read_text("utf-8"))
    write_parquet(source, work)
    return RepoContent(repo_id, "dataset", _with_repo_id(_files_of(folder), repo_id) | _files_of(work), ("data",))


def _train_content(repo_id: str, folder: Path, converted: Path) -> RepoContent:
    manifest = read_manifest(converted)
    local = "://" not in manifest["source"]
    if local and manifest["videos"] == "reference":
        raise ResultError(
            f"the shards in {converted} have addresses of local files in {manifest['source']}; convert "
            "again, as by `opens2v convert ... --url-base hf://datasets/BestWishYsh/OpenS2V-5M`"
        )
    files = _files_of(folder)
    card = card_of((folder / CARD).read_text("utf-8"), converted, repo_id)
    files |= {shard["path"]: converted / shard["path"] for shard in manifest["shards"]}
    files |= {f"{INDEX_FOLDER}/{path}": file for path, file in _files_of(converted / INDEX_FOLDER).items()}
    files[CARD] = card.encode()
    files[MANIFEST] = _as_json({**manifest, "source": None} if local else manifest)
    files[REJECTED] = _without_folders(converted / REJECTED)
    return RepoContent(repo_id, "dataset", files, ("data", INDEX_FOLDER))


def _files_of(folder: Path) -> dict[str, Path | bytes]:
    """The files of a folder by their paths within, hidden ones and caches left out."""
    files: dict[str, Path | bytes] = {}
    if folder.is_dir():
        for root, folders, names in os.walk(folder):
            folders[:] = sorted(name for name in folders if name != "__pycache__" and not name.startswith("."))
            for name in sorted(names):
                if not name.startswith("."):
                    path = Path(root, name)
                    files[str(PurePosixPath(*path.relative_to(folder).parts))] = path
    return files


def _with_pinned_package(files: dict[str, Path | bytes]) -> dict[str, Path | bytes]:
    """A Space's files, with this version of the package in its requirements, whenever the Space is built."""
    requirements = files[REQUIREMENTS]
    if isinstance(requirements, Path):
        pinned = _UNPINNED.sub(rf"\g<0>=={__version__}", requirements.read_text("utf-8"))
        files[REQUIREMENTS] = pinned.encode()
    return files


def _with_repo_id(files: dict[str, Path | bytes], repo_id: str) -> dict[str, Path | bytes]:
    card = files[CARD]
    if isinstance(card, Path):
        files[CARD] = card.read_text("utf-8").replace(THIS_REPO, repo_id).encode()
    return files


def _without_folders(rejected: Path) -> bytes:
    """The list of rejected records, without paths of this machine."""
    entries = [json.loads(line) for line in rejected.read_text("utf-8").splitlines()]
    for entry in entries:
        if "://" not in entry["source"]:
            root = _LAYOUT_FOLDER.split(entry["source"])[0]
            entry["source"] = entry["source"].removeprefix(f"{root}/")
            entry["reason"] = entry["reason"].replace(f"{root}/", "")
    return "".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in entries).encode()


def _as_json(content: Mapping[str, object]) -> bytes:
    return (json.dumps(content, ensure_ascii=False, indent=1) + "\n").encode()
