"""What the Hub repos of this project hold: the files of their folders, and data beside them."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

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
"""Before the names of `spaces/`, which alone would say little among the repos of an organisation."""


@dataclass(frozen=True)
class RepoContent:
    """What a repo shall hold.

    Attributes:
        repo_id: "org/name".
        kind: of the repo.
        files: path in the repo to the local file, or to its bytes.
        owned: folders of the repo in which there shall be no other files.
    """

    repo_id: str
    kind: Literal["dataset", "space"]
    files: Mapping[str, Path | bytes]
    owned: tuple[str, ...] = ()


def repo_names() -> dict[str, tuple[str, str]]:
    """Name of each repo to the kind and name of its folder, datasets first."""
    names: dict[str, tuple[str, str]] = {}
    for kind in ("dataset_scripts", "metrics", "spaces"):
        found = {folder.name for root in kind_folders(kind) for folder in root.iterdir() if (folder / CARD).is_file()}
        for name in sorted(found):
            names[_SPACE_PREFIX + name if kind == "spaces" else name] = (kind, name)
    return names


def contents(
    org: str,
    work: Path,
    *,
    only: Sequence[str] | None = None,
    eval_source: str | None = None,
    converted: Path | None = None,
) -> tuple[list[RepoContent], list[str]]:
    """What all repos shall hold.

    Args:
        org: user or organisation.
        work: an empty folder for files that are made here; it must stay until they are uploaded.
        only: names of repos, None for all.
        eval_source: folder or hf:// URL of the benchmark in its released layout, which is written as Parquet.
        converted: folder of OpenS2V-5M that `opens2v convert` has finished.

    Returns:
        The repos, and why others are left out, a sentence each.

    Raises:
        ArgumentError: there is no repo of a name.
        ResultError: the conversion has not ended, or its shards point to local files.
        SampleError: the benchmark is not at its place.
    """
    names = repo_names()
    if not _NAME.fullmatch(org):
        raise ArgumentError(f"{org!r} is no name of a user or organisation")
    if unknown := [name for name in only or () if name not in names]:
        raise ArgumentError(f"there is no repo {unknown[0]!r} to publish; there are {', '.join(names)}")
    repos, left_out = [], []
    for name in names if only is None else only:
        kind, folder_name = names[name]
        folder = hub_folder(kind, folder_name)
        repo_id = f"{org}/{name}"
        if kind != "dataset_scripts":
            repos.append(RepoContent(repo_id, "space", _with_pinned_package(_files_of(folder))))
        elif name == RESULTS:
            # No folder of it is owned: what others have submitted since stays.
            repos.append(RepoContent(repo_id, "dataset", _with_repo_id(_files_of(folder), repo_id)))
        elif name == EVAL and eval_source is not None:
            repos.append(_eval_content(repo_id, folder, eval_source, work / name))
        elif name == TRAIN and converted is not None:
            repos.append(_train_content(repo_id, folder, converted))
        else:
            argument = "eval_source" if name == EVAL else "converted"
            left_out.append(f"{repo_id} is left out: `{argument}=` does not say where its data lies")
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
            f"the shards in {converted} point to files below {manifest['source']}, which nobody else has; convert "
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
    """A Space's files, whose requirements name this version of the package.

    Else a Space would run whatever is newest on the day on which it is built.
    """
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
    """The list of records that were left out, without the names of folders of this machine."""
    entries = [json.loads(line) for line in rejected.read_text("utf-8").splitlines()]
    for entry in entries:
        if "://" not in entry["source"]:
            root = _LAYOUT_FOLDER.split(entry["source"])[0]
            entry["source"] = entry["source"].removeprefix(f"{root}/")
            entry["reason"] = entry["reason"].replace(f"{root}/", "")
    return "".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in entries).encode()


def _as_json(content: Mapping[str, object]) -> bytes:
    return (json.dumps(content, ensure_ascii=False, indent=1) + "\n").encode()
