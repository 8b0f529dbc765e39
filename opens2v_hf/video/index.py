"""Which frames a video has, found out from its packets, without decoding them where that is possible.

Both decoders rest on this one account, so that they agree on how many frames there are and which is which.

The frames are those that a player shows. An edit list (left by tools that trim without re-encoding) is obeyed: frames
before its start are decoded and not shown. decord counts these too, repeats the last frame as often to make up for
them, and lands elsewhere whenever it seeks, so its numbering contradicts itself there and is not followed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream

from opens2v_hf.errors import VideoError
from opens2v_hf.video.container import open_container, video_stream
from opens2v_hf.video.source import Source
from opens2v_hf.video.truncation import announced_bytes

_INDEXED_CONTAINERS = {"mov", "matroska"}
_ONE_FRAME_A_PACKET = {"h264", "hevc", "vp9", "av1"}
"""Codecs that keep exactly one shown frame in each packet of an indexed container."""


@dataclass(frozen=True, eq=False)
class VideoIndex:
    """The frames of one video.

    Attributes:
        num_frames: frames that are shown.
        fps: frames per second on average.
        width: of a shown frame in pixels, after rotation.
        height: of a shown frame in pixels, after rotation.
        quarter_turns: anticlockwise turns by 90° that bring a decoded frame upright, 0..3.
        timestamps: int64 [num_frames], ascending presentation times in units of the stream's time base; None where the
            packets do not tell and frames can only be counted.
        entries: int64 [K], ascending frame indices at which decoding can start; the first is 0.
        regular: whether packets and frames correspond one to one and every keyframe is an entry.
        codec: canonical name of the codec, e.g. "h264".
        pixel_format: of the decoded frames, e.g. "yuv420p".
    """

    num_frames: int
    fps: float
    width: int
    height: int
    quarter_turns: int
    timestamps: np.ndarray | None
    entries: np.ndarray
    regular: bool
    codec: str
    pixel_format: str


@dataclass(frozen=True, eq=False)
class _Packets:
    """What the packets of a stream say, in file order: times, int64 [P] (None if any is missing), and flags.

    `key` marks what the container calls a keyframe, `whole` those keyframes that need no packet before them.
    """

    times: np.ndarray | None
    key: np.ndarray
    whole: np.ndarray
    hidden: np.ndarray


def index_video(source: Source) -> VideoIndex:
    """Find out which frames a video has.

    All packets are read once and the first frame is decoded. All frames are decoded (and counted, none kept) only
    where packets do not tell: in containers without an index, and for codecs that may hide frames in packets.

    Raises:
        VideoError: if the file is no video, has no frame, is cut off, or is damaged in a way that shows here.
    """
    with source.open_bytes() as stream:
        announced = announced_bytes(stream)
    if announced is not None and announced > source.num_bytes:
        raise _cut_off(source, f"{announced} bytes", f"{source.num_bytes}")

    with open_container(source) as container:
        video = video_stream(container, source)
        formats = set(container.format.name.split(","))
        codec = video.codec.canonical_name
        fps = float(video.average_rate or video.guessed_rate or 0)
        packets = _read_packets(container, video, source)
        announced_frames = video.frames if "mov" in formats else 0
    if announced_frames > len(packets.key):
        _check_no_frame_is_missing(source, announced_frames)
    countable = bool(formats & _INDEXED_CONTAINERS) and codec in _ONE_FRAME_A_PACKET
    timestamps, entries, regular = _frames_of(packets) if countable else (None, np.zeros(1, np.int64), False)

    with open_container(source) as container:
        video = video_stream(container, source)
        video.thread_type = "AUTO"
        decoded = container.decode(video)
        first = next(decoded, None)
        if first is None:
            raise VideoError(f"{source.name}: not one frame can be decoded; generate or copy the video again")
        if first.rotation % 90:
            raise VideoError(f"{source.name}: is rotated by {first.rotation}°, no quarter turn; re-encode it upright")
        num_frames = len(timestamps) if timestamps is not None else 1 + sum(1 for _ in decoded)
        turns = first.rotation // 90 % 4
        width, height = (first.height, first.width) if turns % 2 else (first.width, first.height)
        if not fps:
            raise VideoError(f"{source.name}: does not say how many frames it shows per second; re-encode it")
        return VideoIndex(
            num_frames, fps, width, height, turns, timestamps, entries, regular, codec, first.format.name
        )  # fmt: skip


def _read_packets(container: InputContainer, video: VideoStream, source: Source) -> _Packets:
    times: list[int | None] = []
    key: list[bool] = []
    whole: list[bool] = []
    hidden: list[bool] = []
    length_bytes = _nal_length_bytes(video)
    for packet in container.demux(video):
        if not packet.size:  # the demuxer's end mark
            continue
        if packet.is_corrupt:
            raise VideoError(
                f"{source.name}: packet {len(times)} is damaged or incomplete; generate or copy the video again"
            )
        times.append(packet.pts)
        key.append(packet.is_keyframe)
        whole.append(packet.is_keyframe and (not length_bytes or _holds_idr(bytes(packet), length_bytes)))
        hidden.append(packet.is_discard)
    if not times:
        raise VideoError(f"{source.name}: has no frame in its video stream; generate or copy it again")
    known = None if any(time is None for time in times) else np.asarray(times, np.int64)
    return _Packets(known, np.asarray(key), np.asarray(whole), np.asarray(hidden))


def _check_no_frame_is_missing(source: Source, announced: int) -> None:
    """An mp4 whose table names more frames than came out: an edit list leaves some out, or the file lacks them."""
    with open_container(source, ignore_editlist="1") as container:
        found = sum(1 for packet in container.demux(video_stream(container, source)) if packet.size)
    if announced > found:
        raise _cut_off(source, f"{announced} frames", f"{found}")


def _frames_of(packets: _Packets) -> tuple[np.ndarray | None, np.ndarray, bool]:
    """Timestamps of the shown frames, the frames that decoding can start at, and whether all is regular."""
    only_start = np.zeros(1, np.int64)
    if packets.times is None or len(np.unique(packets.times)) < len(packets.times) or packets.hidden.all():
        return None, only_start, False
    if packets.hidden.any():
        return np.sort(packets.times[~packets.hidden]), only_start, False
    timestamps = np.sort(packets.times)
    # A keyframe is an entry if nothing after it in the file is shown before it, and nothing before it is shown after.
    latest_before = np.concatenate([[np.iinfo(np.int64).min], np.maximum.accumulate(packets.times)[:-1]])
    earliest_after = np.minimum.accumulate(packets.times[::-1])[::-1]
    parts = (latest_before < packets.times) & (earliest_after == packets.times)
    entries = np.searchsorted(timestamps, packets.times[packets.whole & parts])
    regular = bool((packets.whole & parts)[packets.key].all() and packets.key[0])
    return timestamps, np.union1d(only_start, entries).astype(np.int64), regular


def _nal_length_bytes(video: VideoStream) -> int:
    """Bytes before each unit of an H.264 packet that tell its length (ISO/IEC 14496-15, 5.3.3.1); 0 if not so kept."""
    extradata = video.codec_context.extradata
    if video.codec.canonical_name != "h264" or not extradata or len(extradata) < 7 or extradata[0] != 1:
        return 0
    return (extradata[4] & 3) + 1


def _holds_idr(packet: bytes, length_bytes: int) -> bool:
    """Whether an H.264 packet can be decoded without any before it.

    Recovery points are marked as keyframes, too; a picture is whole only some frames after one.
    """
    position = 0
    while position + length_bytes < len(packet):
        start = position + length_bytes
        if packet[start] & 0x1F == 5:
            return True
        position = start + int.from_bytes(packet[position:start], "big")
    return False


def _cut_off(source: Source, announced: str, found: str) -> VideoError:
    return VideoError(
        f"{source.name}: is cut off: it announces {announced} and holds {found}; generate or copy it again"
    )
