"""The frames of a video, determined from its packets, and without decoding them where that is possible.

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
    """The packets of a stream, in file order: times, int64 [P] (None if they cannot be relied on), and flags.

    `key` marks what the container calls a keyframe, `whole` those keyframes that need no packet before them. Times
    cannot be relied on either where the first packet needs one before it: decoders leave out some frames then.
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

    All packets are read once and the first frame is decoded. All frames are decoded (and counted, none stored) only
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
    size = first.width, first.height
    num_frames = len(timestamps) if timestamps is not None else _count(source, limits, *size)
    if codec == "hevc" and num_frames < np.count_nonzero(~packets.hidden):
        # Pictures that refer to ones before the start of the file are left out by right. So are, and without a word,
        # those that refer to lost pictures further on, as where two clips are joined; that is an error.
        try:
            _count(source, limits, *size, strict=True)
        except VideoError as error:
            raise VideoError(
                f"{source.name}: only {num_frames} of its {len(packets.key)} frames can be decoded; it is damaged, or "
                "was joined or cut without re-encoding: re-encode it from the original"
            ) from error
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
    codec, length_bytes = video.codec.canonical_name, _nal_length_bytes(video)
    starts_whole = True
    for packet in container.demux(video):
        if first is None:
            first = next((_first_frame(frame, video, source) for frame in packet.decode()), None)
        if not packet.size:  # the demuxer's end mark
            continue
        if packet.is_corrupt:
            raise VideoError(
                f"{source.name}: packet {len(key)} is damaged or incomplete; generate or copy the video again"
            )
        if not key and length_bytes:
            starts_whole = _holds_idr(bytes(packet), length_bytes, codec)
        times_are_known = times_are_known and packet.pts is not None
        if packet.pts is not None and packet.dts is not None:
            decode_times.append(packet.dts)
        times.append(packet.pts or 0)
        key.append(packet.is_keyframe)
        whole.append(
            packet.is_keyframe
            and (codec != "h264" or not length_bytes or _holds_idr(bytes(packet), length_bytes, codec))
        )
        hidden.append(packet.is_discard)
        limits.check_frames(source.name, len(key))
    if not key:
        raise VideoError(f"{source.name}: has no frame in its video stream; generate or copy it again")
    if first is None:
        raise VideoError(f"{source.name}: not one frame can be decoded; generate or copy the video again")
    known: np.ndarray | None = None
    if times_are_known and starts_whole:
        all_times = np.asarray(times, np.int64)
        known = all_times if _are_plausible(all_times, np.asarray(decode_times, np.int64), video) else None
    flags = (np.frombuffer(values, np.bool_) for values in (key, whole, hidden))
    return _Packets(known, *flags), first


def _first_frame(frame: av.VideoFrame, video: VideoStream, source: Source) -> _FirstFrame:
    upright = upright_filters(display_matrix(frame), source.name)
    width, height = upright_size(upright, frame.width, frame.height)
    is_cropped = (frame.width, frame.height) != (video.width, video.height)
    as_stored = not upright and not frame.interlaced_frame and not is_cropped
    return _FirstFrame(width, height, upright, frame.format.name, as_stored)


def _are_plausible(times: np.ndarray, decode_times: np.ndarray, video: VideoStream) -> bool:
    """Whether the times of packets can be those of the frames.

    Args:
        times: of showing, in the order of decoding.
        decode_times: of those packets that have both.
        video: the stream.
    """
    if (np.diff(decode_times) <= 0).any():
        return False
    # A copy that lacked times has them counted up in decoding order: then no picture changes places, though the codec
    # says that pictures do.
    return not (video.codec_context.has_b_frames and len(times) > 1 and (np.diff(times) > 0).all())


def _count(source: Source, limits: Limits, width: int, height: int, *, strict: bool = False) -> int:
    """Decode all frames and count them; if `strict`, any complaint of the decoder is an error."""
    num_frames = 0
    with open_container(source, limits) as container:
        video = video_stream(container, source, limits)
        if strict:
            video.codec_context.options = {**video.codec_context.options, "err_detect": "explode"}
        for _ in container.decode(video):
            num_frames += 1
            if num_frames % 256 == 0:
                limits.check(source.name, num_frames, width, height)
    limits.check(source.name, num_frames, width, height)
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
    """Bytes before each unit of an H.264 or H.265 packet that hold its length; 0 if units are not stored so.

    ISO/IEC 14496-15, 5.3.3.1 and 8.3.3.1.
    """
    position = {"h264": 4, "hevc": 21}.get(video.codec.canonical_name)
    extradata = video.codec_context.extradata
    if position is None or not extradata or len(extradata) <= position + 2 or extradata[0] != 1:
        return 0
    return (extradata[position] & 3) + 1


def _holds_idr(packet: bytes, length_bytes: int, codec: str) -> bool:
    """Whether a packet can be decoded without any before it, and so can all that come after it.

    Recovery points and clean random access points are marked as keyframes, too.
    """
    position = 0
    while position + length_bytes < len(packet):
        start = position + length_bytes
        if packet[start] & 0x1F == 5 if codec == "h264" else packet[start] >> 1 & 0x3F in (19, 20):
            return True
        position = start + int.from_bytes(packet[position:start], "big")
    return False


def _cut_off(source: Source, announced: str, found: str) -> VideoError:
    return VideoError(
        f"{source.name}: is cut off: it announces {announced} and holds {found}; generate or copy it again"
    )
