"""Finding the videos of a model: in a folder, or in a dataset repo on the Hub."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath

from opens2v_hf._util.text import as_line
from opens2v_hf.errors import ArgumentError
from opens2v_hf.evaluation.video_names import explain_no_match, files_below, is_video_name, model_name

_MOST_DEEPER = 2000
"""Largest number of files in subfolders that are searched for a hint."""

_REPO_ID = re.compile(r"[\w.-]+/[\w.-]+")
_IN_REPO = re.compile(r"hf://datasets/(?P<repo_id>[\w.-]+/[\w.-]+)(?:/(?P<folder>.+?))?/*")


@dataclass(frozen=True)
class FoundVideos:
    """The videos of a model that match a split's ids.

    Attributes:
        source: the name of the folder as a printable line, or "hf://datasets/<repo>@<revision>[/<folder>]".
        fetch: sample id to a function that returns the local file; it downloads a Hub file.
        file_names: sample id to name in the folder or repo.
        missing: ids without a video, in the order of the split.
        unknown: files that match no id.
        not_searched: some files in subfolders, if they are not searched and ids are missing.
    """

    source: str
    fetch: dict[str, Callable[[], Path]]
    file_names: dict[str, str]
    missing: tuple[str, ...]
    unknown: tuple[str, ...]
    not_searched: tuple[str, ...] = ()

    @property
    def is_remote(self) -> bool:
        """Whether `fetch` downloads."""
        return self.source.startswith("hf://")

    def only(self, ids: Collection[str], missing: Iterable[str]) -> FoundVideos:
        """The videos of some ids; `missing` are those without one."""
        return replace(
            self,
            fetch={sample_id: fetch for sample_id, fetch in self.fetch.items() if sample_id in ids},
            file_names={sample_id: name for sample_id, name in self.file_names.items() if sample_id in ids},
            missing=tuple(dict.fromkeys(missing)),
        )


def find_videos(
    videos: str, ids: Iterable[str], *, revision: str | None = None, recursive: bool = False
) -> FoundVideos:
    """Match the files of a folder or of a Hub dataset repo with sample ids by their stem (`<id>.mp4`).

    Args:
        videos: a folder, the id of a dataset repo on the Hub ("org/name"), or a folder in one
            ("hf://datasets/org/name/folder"); an existing folder has precedence.
        ids: of the split, in its order.
        revision: of the Hub repo.
        recursive: search the subfolders of a folder as well; those of a repo are always searched.

    Raises:
        ArgumentError: neither a folder nor a readable repo; no file of the split; two files for one id.
    """
    if os.path.isdir(videos):  # unlike Path.is_dir, it does not raise for a name that is too long
        return _in_folder(Path(videos), list(ids), recursive=recursive)
    if os.path.exists(videos):
        raise ArgumentError(f"{videos} is a file; give the folder that holds the videos, one <id>.mp4 for each sample")
    if _REPO_ID.fullmatch(videos):
        return _in_repo(videos, list(ids), revision)
    if address := _IN_REPO.fullmatch(videos):
        return _in_repo(address["repo_id"], list(ids), revision, folder=address["folder"] or "")
    raise ArgumentError(
        f"there is no folder {videos}; give a folder of <id>.mp4 files, a Hub dataset repo such as org/name, or a "
        "folder in one such as hf://datasets/org/name/folder"
    )


def name_of_maker(videos: str, found: FoundVideos) -> str | None:
    """The name of the model from the path of its videos, as a printable line; None if the path is generic."""
    name = Path(videos).name if found.is_remote else model_name(os.path.realpath(videos))
    return None if name is None else as_line(name)


def _in_folder(folder: Path, ids: list[str], *, recursive: bool) -> FoundVideos:
    try:
        names = sorted(path.name for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    except OSError as error:
        raise ArgumentError(f"cannot list the folder {folder}: {error.strerror}") from error
    names += files_below(folder) if recursive else []
    files, missing, unknown = _match(names, ids, str(folder))
    deeper = files_below(folder, most=_MOST_DEEPER) if missing and not recursive else []
    if not files:
        raise ArgumentError(explain_no_match(str(folder), names, deeper, ids))
    return FoundVideos(
        source=as_line(Path(os.path.realpath(folder)).name),
        fetch={sample_id: partial(Path, folder / name) for sample_id, name in files.items()},
        file_names=files,
        missing=missing,
        unknown=unknown,
        not_searched=tuple(filter(is_video_name, deeper)),
    )


def _in_repo(repo_id: str, ids: list[str], revision: str | None, *, folder: str = "") -> FoundVideos:
    from huggingface_hub import HfApi, hf_hub_download
    from huggingface_hub.errors import HTTPError, OfflineModeIsEnabled, RepositoryNotFoundError

    try:
        try:
            info = HfApi().dataset_info(repo_id, revision=revision)
        except RepositoryNotFoundError:
            if not HfApi().repo_exists(repo_id):
                raise
            raise ArgumentError(
                f"{repo_id} is a model on the Hub and no dataset of videos; to make its videos and score them give "
                f"`model={repo_id}`"
            ) from None
    except (HTTPError, OfflineModeIsEnabled, OSError) as error:
        raise ArgumentError(
            f"there is no folder {repo_id}, and the Hub dataset repo of that name cannot be listed: {error}"
        ) from error
    inside = f"{folder}/" if folder else ""
    where = f"{repo_id}/{folder}" if folder else repo_id
    listed = sorted(s.rfilename for s in info.siblings or [] if s.rfilename.startswith(inside))
    files, missing, unknown = _match([name for name in listed if is_video_name(name)], ids, where)
    if not files:
        raise ArgumentError(explain_no_match(where, [name for name in listed if name[0] != "."], [], ids))

    def download(name: str) -> Callable[[], Path]:
        return lambda: Path(hf_hub_download(repo_id, name, repo_type="dataset", revision=info.sha))

    return FoundVideos(
        source=f"hf://datasets/{repo_id}@{info.sha}" + (f"/{folder}" if folder else ""),
        fetch={sample_id: download(name) for sample_id, name in files.items()},
        file_names=files,
        missing=missing,
        unknown=unknown,
    )


def _match(names: list[str], ids: list[str], where: str) -> tuple[dict[str, str], tuple[str, ...], tuple[str, ...]]:
    """File name of each id in the order of the split, ids without a file, files without an id."""
    known = set(ids)
    records = {
        "generation.json",
        *(str(PurePosixPath(name).with_suffix(".json")) for name in names if is_video_name(name)),
    }
    by_id: dict[str, str] = {}
    unknown = []
    for name in names:
        stem = PurePosixPath(name).stem
        if name in records:
            continue  # records that `opens2v generate` writes with its videos
        if stem not in known or not is_video_name(name):
            # a name may hold bytes that are no valid text
            unknown.append(name.encode("utf-8", "replace").decode())
        elif stem in by_id:
            raise ArgumentError(f"{where} holds two videos of {stem}: {by_id[stem]} and {name}; remove one")
        else:
            by_id[stem] = name
    ordered = {sample_id: by_id[sample_id] for sample_id in ids if sample_id in by_id}
    return ordered, tuple(sample_id for sample_id in ids if sample_id not in by_id), tuple(unknown)
