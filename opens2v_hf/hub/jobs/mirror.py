"""A folder that is copied to a dataset repo as it grows."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
from huggingface_hub.errors import EntryNotFoundError

from opens2v_hf.jobs.lock import LOCK_FILES
from opens2v_hf.pipeline.units import WORK_FOLDER

_TEMPORARY = (".tmp", ".lock")


class Mirror:
    """Copies what has changed in a folder to a folder in a repo, one commit each time.

    Args:
        api: with a token that may write.
        repo_id: of the dataset repo.
        path: of the folder in it.
        folder: on this machine; its present files are assumed to be in the repo.
    """

    def __init__(self, api: HfApi, repo_id: str, path: str, folder: Path) -> None:
        self._api, self._repo_id, self._path, self._folder = api, repo_id, path, folder
        self._known = dict(self._files())

    def push(self, *, more: dict[str, bytes] | None = None) -> int:
        """Upload changed files, and delete missing ones.

        Files may grow meanwhile: each is copied first, and a journal whose last line is torn is read up to it.

        Args:
            more: path in the repo to the content of further files of the same commit.

        Returns:
            How many files were added, changed or removed.

        Raises:
            HfHubHTTPError, OSError: the Hub did not take it; the next call copies it all the same.
        """
        now = dict(self._files())
        changed = [name for name, status in now.items() if self._known.get(name) != status]
        removed = [name for name in self._known if name not in now]
        operations: list[CommitOperationAdd | CommitOperationDelete] = [
            CommitOperationAdd(path, content) for path, content in (more or {}).items()
        ]
        with tempfile.TemporaryDirectory() as temporary:
            for number, name in enumerate(changed):
                copy = Path(temporary, str(number))
                try:
                    shutil.copyfile(self._folder / name, copy)
                except FileNotFoundError:  # renamed or removed since it was listed
                    del now[name]
                    if name in self._known:  # the repo still has it: the next call deletes or replaces it there
                        now[name] = self._known[name]
                    continue
                operations.append(CommitOperationAdd(f"{self._path}/{name}", str(copy)))
            operations += [CommitOperationDelete(f"{self._path}/{name}") for name in removed]
            if operations:
                try:
                    self._api.create_commit(
                        self._repo_id,
                        operations,
                        repo_type="dataset",
                        commit_message=f"{self._path}: {len(operations)} files",
                    )
                except EntryNotFoundError:
                    if not removed:
                        raise
                    # an earlier commit deleted them, and its answer was lost
                    self._known = {name: status for name, status in self._known.items() if name in now}
                    return self.push(more=more)
        self._known = now
        return len(operations)

    def _files(self) -> Iterator[tuple[str, tuple[int, int]]]:
        """Path in the folder, and a value that changes with the file."""
        for root, folders, names in os.walk(self._folder, onerror=_raise_unless_missing):
            folders[:] = sorted(name for name in folders if not name.startswith(".") or name == WORK_FOLDER)
            if Path(root).name == WORK_FOLDER and "videos" in folders:
                folders.remove("videos")  # of the unit that is being made
            for name in sorted(names):
                if name.startswith(".") or name in LOCK_FILES or name.endswith(_TEMPORARY):
                    continue
                file = Path(root, name)
                try:
                    status = file.stat()
                except FileNotFoundError:
                    continue
                yield file.relative_to(self._folder).as_posix(), (status.st_mtime_ns, status.st_size)


def _raise_unless_missing(error: OSError) -> None:
    """Otherwise the files of a folder that cannot be listed would be deleted from the repo."""
    if not isinstance(error, FileNotFoundError):
        raise error
