"""Opening a container with PyAV, safely, and finding the pictures in it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from opens2v_hf.errors import VideoError
from opens2v_hf.video.limits import Limits
from opens2v_hf.video.source import Source

CONTAINERS = (
    "mov", "mp4", "m4a", "3gp", "3g2", "mj2", "matroska", "webm", "avi", "gif", "apng", "mpegts", "mpeg", "mpegvideo",
    "flv", "asf", "ogg", "h264", "hevc", "ivf", "yuv4mpegpipe", "nut", "mp3", "wav", "flac", "aac",
)  # fmt: skip
"""Formats that are opened, detected by content. Playlists are left out: they would pull in other files or addresses.
Formats of sound are in, so that the message can say that a file holds nothing else."""


# Real files carry tags that are no UTF-8, which are of no interest here. From 19 on PyAV reads any tag.
IGNORED_TAGS: dict[str, Any] = {"metadata_errors": "ignore"} if int(av.__version__.split(".")[0]) < 19 else {}
"""Arguments of `av.open`."""


class _Nameless:
    """A stream without a name: libavformat would judge a file by its name, too, and bytes have none."""

    def __init__(self, stream: io.FileIO | io.BytesIO) -> None:
        self.read, self.seek, self.tell = stream.read, stream.seek, stream.tell


@contextmanager
def open_container(source: Source, limits: Limits, **options: str) -> Iterator[InputContainer]:
    """Open a file with PyAV; errors of its libraries inside the `with` block become a VideoError.

    Args:
        source: of the video.
        limits: no decoder allocates frames far above their size.
        options: of the demuxer, as FFmpeg names them.

    Raises:
        VideoError: if the file is no video or is broken.
    """
    with source.opened() as stream:
        nameless: Any = _Nameless(stream)
        try:
            container = av.open(
                nameless,
                "r",
                **IGNORED_TAGS,
                options={
                    "format_whitelist": ",".join(CONTAINERS),
                    "max_pixels": str(limits.decoder_pixels),
                    **options,
                },
            )
        except av.ArgumentError as error:  # what a format outside the whitelist ends in
            raise VideoError(
                f"{source.name}: its content is no video of a known format, though its name may be one; "
                "give an mp4, mov, mkv, webm, avi or gif file"
            ) from error
        with container:
            yield container


def video_stream(container: InputContainer, source: Source, limits: Limits) -> VideoStream:
    """The stream of pictures that a player would show, ready to be decoded.

    Raises:
        VideoError: if there is none (the cover picture of a piece of music is none), its codec is unknown, or its
            frames are too large.
    """
    stream = container.streams.best("video")
    if not isinstance(stream, VideoStream) or stream.disposition & Disposition.attached_pic:
        held = ", ".join(sorted({other.type for other in container.streams if other is not stream})) or "nothing"
        raise VideoError(f"{source.name}: holds no video stream (only: {held}); give a file with moving pictures")
    if stream.codec_context is None:
        raise VideoError(f"{source.name}: its video is in a codec that is not known here; convert it to H.264")
    limits.check_frame_size(source.name, stream.width, stream.height)
    if not stream.width or not stream.height:  # libavformat found no decoder to allocate frames so large, or nothing
        raise VideoError(
            f"{source.name}: no picture in it can be decoded; it is damaged, or has frames of more than "
            f"{limits.max_frame_pixels} pixels (OPENS2V_MAX_FRAME_PIXELS)"
        )
    stream.codec_context.options = {"max_pixels": str(limits.decoder_pixels)}
    stream.thread_type = "AUTO"
    return stream
