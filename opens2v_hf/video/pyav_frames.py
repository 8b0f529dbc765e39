"""Decoding frames with PyAV, exact by index, a few frames in memory at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream

from opens2v_hf.errors import VideoError
from opens2v_hf.video.container import open_container, video_stream
from opens2v_hf.video.decoded_frame import Converters, DecodedFrame
from opens2v_hf.video.guard import errors_as_video_errors
from opens2v_hf.video.index import VideoIndex
from opens2v_hf.video.orientation import upright_filters, upright_size
from opens2v_hf.video.rgb import display_matrix
from opens2v_hf.video.source import Source


def read_frames(source: Source, index: VideoIndex, indices: Sequence[int]) -> Iterator[np.ndarray]:
    """The frames of the given indices, uint8 [H, W, 3] RGB, upright; see `decoded_frames`."""
    for frame in decoded_frames(source, index, indices):
        yield frame.rgb()


def decoded_frames(source: Source, index: VideoIndex, indices: Sequence[int]) -> Iterator[DecodedFrame]:
    """The frames of the given indices, not yet converted.

    Args:
        source: of the video.
        index: of the video.
        indices: strictly ascending frame indices in 0..num_frames - 1.

    Yields:
        Frames in the order of `indices`.

    Raises:
        VideoError: if a frame is damaged, missing or of another size than the first.
    """
    converters = Converters(index.upright, source.name)
    found = 0
    with errors_as_video_errors(source.name):
        for frame in _frames(source, index, indices):
            if frame.is_corrupt:
                raise VideoError(f"{source.name}: frame {indices[found]} is damaged; generate or copy the video again")
            matrix = display_matrix(frame)
            if matrix is not None and upright_filters(matrix, source.name) != index.upright:
                raise VideoError(f"{source.name}: is turned from frame {indices[found]} on; re-encode it upright")
            size = upright_size(index.upright, frame.width, frame.height)
            if size != (index.width, index.height):
                raise VideoError(
                    f"{source.name}: frame {indices[found]} is {size[0]}x{size[1]}, the first is "
                    f"{index.width}x{index.height}; re-encode it to one size"
                )
            yield DecodedFrame(frame, converters)
            found += 1
    if found < len(indices):
        raise VideoError(
            f"{source.name}: frame {indices[found]} of {index.num_frames} cannot be decoded; "
            "the file is damaged: generate or copy it again"
        )


def _frames(source: Source, index: VideoIndex, indices: Sequence[int]) -> Iterator[av.VideoFrame]:
    """The requested frames, up to the first that is missing."""
    if index.timestamps is None:
        with open_container(source, index.limits) as container:
            yield from _counted(container, video_stream(container, source, index.limits), indices)
        return
    found = 0
    # A seek may miss: some demuxers go by decoding times and land a keyframe too late, and some keyframes are not
    # whole. Then all is decoded from the beginning.
    for entries in (index.entries, index.entries[:1]):
        if found < len(indices):
            with open_container(source, index.limits) as container:
                video = video_stream(container, source, index.limits)
                for frame in _timed(container, video, index.timestamps, entries, indices[found:]):
                    yield frame
                    found += 1


def _counted(container: InputContainer, video: VideoStream, indices: Sequence[int]) -> Iterator[av.VideoFrame]:
    remaining = iter(indices)
    target = next(remaining, None)
    for number, frame in enumerate(container.decode(video)):
        if target is None:
            return
        if number == target:
            yield frame
            target = next(remaining, None)


def _timed(
    container: InputContainer, video: VideoStream, timestamps: np.ndarray, entries: np.ndarray, indices: Sequence[int]
) -> Iterator[av.VideoFrame]:
    frames = container.decode(video)
    position = 0  # index that the next decoded frame has at the least
    for target in indices:
        entry = int(entries[np.searchsorted(entries, target, side="right") - 1])
        if entry > position:
            container.seek(int(timestamps[entry]), stream=video, backward=True)
            frames = container.decode(video)
        time = int(timestamps[target])
        frame = next((frame for frame in frames if frame.pts is not None and frame.pts >= time), None)
        if frame is None or frame.pts != time:
            return
        yield frame
        position = target + 1
