"""Frames through decord, for the videos whose frames it numbers rightly."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import decord
import numpy as np
from decord import DECORDError

from opens2v_hf.video import pyav_frames
from opens2v_hf.video.index import VideoIndex
from opens2v_hf.video.source import Source

_CODECS = {"h264", "hevc", "vp9"}
_PIXEL_FORMATS = {"yuv420p", "yuvj420p"}
_FRAMES_AT_A_TIME = 8
_DECORD_FAILURES = (DECORDError, RuntimeError, AssertionError, IndexError, UnicodeEncodeError)  # the last: of paths

decord.logging.set_level(decord.logging.QUIET)


def suits(source: Source, index: VideoIndex) -> bool:
    """Whether decord is known to give the right frames of a video, to the bit.

    Its release (0.6.0 of 2021) confuses frames where keyframes do not part the packets cleanly or an edit list hides
    some, does not know newer codecs, ignores orientation that only the pictures themselves tell, and converts odd sizes
    and deep colour by filters that current libraries do not have any more. In memory it follows any offset that a
    damaged file names, beyond the end of the bytes, and takes the process down; on disk it does not.
    """
    if source.path is None or not (
        index.regular
        and index.codec in _CODECS
        and index.pixel_format in _PIXEL_FORMATS
        and index.width % 2 == 0
        and index.height % 2 == 0
    ):
        return False
    try:
        return len(decord.VideoReader(str(source.path))) == index.num_frames
    except _DECORD_FAILURES:
        return False


def read_frames(source: Source, index: VideoIndex, indices: Sequence[int]) -> Iterator[np.ndarray]:
    """The frames of the given indices, as `pyav_frames.read_frames` gives them.

    decord repeats or patches up frames that it cannot decode and says nothing, and may hang on damaged data. So PyAV
    reads the same frames first, stores digests of them, and raises an error for a damaged one. Where decord itself
    fails on what PyAV can read (a damaged seek table, say) or gives another frame, PyAV gives the rest.

    Raises:
        VideoError: if a frame is damaged, missing or of another size than the first.
    """
    expected = [_digest(frame) for frame in pyav_frames.read_frames(source, index, indices)]
    given = 0
    for frame in _decord_frames(source, indices):
        if _digest(frame) != expected[given]:
            break
        yield frame
        given += 1
    if given < len(indices):
        yield from pyav_frames.read_frames(source, index, indices[given:])


def _decord_frames(source: Source, indices: Sequence[int]) -> Iterator[np.ndarray]:
    """Frames that decord gives for the indices, up to its first failure."""
    try:
        reader = decord.VideoReader(str(source.path))
        for start in range(0, len(indices), _FRAMES_AT_A_TIME):
            yield from reader.get_batch(list(indices[start : start + _FRAMES_AT_A_TIME])).asnumpy()
    except _DECORD_FAILURES:
        return


def _digest(frame: np.ndarray) -> bytes:
    return hashlib.blake2b(np.ascontiguousarray(frame).data, digest_size=16).digest()
