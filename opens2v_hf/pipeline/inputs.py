"""The files of the input, and those with the same content."""

from __future__ import annotations

import hashlib
import os
import stat
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import fsspec.core
from fsspec.registry import known_implementations

from opens2v_hf.data.opens2v5m.released.byte_source import shown_url
from opens2v_hf.errors import MissingDependencyError, SourceError

VIDEO_ENDINGS = frozenset(
    (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".m2ts", ".wmv", ".flv", ".3gp", ".gif")
)
"""Endings of files that are taken for videos; whether a file is one, its content decides."""

_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True)
class InputFile:
    """A file of the input.

    Attributes:
        path: absolute local path, or a URL that fsspec knows.
        name: relative to the root, with "/" between folders.
        num_bytes: of the file.
        stamp: changes when the file does: the time of change, or what its storage says instead.
    """

    path: str
    name: str
    num_bytes: int
    stamp: str


@dataclass(frozen=True)
class Listing:
    """The videos of a folder or URL.

    Attributes:
        root: absolute path or URL.
        files: the videos by name, sorted.
        num_others: files that have no ending of a video.
    """

    root: str
    files: tuple[InputFile, ...]
    num_others: int


def list_input(source: str | os.PathLike[str]) -> Listing:
    """List the videos of a folder and of the folders in it. Hidden files and folders are left out.

    Args:
        source: a folder, or a URL that fsspec knows (hf://datasets/org/name, s3://bucket/folder).

    Raises:
        MissingDependencyError: the package for the URL's storage is not installed.
        SourceError: there is no such folder or URL, or it cannot be listed.
    """
    text = os.fspath(source)
    if "://" in text:
        root = text.rstrip("/")
        if "://" not in root:
            raise SourceError(f"{text}: names no bucket or folder; give a URL such as s3://bucket/folder")
        entries = list(_remote_entries(root))
    else:
        root = os.path.realpath(text)
        if not os.path.isdir(root):
            raise SourceError(f"{text}: there is no such folder; give a folder of videos, or a URL that fsspec knows")
        entries = list(_local_entries(root))
    videos = sorted((entry for entry in entries if is_video(entry.name)), key=lambda entry: entry.name)
    return Listing(root, tuple(videos), len(entries) - len(videos))


def is_video(name: str) -> bool:
    """Whether a name has the ending of a video."""
    return PurePosixPath(name).suffix.lower() in VIDEO_ENDINGS


def stamp_now(file: InputFile) -> str | None:
    """The stamp of a local file as it is now; None where it is gone, and the known one of a remote file."""
    if "://" in file.path:
        return file.stamp
    try:
        return _local_stamp(os.stat(file.path))
    except OSError:
        return None


def same_content(files: Sequence[InputFile]) -> dict[str, str]:
    """The files that hold the bytes of one before them: name to the name of the first.

    Only files of one size are read. One that cannot be read is like no other.
    """
    by_size: dict[int, list[InputFile]] = defaultdict(list)
    for file in files:
        by_size[file.num_bytes].append(file)
    found: dict[str, str] = {}
    for size, alike in by_size.items():
        if size == 0 or len(alike) < 2:
            continue
        first: dict[str, str] = {}
        for file in alike:
            digest = _sha256(file)
            if digest is not None and (before := first.setdefault(digest, file.name)) != file.name:
                found[file.name] = before
    return found


def _local_entries(root: str) -> Iterator[InputFile]:
    seen: set[tuple[int, int]] = set()  # a link may lead to a folder above it
    for folder, folders, names in os.walk(root, followlinks=True, onerror=_refuse):
        try:
            status = os.stat(folder)
        except OSError:  # removed meanwhile
            continue
        if (status.st_dev, status.st_ino) in seen:
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in names:
            path = os.path.join(folder, name)
            if name.startswith("."):
                continue
            relative = os.path.relpath(path, root).replace(os.sep, "/")
            try:
                status = os.stat(path)
            except OSError:  # a link to nothing, or removed meanwhile: the stage "probe" drops it as missing
                yield InputFile(path, relative, 0, "")
                continue
            if stat.S_ISREG(status.st_mode):  # a pipe or device would block its reader
                yield InputFile(path, relative, status.st_size, _local_stamp(status))


def _refuse(error: OSError) -> None:
    raise SourceError(f"cannot list {error.filename}: {error.strerror}; make it readable, or leave it out") from error


def _local_stamp(status: os.stat_result) -> str:
    return f"{status.st_size}-{status.st_mtime_ns}"


def _remote_entries(root: str) -> Iterator[InputFile]:
    try:
        filesystem, path = fsspec.core.url_to_fs(root)
        found: dict[str, dict[str, Any]] = filesystem.find(path, detail=True)
    except ImportError as error:
        package = known_implementations.get(root.partition("://")[0], {}).get("class", "fsspec").partition(".")[0]
        advice = str(error) if package == "fsspec" else f"pip install {package}"  # fsspec names it for its own classes
        raise MissingDependencyError(f"reading {shown_url(root)} needs another package: {advice}") from error
    except Exception as error:  # file systems pass on any error of their clients
        reason = str(error).replace(root, shown_url(root)) or type(error).__name__
        raise SourceError(
            f"cannot list {shown_url(root)}: {reason}; check the URL, and the credentials of its storage"
        ) from error
    if not found:
        raise SourceError(f"{shown_url(root)}: there is no file; check the URL, and the credentials of its storage")
    base = filesystem._strip_protocol(path).rstrip("/") + "/"
    for full, entry in found.items():
        name = full.removeprefix(base)
        if any(part.startswith(".") for part in name.split("/")):
            continue
        yield InputFile(filesystem.unstrip_protocol(full), name, int(entry.get("size") or 0), remote_stamp(entry))


def remote_stamp(entry: Mapping[str, Any]) -> str:
    """The stamp of a remote file, from what its file system says of it; "" where that says nothing of its content."""
    marks = ("ETag", "blob_id", "checksum", "mtime", "created")
    return str(next((entry[mark] for mark in marks if entry.get(mark)), ""))


def _sha256(file: InputFile) -> str | None:
    digest = hashlib.sha256()
    try:
        with fsspec.open(file.path, "rb") as stream:
            while block := stream.read(_BLOCK_BYTES):
                digest.update(block)
    except Exception:  # file systems pass on any error of their clients; the stage that reads its frames reports it
        return None
    return digest.hexdigest()
