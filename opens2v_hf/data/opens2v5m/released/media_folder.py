"""Finding the file of a sample: in a folder of files, or in a split tar with an index."""

from __future__ import annotations

import io
import os
import posixpath
import re
import unicodedata
from pathlib import Path
from typing import Any

import fsspec.core

from opens2v_hf._util.files import whole_file
from opens2v_hf.data.opens2v5m.released.byte_source import open_source, shown_url
from opens2v_hf.data.opens2v5m.released.split_tar import Span, SplitTar, order_pieces
from opens2v_hf.data.opens2v5m.released.tar_index import TarIndex, load_index
from opens2v_hf.errors import SourceError

UNINDEXED_MARK = ".tar::"
"""Separates the tar from the file in the path of a file in a split tar that has no index.

Such a file has an empty list of spans; a file of any name can have this in its path.
"""

INDEX_SUFFIX = ".index.parquet"


class Location:
    """A local folder or a URL that fsspec supports, and its listing."""

    def __init__(self, root: str | os.PathLike[str], storage_options: dict[str, Any] | None = None) -> None:
        root = os.fspath(root)
        self.root = root.rstrip("/") if "://" in root else os.path.realpath(os.path.expanduser(root))
        self.storage_options = dict(storage_options or {})
        self._listing: tuple[str, dict[str, str]] | None = None

    def join(self, *parts: str) -> Location:
        """A folder below this one."""
        return Location("/".join((self.root, *parts)), self.storage_options)

    def exists(self) -> bool:
        """Whether it is a folder, or may be one: a URL is not checked."""
        return "://" in self.root or os.path.isdir(self.root)

    def files(self) -> dict[str, int | None]:
        """Names and sizes in bytes of the files directly in this folder, sorted; empty where there is no folder.

        A size is None where the listing does not have it, as that of a web server.

        Hidden files are left out, here and in all other listings: macOS writes one next to every file on other disks,
        with the same ending (`._part.parquet`).

        Raises:
            SourceError: the location cannot be reached.
        """
        return {name: entry.get("size") for name, entry in self._entries("file")}

    def pieces(self) -> dict[str, int | None]:
        """The files that are a tar or a piece of one; the others, of which there may be many, are not listed."""
        if "://" in self.root:
            return {name: size for name, size in self.files().items() if _is_piece(name)}
        if not os.path.isdir(self.root):
            return {}
        with os.scandir(self.root) as entries:
            return dict(sorted((entry.name, entry.stat().st_size) for entry in entries if _is_piece(entry.name)))

    def find(self, name: str) -> str | None:
        """The name of a file in this folder or below it, as it is on the disk; None if it is missing.

        Names that differ only in how Unicode composes their letters (NFC, NFD) are equal.
        """
        if not name or name.startswith("/") or ".." in name.split("/"):
            return None
        is_local = "://" not in self.root
        if is_local and os.path.isfile(os.path.join(self.root, name)):
            return name
        if is_local and name.isascii():
            return None
        folder, _, last = name.rpartition("/")
        if self._listing is None or self._listing[0] != folder:
            names = self.join(folder).files() if folder else self.files()
            self._listing = (folder, {unicodedata.normalize("NFC", there): there for there in names})
        found = self._listing[1].get(unicodedata.normalize("NFC", last))
        return None if found is None else f"{folder}/{found}" if folder else found

    def folders(self) -> list[str]:
        """Names of the folders directly in this one, sorted."""
        return [name for name, _ in self._entries("directory")]

    def _entries(self, kind: str) -> list[tuple[str, dict[str, Any]]]:
        try:
            filesystem, path = fsspec.core.url_to_fs(self.root, **self.storage_options)
            entries = filesystem.ls(path, detail=True)
        except (FileNotFoundError, NotADirectoryError):
            return []
        except Exception as error:  # every storage library has exceptions of its own, ImportError if it is missing
            reason = str(error).replace(self.root, shown_url(self.root))
            raise SourceError(f"cannot list {shown_url(self.root)}: {reason}; check the URL") from error
        return sorted(
            (name, entry)
            for entry in entries
            if entry["type"] == kind and not (name := posixpath.basename(entry["name"].rstrip("/"))).startswith(".")
        )


class MediaFolder:
    """The videos or pictures of one part.

    The folder holds either the files themselves or the pieces of one split tar. The tar's index is next to them or in a
    folder of indices, as `<name>.index.parquet`.
    """

    def __init__(self, location: Location, index_name: str, index_dir: str | None = None) -> None:
        self.location = location
        self.index_name = index_name
        self._index_dir = index_dir
        self._searched = False
        self._tar: SplitTar | None = None
        self._index: TarIndex | None = None
        self._index_url: str | None = None

    def locate(self, name: str) -> dict[str, Any] | None:
        """The row's value for a file, as `schema.BLOB`; None if it is missing.

        A file in a tar without an index has an empty list of spans, and a path that names the tar.

        Raises:
            SourceError: the pieces of the tar are incomplete, or the index is not theirs.
            SampleError: several folders of the tar hold a file of that name.
        """
        tar = self.tar()
        if tar is None:
            found = self.location.find(name)
            return None if found is None else {"path": f"{self.location.root}/{found}"}
        if self._index is None:
            return {"path": f"{self.location.root}/{self.index_name}{UNINDEXED_MARK}{name}", "spans": []}
        member = self._index.find(name)
        if member is None:
            return None
        offset = tar.offset_of(member.piece, member.offset)
        # An empty file has a span too: an empty list of spans means that there is no index.
        spans = tar.spans(offset, member.length) or (Span(tar.pieces[member.piece].url, member.offset, 0),)
        return {"path": name, "spans": [{"url": s.url, "offset": s.offset, "length": s.length} for s in spans]}

    def tar(self) -> SplitTar | None:
        """The split tar of this folder, None if there is none."""
        if not self._searched:
            pieces = self.location.pieces()
            if pieces:
                options = self.location.storage_options
                sizes = {f"{self.location.root}/{name}": size for name, size in pieces.items()}
                tar = SplitTar([open_source(u, storage_options=options, size=sizes[u]) for u in order_pieces(sizes)])
                self._index = self._find_index(tar)
                self._tar = tar
            self._searched = True
        return self._tar

    def has_index(self) -> bool:
        """Whether an index of the tar was found."""
        return self.tar() is not None and self._index is not None

    def copy_index(self, path: Path) -> None:
        """Copies the index that was found."""
        if self._index_url is not None:
            source = open_source(self._index_url, storage_options=self.location.storage_options)
            with whole_file(path) as temporary:
                temporary.write_bytes(source.read(0, source.size))

    def _find_index(self, tar: SplitTar) -> TarIndex | None:
        name = self.index_name + INDEX_SUFFIX
        options = self.location.storage_options
        if self._index_dir is not None and name in Location(self._index_dir, options).files():
            url = f"{self._index_dir.rstrip('/')}/{name}"
        elif self.location.find(name) is not None:
            url = f"{self.location.root}/{name}"
        else:
            return None
        source = open_source(url, storage_options=options)
        index = load_index(io.BytesIO(source.read(0, source.size)), name=shown_url(url))
        actual = [piece.size for piece in tar.pieces]
        if [size for _, size in index.pieces] != actual:
            root = shown_url(self.location.root)
            raise SourceError(f"{shown_url(url)} is not the index of the pieces in {root}: build it again")
        self._index_url = url
        return index

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_searched": False, "_tar": None, "_index": None, "_index_url": None}


def _is_piece(name: str) -> bool:
    """Whether a file is a tar or a piece of one; files about a piece, such as `p.tar.split.000.sha256`, are not."""
    if name.startswith("."):
        return False
    _, found, number = name.partition(".tar.split.")
    return name.endswith(".tar") or (bool(found) and re.match(r"\d+\.", number) is None)
