"""Videos, pictures and masks of a row, which are read on first use."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from PIL import Image

from opens2v_hf.data.images import read_image
from opens2v_hf.data.opens2v5m.released.byte_source import ByteSource, hub_options, open_source, shown_url
from opens2v_hf.data.opens2v5m.released.media_folder import UNINDEXED_MARK
from opens2v_hf.errors import SourceError
from opens2v_hf.masks import geometry
from opens2v_hf.masks.rle import RLE, decode
from opens2v_hf.video.reader import VideoReader, open_video


def read_blob(blob: Mapping[str, Any] | None, token: str | None = None) -> bytes:
    """The bytes of a file.

    Args:
        blob: a dict of some of the keys `bytes`, `spans` and `path`; the first that has a value counts. An empty list
            of spans means that the file is in a split tar without an index. None, as a damaged shard may hold, is an
            error.
        token: for files on the Hub; None for the one of the login.

    Raises:
        SourceError: the file cannot be read, or has changed since this process first read it. For a file in a split
            tar without an index, the message says how to build one.
    """
    blob = blob or {}
    if blob.get("bytes") is not None:
        return blob["bytes"]
    if blob.get("spans"):
        return b"".join(_read_span(span, token) for span in blob["spans"])
    path = blob.get("path")
    if not path:
        raise SourceError("a row's file must have bytes or a path (got neither): write the dataset again")
    if blob.get("spans") is not None:
        tar, _, name = path.partition(UNINDEXED_MARK)
        tar = shown_url(tar) + ".tar"
        raise SourceError(
            f"{name} is in the split tar {tar}, which has no index. Build one with "
            f'"opens2v convert {_root_of(tar)} FOLDER --index-only" (one pass over the tar\'s headers; --parts takes '
            'single parts), then load with index_dir="FOLDER"; or publish the file next to the pieces of the tar'
        )
    with _source(path, token) as source:
        return source.read(0, source.size)


class _File:
    """A file as a row stores it; registered as a mapping, see below.

    Attributes:
        path: names the file.
        blob: how the row stores it.
    """

    def __init__(self, blob: Mapping[str, Any], token: str | None = None) -> None:
        self.blob = dict(blob)
        self.path: str | None = self.blob.get("path")
        self._token = token

    def read_bytes(self) -> bytes:
        """The file as it is.

        Raises:
            SourceError: it cannot be read.
        """
        return read_blob(self.blob, self._token)

    def items(self) -> Iterable[tuple[str, Any]]:
        """Its form in a row, as `datasets` writes it."""
        return [(name, self.blob.get(name)) for name in ("path", "bytes", "spans")]

    def get(self, name: str, default: Any = None) -> Any:
        """The value of "path" or "bytes"; the latter is read where other files hold it."""
        if name == "bytes" and self.blob.get("spans") is not None:
            return self.read_bytes()
        return self.blob.get(name, default)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.path!r})"


class LazyVideo(_File):
    """A video of a row; nothing is read before the first frame is needed.

    Attributes:
        path: names the file.
        blob: how the row stores it.
    """

    _reader: VideoReader | None = None

    def open(self) -> VideoReader:
        """A reader of its frames, opened once.

        Raises:
            SourceError: the file cannot be read.
            VideoError: it is no video.
        """
        if self._reader is None:
            self._reader = open_video(self.read_bytes())
        return self._reader

    @property
    def num_frames(self) -> int:
        """Frames of the file, of which a row's clip may be a part."""
        return self.open().num_frames

    @property
    def fps(self) -> float | None:
        """Frames a second; None where the file does not say."""
        return self.open().fps

    def frames(self, indices: Sequence[int]) -> np.ndarray:
        """Frames of the file by their indices, uint8 [N, H, W, 3], RGB, before any crop.

        Raises:
            SourceError: the file cannot be read.
            VideoError: it is no video, or has no such frames.
        """
        return self.open().read(indices)

    def __len__(self) -> int:
        return self.num_frames

    def __bool__(self) -> bool:
        return True

    def __getitem__(self, index: int | slice) -> np.ndarray:
        if isinstance(index, slice):
            return self.frames(range(*index.indices(self.num_frames)))
        if not -self.num_frames <= index < self.num_frames:
            raise IndexError(f"frame {index} of a video of {self.num_frames} frames")
        return self.frames([index % self.num_frames])[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        frames = self.frames(range(self.num_frames))
        return frames if dtype is None else frames.astype(dtype)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_reader": None}


class LazyImage(_File):
    """A picture of a row, read when it is loaded.

    Attributes:
        path: names the file.
        blob: how the row stores it.
    """

    def load(self) -> Image.Image:
        """The picture, RGB.

        Raises:
            SourceError: the file cannot be read.
            ImageError: it is no picture.
        """
        return read_image(self.read_bytes(), name=self.path)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.load(), dtype=dtype)


class SubjectMask(Mapping[str, Any]):
    """The mask of a subject in the frame after `crop`, decoded on use; a mapping of the stored values.

    Raises `MaskError` from any of its methods where the stored code is malformed.
    """

    def __init__(self, stored: Mapping[str, Any]) -> None:
        self._stored = stored

    @property
    def rle(self) -> RLE:
        """The run-length code."""
        return RLE.from_dict(self._stored)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self.rle.size

    @property
    def area(self) -> int:
        """Pixels of the subject; nothing is decoded for it."""
        return geometry.area(self.rle)

    @property
    def box(self) -> tuple[int, int, int, int] | None:
        """The smallest box around the subject, xyxy, x1 and y1 exclusive; None if it has no pixel."""
        return geometry.box(self.rle)

    def decode(self) -> np.ndarray:
        """The mask, bool [H, W]."""
        return decode(self.rle)

    def to_dict(self) -> dict[str, Any]:
        """`{"size": [h, w], "counts": "..."}`."""
        return self.rle.to_dict()

    def __getitem__(self, name: str) -> Any:
        return self._stored[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._stored)

    def __len__(self) -> int:
        return len(self._stored)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        mask = self.decode()
        return mask if dtype is None else mask.astype(dtype)

    def __repr__(self) -> str:
        return f"SubjectMask(size={self._stored.get('size')})"


# `Dataset.map` writes the values of a row back and stores mappings by their `items()`; there is no other way to tell it
# how to store a value of a type that it does not know. A video cannot be a full mapping: its indices are frames.
Mapping.register(_File)


def _read_span(span: Mapping[str, Any], token: str | None) -> bytes:
    end = span["offset"] + span["length"]
    with _source(span["url"], token) as source:
        data = source.read(span["offset"], span["length"]) if end <= source.size else b""
    if len(data) != span["length"]:
        raise SourceError(f"{shown_url(span['url'])} ends before byte {end}: it is not the file that was indexed")
    return data


@contextmanager
def _source(url: str, token: str | None) -> Iterator[ByteSource]:
    try:
        yield _cached_source(url, token)
    except SourceError:
        # The file may have changed: a dataset that is loaded from now on opens it again.
        _cached_source.cache_clear()
        raise


@functools.lru_cache(maxsize=1024)
def _cached_source(url: str, token: str | None) -> ByteSource:
    return open_source(url, storage_options=hub_options(url, token))


def _root_of(tar: str) -> str:
    return tar.rsplit("/", 3)[0] if tar.count("/") >= 3 else "SOURCE"
