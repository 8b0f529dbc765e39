"""What a video's header says, without decoding it."""

from __future__ import annotations

import os
from dataclasses import dataclass

import av

from opens2v_hf.video.container import open_container, video_stream
from opens2v_hf.video.source import Source


@dataclass(frozen=True)
class Header:
    """What a container announces; good for planning, not for numbers.

    Attributes:
        num_frames: as announced, or worked out from the duration; 1 where neither is told.
        width: of a stored frame in pixels.
        height: of a stored frame in pixels.
    """

    num_frames: int
    width: int
    height: int


def probe(source: str | os.PathLike[str] | bytes) -> Header:
    """Read a video's header.

    Raises:
        VideoError: if there is no such file, or it is no video.
    """
    checked = Source.of(source)
    with open_container(checked) as container:
        stream = video_stream(container, checked)
        rate = float(stream.average_rate or stream.guessed_rate or 0)
        seconds = (container.duration or 0) / av.time_base
        return Header(max(1, stream.frames or round(seconds * rate)), stream.width, stream.height)
