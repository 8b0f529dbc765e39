"""Which frames a video has, found out from its packets, without decoding them where that is possible.

Both decoders rest on this one account, so that they agree on how many frames there are and which is which.

The frames are those that `ffmpeg -i FILE -fps_mode passthrough` gives, in its order: each frame that is decoded and
shown, once. An edit list (left by tools that trim without re-encoding) is obeyed: frames before its start are decoded
and not shown.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream

from opens2v_hf.errors import VideoError
from opens2v_hf.video.container import open_container, video_stream
from opens2v_hf.video.limits import Limits
from opens2v_hf.video.orientation import Filters, upright_filters, upright_size
from opens2v_hf.video.rgb import display_matrix
from opens2v_hf.video.source import Source
from opens2v_hf.video.truncation import announced_bytes, claimed_frames

_INDEXED_CONTAINERS = {"mov", "matroska"}
_ONE_FRAME_A_PACKET = {"h264", "hevc", "vp9", "av1"}
"""Codecs that keep exactly one shown frame in each packet of an indexed container."""


@dataclass(frozen=True, eq=False)
class VideoIndex:
    """The frames of one video.

    Attributes:
        num_frames: frames that are shown.
        fps: frames per second on average; None where the file does not say.
        width: of a shown frame in pixels, upright.
        height: of a shown frame in pixels, upright.
        upright: the filters that turn a decoded frame upright. Where only some pictures carry an orientation, as H.264
            allows, that of the first holds for all.
        timestamps: int64 [num_frames], ascending presentation times in units of the stream's time base; None where the
            packets do not tell and frames can only be counted.
        entries: int64 [K], ascending frame indices at which decoding can start; the first is 0.
        regular: whether packets and frames correspond one to one, every keyframe is an entry, and the first frame is
            stored upright, as whole pictures and without crop.
        codec: canonical name of the codec, e.g. "h264".
        pixel_format: of the decoded frames, e.g. "yuv420p".
        limits: that the video was held to.
    """

    num_frames: int
    fps: float | None
    width: int
    height: int
    upright: Filters
    timestamps: np.ndarray | None
    entries: np.ndarray
    regular: bool
    codec: str
    pixel_format: str
    limits: Limits


@dataclass(frozen=True, eq=False)
class _Packets:
    """What the packets of a stream say, in file order: times, int64 [P] (None if they cannot be relied on), and flags.

    `key` marks what the container calls a keyframe, `whole` those keyframes that need no packet before them.
    """

    times: np.ndarray | None
    key: np.ndarray
    whole: np.ndarray
    hidden: np.ndarray


@dataclass(frozen=True)
class _FirstFrame:
    width: int
    height: int
    upright: Filters
    pixel_format: str
    as_stored: bool


def index_video(source: Source, limits: Limits) -> VideoIndex:
    """Find out which frames a video has.

    All packets are read once and the first frame is decoded. All frames are decoded (and counted, none kept) only
    where packets do not tell: in containers without an index, for codecs that may hide frames in packets, and where
    times are missing or contradict each other.

    Raises:
        VideoError: if the file is no video, has no frame, is too large, cut off, or damaged in a way that shows here.
    """
    with source.opened() as stream:
        limits.check_frames(source.name, claimed_frames(stream, source.name))
        announced = announced_bytes(stream)
        num_bytes = stream.seek(0, 2)
    if announced is not None and announced > num_bytes:
        raise _cut_off(source, f"{announced} bytes", f"{num_bytes}")

    with open_container(source, limits) as container:
        video = video_stream(container, source, limits)
        formats = set(container.format.name.split(","))
        codec = video.codec.canonical_name
        fps = float(video.average_rate or video.guessed_rate or 0) or None
        packets, first = _read_packets(container, video, source, limits)
        announced_frames = video.frames if "mov" in formats else 0
    if announced_frames > len(packets.key):
        _check_no_frame_is_missing(source, limits, announced_frames)
    limits.check(source.name, len(packets.key), first.width, first.height)
    one_a_packet = bool(formats & _INDEXED_CONTAINERS) and codec in _ONE_FRAME_A_PACKET
    timestamps, entries, regular = _frames_of(packets) if one_a_packet else (None, np.zeros(1, np.int64), False)
    num_frames = len(timestamps) if timestamps is not None else _count(source, limits, first)
    expected = int(np.count_nonzero(~packets.hidden))
    if one_a_packet and num_frames < expected and codec == "hevc":
        # Where two clips are joined, newer decoders leave out what refers to pictures of neither, and say nothing.
        raise VideoError(
            f"{source.name}: only {num_frames} of its {expected} frames can be decoded; it is damaged, or was joined "
            "or cut without re-encoding: re-encode it from the original"
        )
    return VideoIndex(
        num_frames, fps, first.width, first.height, first.upright, timestamps, entries, regular and first.as_stored,
        codec, first.pixel_format, limits,
    )  # fmt: skip


def _read_packets(
    container: InputContainer, video: VideoStream, source: Source, limits: Limits
) -> tuple[_Packets, _FirstFrame]:
    times, decode_times = array("q"), array("q")
    key, whole, hidden = bytearray(), bytearray(), bytearray()
    times_are_known = True
    first: _FirstFrame | None = None
    length_bytes = _nal_length_bytes(video)
    for packet in container.demux(video):
        if first is None:
            first = next((_first_frame(frame, video, source) for frame in packet.decode()), None)
        if not packet.size:  # the demuxer's end mark
            continue
        if packet.is_corrupt:
            raise VideoError(
                f"{source.name}: packet {len(key)} is damaged or incomplete; generate or copy the video again"
            )
        times_are_known = times_are_known and packet.pts is not None
        if packet.pts is not None and packet.dts is not None:
            decode_times.append(packet.dts)
        times.append(packet.pts or 0)
        key.append(packet.is_keyframe)
        whole.append(packet.is_keyframe and (not length_bytes or _holds_idr(bytes(packet), length_bytes)))
        hidden.append(packet.is_discard)
        limits.check_frames(source.name, len(key))
    if not key:
        raise VideoError(f"{source.name}: has no frame in its video stream; generate or copy it again")
    if first is None:
        raise VideoError(f"{source.name}: not one frame can be decoded; generate or copy the video again")
    known: np.ndarray | None = np.asarray(times, np.int64)
    if not times_are_known or not _are_plausible(
        np.asarray(times, np.int64), np.asarray(decode_times, np.int64), video
    ):
        known = None
    flags = (np.frombuffer(values, np.bool_) for values in (key, whole, hidden))
    return _Packets(known, *flags), first


def _first_frame(frame: av.VideoFrame, video: VideoStream, source: Source) -> _FirstFrame:
    upright = upright_filters(display_matrix(frame), source.name)
    width, height = upright_size(upright, frame.width, frame.height)
    is_cropped = (frame.width, frame.height) != (video.width, video.height)
    as_stored = not upright and not frame.interlaced_frame and not is_cropped
    return _FirstFrame(width, height, upright, frame.format.name, as_stored)


def _are_plausible(times: np.ndarray, decode_times: np.ndarray, video: VideoStream) -> bool:
    """Whether packets are decoded in the order that their times say, and shown after that.

    A copy into mp4 that lacked times has them counted up in decoding order: then no picture changes places, though
    the codec says that pictures do.
    """
    if len(decode_times) < len(times):
        return True  # nothing contradicts the times
    if (times < decode_times).any() or (np.diff(decode_times) <= 0).any():
        return False
    return not (video.codec_context.has_b_frames and len(times) > 1 and (times == decode_times).all())


def _count(source: Source, limits: Limits, first: _FirstFrame) -> int:
    num_frames = 0
    with open_container(source, limits) as container:
        for _ in container.decode(video_stream(container, source, limits)):
            num_frames += 1
            if num_frames % 256 == 0:
                limits.check(source.name, num_frames, first.width, first.height)
    limits.check(source.name, num_frames, first.width, first.height)
    return num_frames


def _check_no_frame_is_missing(source: Source, limits: Limits, announced: int) -> None:
    """An mp4 whose table names more frames than came out: an edit list leaves some out, or the file lacks them."""
    with open_container(source, limits, ignore_editlist="1") as container:
        found = sum(1 for packet in container.demux(video_stream(container, source, limits)) if packet.size)
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
