"""Opening a container with PyAV, safely, and finding the pictures in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from opens2v_hf.errors import VideoError
from opens2v_hf.video.source import Source

CONTAINERS = (
    "mov", "mp4", "m4a", "3gp", "3g2", "mj2", "matroska", "webm", "avi", "gif", "apng", "mpegts", "mpeg", "mpegvideo",
    "flv", "asf", "ogg", "h264", "hevc", "ivf", "yuv4mpegpipe", "nut", "mp3", "wav", "flac", "aac",
)  # fmt: skip
"""Formats that are opened, told by content. Playlists are left out: they would pull in other files or addresses.
Formats of sound are in, so that the message can say that a file holds nothing else."""


@contextmanager
def open_container(source: Source, **options: str) -> Iterator[InputContainer]:
    """Open a file with PyAV; whatever its libraries object to inside the `with` block ends as a VideoError.

    Args:
        source: of the video.
        options: of the demuxer, as FFmpeg names them.

    Raises:
        VideoError: if the file is no video or is broken.
    """
    try:
        # Real files carry tags that are no UTF-8; they are of no interest here.
        with av.open(
            source.for_decoder(),
            "r",
            metadata_errors="ignore",
            options={"format_whitelist": ",".join(CONTAINERS), **options},
        ) as container:
            yield container
    except av.ArgumentError as error:  # what a format outside the whitelist ends in
        raise VideoError(
            f"{source.name}: its content is no video of a known format, whatever its name says; "
            "give an mp4, mov, mkv, webm, avi or gif file"
        ) from error
    except (av.FFmpegError, UnicodeDecodeError, OSError) as error:
        raise VideoError(
            f"{source.name}: cannot be read as a video ({getattr(error, 'strerror', None) or error}); "
            "it is no video file, or is damaged or cut off: generate or copy it again"
        ) from error


def video_stream(container: InputContainer, source: Source) -> VideoStream:
    """The stream of pictures that a player would show.

    Raises:
        VideoError: if there is none (the cover picture of a piece of music is none), or its codec is unknown.
    """
    stream = container.streams.best("video")
    if not isinstance(stream, VideoStream) or stream.disposition & Disposition.attached_pic:
        held = ", ".join(sorted({other.type for other in container.streams if other is not stream})) or "nothing"
        raise VideoError(f"{source.name}: holds no video stream (only: {held}); give a file with moving pictures")
    if stream.codec_context is None:
        raise VideoError(f"{source.name}: its video is in a codec that is not known here; convert it to H.264")
    return stream
