"""Reading the frames of a video, exact by index, in bounded memory: ffmpeg's frames, whichever decoder reads."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Literal, Self, get_args, overload

import numpy as np

from opens2v_hf.errors import ArgumentError, MissingDependencyError, VideoError
from opens2v_hf.video import pyav_frames
from opens2v_hf.video.decoded_frame import DecodedFrame
from opens2v_hf.video.frames_in_memory import ArrayVideo, ascending_indices, frame_indices
from opens2v_hf.video.index import VideoIndex, index_video
from opens2v_hf.video.limits import Limits
from opens2v_hf.video.source import Source, VideoInput

Backend = Literal["auto", "decord", "pyav"]
FrameReading = Callable[[Source, VideoIndex, Sequence[int]], Iterator[np.ndarray]]


class VideoReader:
    """A video whose frames can be read; made by `open_video`.

    Attributes:
        name: for messages: the path, or a name for bytes.
        num_frames: frames that a player shows, at least 1.
        fps: frames per second on average; None where the file does not say.
        width: in pixels, of the upright picture.
        height: in pixels, of the upright picture.
        backend: the decoder that reads this file: "decord" or "pyav".
    """

    def __init__(self, source: Source, index: VideoIndex, backend: str, read_frames: FrameReading) -> None:
        self.name = source.name
        self.num_frames = index.num_frames
        self.fps = index.fps
        self.width = index.width
        self.height = index.height
        self.backend = backend
        self._source = source
        self._index = index
        self._read_frames = read_frames
        self._closed = False

    def read(self, indices: Sequence[int] | np.ndarray) -> np.ndarray:
        """Frames by index, in any order, repeated ones decoded once.

        Args:
            indices: each in 0..num_frames - 1.

        Returns:
            uint8 [N, H, W, 3] RGB.

        Raises:
            ArgumentError: if an index is no whole number or out of range.
            VideoError: if a frame cannot be decoded.
        """
        self._check_open()
        wanted = frame_indices(indices, self.num_frames, self.name)
        frames = np.empty((len(wanted), self.height, self.width, 3), np.uint8)
        unique, slots = np.unique(wanted, return_inverse=True)
        for number, frame in enumerate(self._read_frames(self._source, self._index, unique.tolist())):
            frames[slots == number] = frame
        return frames

    def iter_frames(self, indices: Sequence[int] | np.ndarray | None = None) -> Iterator[np.ndarray]:
        """Frames one after another, a few in memory at a time.

        Args:
            indices: strictly ascending, each in 0..num_frames - 1; by default all.

        Returns:
            An iterator over uint8 [H, W, 3] RGB.

        Raises:
            ArgumentError: if an index is no whole number, out of range or not above the one before.
            VideoError: if a frame cannot be decoded; frames before it have come by then.
        """
        return self._read_frames(self._source, self._index, self._ascending(indices))

    def iter_decoded(self, indices: Sequence[int] | np.ndarray | None = None) -> Iterator[DecodedFrame]:
        """The frames of `iter_frames` before they become RGB, always decoded by PyAV.

        For what needs them in another size: `DecodedFrame.write_resized` makes no RGB of the whole frame.

        Args:
            indices: strictly ascending, each in 0..num_frames - 1; by default all.

        Raises:
            ArgumentError: as `iter_frames`.
            VideoError: as `iter_frames`.
        """
        return pyav_frames.decoded_frames(self._source, self._index, self._ascending(indices))

    def _ascending(self, indices: Sequence[int] | np.ndarray | None) -> Sequence[int]:
        wanted: Sequence[int] = range(self.num_frames)
        if indices is not None:
            wanted = ascending_indices(indices, self.num_frames, self.name)
        self._check_open()
        return wanted

    def close(self) -> None:
        """Release the video; reading it afterwards is an error."""
        self._closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _check_open(self) -> None:
        if self._closed:
            raise VideoError(f"{self.name}: the reader is closed; open the video again")


@overload
def open_video(
    source: ArrayVideo, *, backend: Backend = "auto", name: str | None = None, limits: Limits | None = None
) -> ArrayVideo: ...


@overload
def open_video(
    source: VideoInput, *, backend: Backend = "auto", name: str | None = None, limits: Limits | None = None
) -> VideoReader: ...


def open_video(
    source: VideoInput | ArrayVideo,
    *,
    backend: Backend = "auto",
    name: str | None = None,
    limits: Limits | None = None,
) -> VideoReader | ArrayVideo:
    """Open a video; its format is detected by its content, never by its name.

    The frames are those of `ffmpeg -i FILE -fps_mode passthrough -pix_fmt rgb24`, to the bit: every shown frame once,
    turned upright. A file that cannot be read exactly is refused.

    Args:
        source: a local path, the content of a video file, a file open for reading bytes (which is read to its end), or
            frames in memory (which are returned as they are).
        backend: "pyav", "decord", or "auto" for PyAV. The frames are the same to the bit. For bytes, and videos that
            decord is not known to read rightly (see `decord_frames.suits`), PyAV steps in for it;
            `VideoReader.backend` tells which one reads.
        name: for messages; by default the path, or "<bytes>".
        limits: the largest video that is read; by default those of the environment (see `Limits`).

    Raises:
        ArgumentError: if `backend` is none of these.
        MissingDependencyError: if decord is requested and not installed.
        VideoError: if there is no such file, or it is no video, empty, cut off, broken or too large.
    """
    if backend not in get_args(Backend):
        raise ArgumentError(f"the backend for reading video is one of {', '.join(get_args(Backend))} (got {backend!r})")
    if isinstance(source, ArrayVideo):
        return source
    if backend == "decord" and not decord_is_installed():
        raise MissingDependencyError(
            "decord is not installed, or has no build for this machine: `pip install decord`, or use backend='pyav'"
        )
    if isinstance(source, ArrayVideo):
        return source
    checked = Source.of(source, name)
    index = index_video(checked, limits or Limits.from_environment())
    if backend == "decord":
        from opens2v_hf.video import decord_frames

        if decord_frames.suits(checked, index):
            return VideoReader(checked, index, "decord", decord_frames.read_frames)
    return VideoReader(checked, index, "pyav", pyav_frames.read_frames)


def decord_is_installed() -> bool:
    """Whether decord can be imported here; it has no wheels for some machines."""
    try:
        importlib.import_module("decord")
    except (ImportError, OSError, RuntimeError):  # the latter two from its binary library
        return False
    return True
