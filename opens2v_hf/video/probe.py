"""Reading a video's header, without decoding the video."""

from __future__ import annotations

from dataclasses import dataclass

import av

from opens2v_hf.video.container import open_container, video_stream
from opens2v_hf.video.limits import Limits
from opens2v_hf.video.source import Source, VideoInput
from opens2v_hf.video.truncation import claimed_frames


@dataclass(frozen=True)
class Header:
    """Announcements of a container; good for planning, not for numbers.

    Attributes:
        num_frames: as announced, or worked out from the duration, within the limits; 1 where the file has neither.
        width: of a stored frame in pixels.
        height: of a stored frame in pixels.
    """

    num_frames: int
    width: int
    height: int


def probe(source: VideoInput) -> Header:
    """Read a video's header.

    Raises:
        VideoError: if there is no such file, or it is no video, or larger than is read.
    """
    checked, limits = Source.of(source), Limits.from_environment()
    with checked.opened() as stream:
        limits.check_frames(checked.name, claimed_frames(stream, checked.name))
    with open_container(checked, limits) as container:
        video = video_stream(container, checked, limits)
        rate = float(video.average_rate or video.guessed_rate or 0)
        seconds = (container.duration or 0) / av.time_base
        num_frames = max(1, video.frames or round(seconds * rate))
        # A header may claim anything; the packets are counted when the video is opened.
        return Header(min(num_frames, limits.max_frames), video.width, video.height)
