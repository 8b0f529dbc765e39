"""The index file of a diffusers repo or folder, read before anything large is downloaded."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opens2v_hf._util.files import visible_files
from opens2v_hf._util.text import reason_of
from opens2v_hf.errors import ModelError

_READ_WHOLE_BYTES = 8 << 20
_SAMPLES = 64
_SAMPLE_BYTES = 64 << 10
_NO_VARIANT = re.compile(r"[^.]+\.safetensors")  # others are "model.fp16.safetensors", "model.fp16-00001-of-00002..."
_NAMES = ("model_index.json", "modular_model_index.json")


@dataclass(frozen=True)
class PipelineIndex:
    """A diffusers pipeline in a Hub repo or a folder.

    Attributes:
        name: Hub id or folder, as the user gave it.
        pipeline_class: that the index file names. Some repos name a class that cannot run their weights.
        revision: commit of a Hub repo; for a folder "sha256:" and a digest of its files, see `_digest`.
        is_local: whether `name` is a folder.
        weight_files: path of each file of weights that the pipeline loads to its size in bytes; None if the Hub does
            not give the sizes.
        components: name to library and class.
    """

    name: str
    pipeline_class: str
    revision: str
    is_local: bool
    weight_files: Mapping[str, int] | None
    components: Mapping[str, tuple[str, str]]

    @property
    def weights_bytes(self) -> int | None:
        """Size of all files of weights; None if it is not known."""
        return None if self.weight_files is None else sum(self.weight_files.values())


def read_index(name: str, revision: str | None = None) -> PipelineIndex:
    """Read the index file of a folder or a Hub repo. Nothing else is downloaded.

    Raises:
        ModelError: there is no such folder or repo, it is gated, the Hub cannot be reached, or it holds no pipeline.
    """
    folder = Path(os.path.expanduser(name))
    if os.path.isdir(folder):  # pathlib raises for a name that is too long
        for each in _NAMES:
            if (folder / each).is_file():
                return _index(
                    name,
                    (folder / each).read_bytes(),
                    revision=_digest(folder),
                    files=_folder_weights(folder),
                    local=True,
                )
        raise ModelError(f"the folder {name!r} holds no diffusers pipeline (neither {' nor '.join(_NAMES)})")
    return _hub_index(name, revision)


def _hub_index(name: str, revision: str | None) -> PipelineIndex:
    from huggingface_hub import HfApi, hf_hub_download
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        for each in _NAMES:
            try:
                path = Path(hf_hub_download(name, each, revision=revision))
            except LocalEntryNotFoundError:
                raise
            except EntryNotFoundError:
                continue
            # the name of the folder in the cache is the commit
            return _index(
                name,
                path.read_bytes(),
                revision=path.parent.name,
                files=_hub_weights(HfApi(), name, revision),
                local=False,
            )
    except GatedRepoError as error:
        raise ModelError(f"{name!r} is gated: accept its terms on its page, then `hf auth login`") from error
    except RevisionNotFoundError as error:
        raise ModelError(f"{name!r} has no revision {revision!r}") from error
    except RepositoryNotFoundError as error:
        hint = "check the id"
        if _is_dataset(name):
            hint = "it is a dataset; to score videos in it, give it without `model=`"
        raise ModelError(f"there is no model {name!r} on the Hub, or it is private: {hint}") from error
    except HFValidationError as error:
        raise ModelError(f"{name!r} must be a folder or a Hub id of the form 'org/name'") from error
    except (LocalEntryNotFoundError, OfflineModeIsEnabled, HfHubHTTPError, OSError) as error:
        raise ModelError(
            f"the Hub cannot be reached for {name!r}, and it is not in the cache: {reason_of(error)}"
        ) from error
    raise ModelError(
        f"{name!r} holds no diffusers pipeline (neither {' nor '.join(_NAMES)}); score it by a Python function, an "
        "HTTP endpoint, or videos that its own code made"
    )


def _is_dataset(name: str) -> bool:
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HTTPError

    try:
        return HfApi().repo_exists(name, repo_type="dataset")
    except (HTTPError, OSError):  # only a hint
        return False


def _index(name: str, content: bytes, *, revision: str, files: Mapping[str, int] | None, local: bool) -> PipelineIndex:
    try:
        index: Any = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"the index file of {name!r} is not JSON: {error}") from error
    pipeline_class = index.get("_class_name") if isinstance(index, dict) else None
    if not isinstance(pipeline_class, str):
        raise ModelError(f"the index file of {name!r} names no pipeline class")
    components = {
        part: (value[0], value[1])
        for part, value in index.items()
        if isinstance(value, list) and len(value) >= 2 and all(isinstance(word, str) for word in value[:2])
    }
    if files is not None:
        # a pipeline loads the files in the folders of its components; files in the root have another format
        files = {path: size for path, size in files.items() if _is_loaded(path, components)}
    return PipelineIndex(name, pipeline_class, revision, local, files, components)


def _is_loaded(path: str, components: Mapping[str, object]) -> bool:
    folder, _, name = path.rpartition("/")
    return bool(folder) and (folder in components or not components) and _NO_VARIANT.fullmatch(name) is not None


def _digest(folder: Path) -> str:
    """Digest of names, sizes and content of a folder's files; of large files only samples are read.

    To read tens of gigabytes takes minutes. Other weights of the same shapes, e.g. of a later training step, differ
    everywhere, and so in the samples.
    """
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        inside = path.relative_to(folder)
        if any(part.startswith(".") for part in inside.parts):
            continue
        size = path.stat().st_size
        digest.update(f"{inside.as_posix()}\0{size}\0".encode("utf-8", "surrogateescape"))
        with path.open("rb") as file:
            if size <= _READ_WHOLE_BYTES:
                digest.update(file.read())
                continue
            for step in range(_SAMPLES):
                file.seek(step * (size - _SAMPLE_BYTES) // (_SAMPLES - 1))
                digest.update(file.read(_SAMPLE_BYTES))
    return f"sha256:{digest.hexdigest()}"


def _folder_weights(folder: Path) -> dict[str, int]:
    return {
        path.relative_to(folder).as_posix(): path.stat().st_size for path in visible_files(folder, "*/*.safetensors")
    }


def _hub_weights(api: Any, name: str, revision: str | None) -> dict[str, int] | None:
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    try:
        siblings = api.model_info(name, revision=revision, files_metadata=True).siblings or []
    except (HfHubHTTPError, OfflineModeIsEnabled, OSError):
        return None  # the Hub is not reachable and the index file is cached; the sizes are only for the plan
    sizes = {file.rfilename: file.size for file in siblings if file.rfilename.endswith(".safetensors")}
    return None if None in sizes.values() else sizes
