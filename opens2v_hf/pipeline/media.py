"""Frames of clips, each clip decoded once for all stages that use its standard frames.

A process caches the *standard frames* of each clip for later stages, within a bound on bytes: the annotated frame (the
first, until a stage chooses another) and those at 5, 50 and 95 % of the clip. A stage that decodes other frames of a
clip decodes the standard ones in the same pass.

Everything here is of one process and one thread.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import fsspec.core
import numpy as np
from huggingface_hub import HfFileSystem

from opens2v_hf.data.opens2v5m.released.byte_source import shown_url
from opens2v_hf.errors import ArgumentError, VideoError
from opens2v_hf.pipeline.faults import SourceChangedError
from opens2v_hf.pipeline.inputs import remote_stamp
from opens2v_hf.pipeline.records import ClipRecord, SourceFile
from opens2v_hf.video.guard import printable
from opens2v_hf.video.limits import Limits
from opens2v_hf.video.reader import VideoReader, open_video

POSITIONS = (0.05, 0.5, 0.95)
"""Positions in a clip of the frames that represent it (Phantom-Data, arXiv 2506.18851)."""

MAX_CACHED_BYTES = 512 << 20
"""Of decoded frames; standard frames of some 45 clips of 1280x720. `OPENS2V_FRAME_CACHE_BYTES` sets another bound."""

MAX_VIDEO_PIXELS = 10**13
"""Some 50 hours of 1920x1080: a source is read as a stream, and only its clips are to be short."""

_MAX_READERS = 8  # of which only the tables of frames are in memory
_MAX_COPIES = 4  # of remote files

_FileKey = tuple[str, int, int]  # path, bytes, time of change


class _Cache:
    """Decoded frames, open readers and local copies of this process."""

    def __init__(self) -> None:
        self.readers: OrderedDict[_FileKey, VideoReader] = OrderedDict()
        self.frames: OrderedDict[tuple[_FileKey, int], np.ndarray] = OrderedDict()
        self.copies: OrderedDict[tuple[str, str], Path] = OrderedDict()  # by URL and stamp
        self.folder: tempfile.TemporaryDirectory[str] | None = None
        self.process = os.getpid()
        self.num_bytes = 0  # of the frames


_cache = _Cache()


def forget() -> None:
    """Empty the cache of this process: frames, readers and copies of remote files."""
    global _cache
    # a forked process must not remove the folder of the one it came from
    if _cache.folder is not None and _cache.process == os.getpid():
        _cache.folder.cleanup()
    _cache = _Cache()


def standard_indices(clip: ClipRecord) -> tuple[int, ...]:
    """The clip's standard frames, ascending, counted from its first frame."""
    return tuple(sorted({clip.frame_index or 0, *sampled_indices(clip)}))


def sampled_indices(clip: ClipRecord) -> tuple[int, ...]:
    """The frames at 5, 50 and 95 % of the clip, ascending; fewer than three of a clip of one or two frames.

    Raises:
        ArgumentError: the clip has no frames; probe its file first.
    """
    if clip.num_frames < 1:
        raise ArgumentError(f"{clip.id}: has no frames yet; apply the stage 'probe' first")
    return tuple(sorted({int(position * (clip.num_frames - 1)) for position in POSITIONS}))


def sampled(clip: ClipRecord) -> np.ndarray:
    """The frames of `sampled_indices`, uint8 [n, H, W, 3] RGB, after the clip's crop.

    Raises:
        VideoError: a frame cannot be read; the message names the file.
    """
    return frames(clip, sampled_indices(clip))


def annotated(clip: ClipRecord) -> np.ndarray:
    """The frame that boxes and masks belong to, uint8 [H, W, 3] RGB, after the clip's crop.

    Raises:
        VideoError: it cannot be read; the message names the file.
    """
    return frames(clip, (clip.frame_index or 0,))[0]


def frames(clip: ClipRecord, indices: Sequence[int]) -> np.ndarray:
    """Frames of a clip.

    Args:
        clip: with its file probed.
        indices: each in 0..clip.num_frames - 1, counted from the clip's first frame; in any order.

    Returns:
        uint8 [n, H, W, 3] RGB, after the clip's crop; the caller's own.

    Raises:
        ArgumentError: an index is out of range.
        VideoError: a frame cannot be read, or the file changed since it was probed; the message names the file.
    """
    ascending = sorted(set(indices))
    found = dict(zip(ascending, stream(clip, ascending), strict=True))
    return np.stack([found[index] for index in indices])


def stream(clip: ClipRecord, indices: Sequence[int] | None = None) -> Iterator[np.ndarray]:
    """Frames of a clip one after another, few of them in memory at a time.

    Args:
        clip: with its file probed.
        indices: strictly ascending, each in 0..clip.num_frames - 1; by default all.

    Yields:
        uint8 [H, W, 3] RGB, after the clip's crop; not to be changed.

    Raises:
        ArgumentError: as `frames`.
        VideoError: as `frames`; frames before the fault have come by then.
    """
    standard = standard_indices(clip)
    requested = range(clip.num_frames) if indices is None else indices
    if len(requested) and not 0 <= requested[0] <= requested[-1] < clip.num_frames:
        raise ArgumentError(
            f"{clip.id}: its frames are 0..{clip.num_frames - 1} (got {requested[0]} to {requested[-1]})"
        )
    key = _file_key(clip.source, local_path(clip.source))
    held = {
        index: frame for index in {*standard, *requested} if (frame := _cached((key, clip.start + index))) is not None
    }
    if held.keys() >= set(requested):
        yield from (_cropped(clip, held[index]) for index in requested)
        return
    distinct = set(requested)
    needed = sorted(distinct.union(index for index in standard if index not in held))
    decoded = reader(clip.source).iter_frames([clip.start + index for index in needed])
    for index, frame in zip(needed, decoded, strict=True):
        if index in standard:
            _store((key, clip.start + index), frame)
        if index in distinct:
            yield _cropped(clip, frame)


def reader(source: SourceFile) -> VideoReader:
    """The video of a source file; its packets are read once for all of its clips.

    Raises:
        VideoError: it is no video, cannot be read, or changed since it was probed.
    """
    path = local_path(source)
    key = _file_key(source, path)
    if key not in _cache.readers:
        _cache.readers[key] = open_video(path, name=source.name, limits=limits())
        if len(_cache.readers) > _MAX_READERS:
            _cache.readers.popitem(last=False)
    _cache.readers.move_to_end(key)
    return _cache.readers[key]


def limits() -> Limits:
    """Size limits of a source: those of all videos, except for the length."""
    usual = Limits.from_environment()
    if os.environ.get("OPENS2V_MAX_VIDEO_PIXELS", "").strip():
        return usual
    return replace(usual, max_video_pixels=MAX_VIDEO_PIXELS)


def local_path(source: SourceFile) -> Path:
    """The path of the file on this machine; a remote file is copied first, and the last few copies are cached.

    Raises:
        VideoError: the file cannot be fetched; the message names it.
    """
    if "://" not in source.path:
        return Path(source.path)
    version = source.path, source.stamp
    copy = _cache.copies.get(version)
    if copy is None:
        copy = _fetched(source)
        _cache.copies[version] = copy
        if len(_cache.copies) > _MAX_COPIES:
            _cache.copies.popitem(last=False)[1].unlink(missing_ok=True)
    _cache.copies.move_to_end(version)
    return copy


def _fetched(source: SourceFile) -> Path:
    if _cache.folder is None or _cache.process != os.getpid():
        _cache.folder, _cache.process = tempfile.TemporaryDirectory(prefix="opens2v-"), os.getpid()
    handle, name = tempfile.mkstemp(dir=_cache.folder.name)
    try:
        opened = fsspec.open(source.path, "rb")
        with os.fdopen(handle, "wb") as target, opened as remote:
            shutil.copyfileobj(remote, target, 1 << 20)
            details = getattr(remote, "details", None) or {}
            # What the Hub says here is from the listing. Of a file in a bucket it would list the whole folder again.
            if isinstance(opened.fs, HfFileSystem) and not opened.path.startswith("buckets/"):
                details = opened.fs.info(opened.path, refresh=True, expand_info=True)
            _check_as_listed(source, details, target.tell())
    except SourceChangedError:
        Path(name).unlink(missing_ok=True)
        raise
    except Exception as error:  # file systems pass on any error of their clients
        Path(name).unlink(missing_ok=True)
        if not isinstance(error, FileNotFoundError):
            _check_as_listed(source, _details_now(source), source.num_bytes)
        reason = str(error).replace(source.path, shown_url(source.path))
        raise VideoError(
            f"{source.name}: cannot be fetched ({printable(reason) or type(error).__name__}); check that it is still "
            "there, and the credentials of its storage"
        ) from error
    return Path(name)


def _check_as_listed(source: SourceFile, details: Mapping[str, Any], num_bytes: int) -> None:
    stamp = remote_stamp(details)
    if (source.num_bytes and num_bytes != source.num_bytes) or (source.stamp and stamp and stamp != source.stamp):
        raise SourceChangedError(f"{source.name}: was changed after it was listed; the same command reads it again")


def _details_now(source: SourceFile) -> Mapping[str, Any]:
    """Of a remote file; nothing where its storage does not answer, which the caller reports."""
    try:
        filesystem, path = fsspec.core.url_to_fs(source.path)
        filesystem.invalidate_cache()
        details: Mapping[str, Any] = filesystem.info(path)
    except Exception:  # file systems pass on any error of their clients
        return {}
    return details


def _file_key(source: SourceFile, path: Path) -> _FileKey:
    try:
        status = path.stat()
    except OSError as error:
        raise VideoError(
            f"{source.name}: cannot be read ({error.strerror}); do not change the input during a build"
        ) from error
    if source.num_bytes and status.st_size != source.num_bytes:
        raise SourceChangedError(
            f"{source.name}: has {status.st_size} bytes now, and had {source.num_bytes} when it was probed; do not "
            "change the input during a build"
        )
    return str(path), status.st_size, status.st_mtime_ns


def _cached(key: tuple[_FileKey, int]) -> np.ndarray | None:
    frame = _cache.frames.get(key)
    if frame is not None:
        _cache.frames.move_to_end(key)
    return frame


def _store(key: tuple[_FileKey, int], frame: np.ndarray) -> None:
    own = frame.copy()
    own.flags.writeable = False
    previous = _cache.frames.pop(key, None)
    _cache.frames[key] = own
    _cache.num_bytes += own.nbytes - (0 if previous is None else previous.nbytes)
    while _cache.num_bytes > _max_cached_bytes() and _cache.frames:
        _cache.num_bytes -= _cache.frames.popitem(last=False)[1].nbytes


def _max_cached_bytes() -> int:
    text = os.environ.get("OPENS2V_FRAME_CACHE_BYTES", "").strip()
    if not text:
        return MAX_CACHED_BYTES
    if not (text.isascii() and text.isdigit()):
        raise ArgumentError(f"OPENS2V_FRAME_CACHE_BYTES must be a whole number of bytes (got {text[:40]!r})")
    return int(text)


def _cropped(clip: ClipRecord, frame: np.ndarray) -> np.ndarray:
    if clip.crop_xyxy is None:
        return frame
    x0, y0, x1, y1 = clip.crop_xyxy
    return frame[y0:y1, x0:x1]
