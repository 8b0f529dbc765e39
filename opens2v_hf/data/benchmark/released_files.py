"""Files of a dataset in its released layout, in a local folder or in a Hub dataset repo, behind one interface."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import datasets
from datasets.utils import tqdm
from huggingface_hub import HfApi, constants, hf_hub_download, parse_hf_uri, try_to_load_from_cache
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HfUriError,
    HTTPError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from tqdm.contrib.concurrent import thread_map

from opens2v_hf._util.argument_types import checked
from opens2v_hf.errors import ArgumentError, SampleError

_DOWNLOADS_AT_ONCE = 8
_PATHS_PER_REQUEST = 100


class ReleasedFiles(Protocol):
    """The folder or repo of the files. Paths are relative, with / between their parts."""

    @property
    def where(self) -> str:
        """For messages: the folder, or the repo with its revision."""
        ...

    def fetch(self, path: str) -> Path:
        """A local copy of one file; raises SampleError, with the reason, where it cannot be had."""
        ...

    def fetch_all(self, paths: Sequence[str]) -> None:
        """Make sure that `fetch` of any of these paths needs no network."""
        ...

    def missing(self, paths: Sequence[str]) -> list[str]:
        """The missing ones among the paths."""
        ...

    def fingerprint(self, paths: Sequence[str]) -> str:
        """Changes whenever the location or the content of one of these files may have changed."""
        ...


@checked
def released_files(location: str, *, revision: str | None = None, token: str | bool | None = None) -> ReleasedFiles:
    """Open a folder or a Hub repo.

    Args:
        location: a folder, or "hf://datasets/<org>/<name>[@<revision>][/<folder>]".
        revision: of a Hub repo.
        token: for a private Hub repo.

    Raises:
        ArgumentError: the location is neither, or names another revision.
        SampleError: there is no such folder.
    """
    location = os.fspath(location)
    if "://" not in location:
        if revision is not None:
            raise ArgumentError(f"a revision belongs to a Hub repo, not to a folder (got {revision=} for {location!r})")
        folder = Path(os.path.expanduser(location)).absolute()
        if not os.path.isdir(folder):  # unlike `Path.is_dir`, it takes names that no system has
            raise SampleError(f"there is no folder {folder}; give the one that holds the prompt files")
        return LocalFolder(folder)
    try:
        uri = parse_hf_uri(location)
    except HfUriError as error:
        raise ArgumentError(f"{location!r} is neither a folder nor an hf:// URL of a dataset repo: {error}") from error
    if uri.type != "dataset":
        raise ArgumentError(f"{location!r} is a {uri.type}; expected hf://datasets/<org>/<name>")
    if revision is not None and uri.revision not in (None, revision):
        raise ArgumentError(f"two revisions are given: {revision!r}, and {uri.revision!r} in {location!r}")
    return HubFolder(uri.id, revision or uri.revision, uri.path_in_repo.strip("/"), token)


@dataclass(frozen=True)
class LocalFolder:
    """Files below a local folder."""

    folder: Path

    @property
    def where(self) -> str:  # noqa: D102
        return str(self.folder)

    def fetch(self, path: str) -> Path:  # noqa: D102
        file = self.folder / path
        if not os.path.isfile(file):  # unlike `Path.is_file`, it takes names that no system has
            raise SampleError(f"{file} is missing")
        return file

    def fetch_all(self, paths: Sequence[str]) -> None:
        """Does nothing: local files need no download."""

    def missing(self, paths: Sequence[str]) -> list[str]:  # noqa: D102
        return [path for path in paths if not os.path.isfile(self.folder / path)]

    def fingerprint(self, paths: Sequence[str]) -> str:
        """A hash of the folder's path and of the size and time of change of each file."""
        digest = hashlib.sha256(os.fsencode(self.folder))
        for path in paths:
            file = self.folder / path
            stat = file.stat() if os.path.isfile(file) else None
            digest.update(f"\n{path} {stat and (stat.st_size, stat.st_mtime_ns)}".encode(errors="surrogateescape"))
        return digest.hexdigest()


@dataclass(frozen=True)
class HubFolder:
    """Files in a Hub dataset repo, read through the Hub client's cache, so that what was read once works offline.

    Attributes:
        repo_id: "<org>/<name>".
        revision: branch, tag, pull request or commit; None for the main branch.
        folder: inside the repo; empty for its root.
        token: see `huggingface_hub`.
    """

    repo_id: str
    revision: str | None = None
    folder: str = ""
    token: str | bool | None = None

    @property
    def where(self) -> str:  # noqa: D102
        revision = f"@{self.revision}" if self.revision else ""
        return f"hf://datasets/{self.repo_id}{revision}" + (f"/{self.folder}" if self.folder else "")

    def at_commit_of(self, path: str) -> HubFolder:
        """The same folder, fixed at the commit that `path` is now read from, so that all files belong together.

        Raises:
            SampleError: the file cannot be had.
        """
        file = self.fetch(path)
        snapshot = file.parents[len(Path(self._in_repo(path)).parts) - 1]
        return replace(self, revision=snapshot.name)

    def fetch(self, path: str) -> Path:  # noqa: D102
        try:
            return Path(
                hf_hub_download(
                    self.repo_id,
                    self._in_repo(path),
                    repo_type="dataset",
                    revision=self.revision,
                    token=self.token,
                    local_files_only=_offline(),
                )
            )
        except (LocalEntryNotFoundError, OfflineModeIsEnabled) as error:
            raise self._unreachable(path) from error
        except RemoteEntryNotFoundError as error:
            raise SampleError(f"{path} is missing in {self.where}") from error
        except HfHubHTTPError as error:
            raise self._refused(error) from error
        except HTTPError as error:  # no answer at all, of whichever HTTP library the Hub client uses
            raise self._unreachable(path) from error

    def fetch_all(self, paths: Sequence[str]) -> None:
        """Download what is not in the cache, several files at once."""
        absent = [path for path in dict.fromkeys(paths) if not self._cached(path)]
        if absent:
            thread_map(
                self.fetch, absent, max_workers=_DOWNLOADS_AT_ONCE, tqdm_class=tqdm, desc=f"Files of {self.repo_id}"
            )

    def missing(self, paths: Sequence[str]) -> list[str]:
        """Ask the Hub about the files that are not in the cache."""
        absent = [path for path in dict.fromkeys(paths) if not self._cached(path)]
        if absent and _offline():
            raise self._unreachable(absent[0])
        found: set[str] = set()
        try:
            for start in range(0, len(absent), _PATHS_PER_REQUEST):
                paths_in_repo = [self._in_repo(path) for path in absent[start : start + _PATHS_PER_REQUEST]]
                answer = HfApi(token=self.token).get_paths_info(
                    self.repo_id, paths_in_repo, repo_type="dataset", revision=self.revision
                )
                found.update(entry.path for entry in answer)
        except HfHubHTTPError as error:
            raise self._refused(error) from error
        except (OfflineModeIsEnabled, HTTPError) as error:
            raise self._unreachable(absent[0]) from error
        return [path for path in absent if self._in_repo(path) not in found]

    def fingerprint(self, paths: Sequence[str]) -> str:
        """The commit identifies the content of all files; call it on a folder that `at_commit_of` has fixed."""
        return hashlib.sha256(self.where.encode()).hexdigest()

    def _in_repo(self, path: str) -> str:
        return f"{self.folder}/{path}" if self.folder else path

    def _cached(self, path: str) -> bool:
        file = try_to_load_from_cache(
            self.repo_id, self._in_repo(path), repo_type="dataset", revision=self.revision or "main"
        )
        return isinstance(file, str)

    def _unreachable(self, path: str) -> SampleError:
        why = (
            "the Hub cannot be reached"
            if not _offline()
            else "offline mode is on (HF_HUB_OFFLINE, HF_DATASETS_OFFLINE)"
        )
        return SampleError(
            f"{path} of {self.where} is not in the local cache, and {why}. Run it once with a network, or download the "
            f"repo elsewhere (`hf download {self.repo_id} --repo-type dataset --local-dir FOLDER`) and pass "
            "data_dir=FOLDER"
        )

    def _refused(self, error: HfHubHTTPError) -> SampleError:
        if isinstance(error, GatedRepoError):
            return SampleError(f"request access to {self.where} on its page on the Hub, then log in or pass token=")
        if isinstance(error, RevisionNotFoundError):
            return SampleError(f"the Hub dataset {self.repo_id} has no revision {self.revision!r}")
        if isinstance(error, RepositoryNotFoundError):
            return SampleError(
                f"there is no Hub dataset {self.repo_id}, or it is private: check the name, log in or pass token="
            )
        return SampleError(f"the Hub did not serve {self.where}: {error}")


def _offline() -> bool:
    return bool(constants.is_offline_mode() or datasets.config.HF_DATASETS_OFFLINE)
