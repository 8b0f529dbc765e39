"""Truncated files, found by their own tables: demuxers accept a missing end and any count of frames."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator

from opens2v_hf.errors import VideoError

_EBML_HEADER = b"\x1a\x45\xdf\xa3"
_MATROSKA_SEGMENT = b"\x18\x53\x80\x67"
_BOXES = {
    b"ftyp", b"styp", b"moov", b"moof", b"mdat", b"mfra", b"sidx", b"free", b"skip", b"wide", b"meta", b"uuid", b"emsg",
}  # fmt: skip
_HEAD_BYTES = 4096
_MAX_BOXES = 4_000_000
"""At one fragment for every frame, some ten hours."""


def announced_bytes(stream: io.FileIO | io.BytesIO) -> int | None:
    """Size in bytes that an mp4, mov, Matroska, WebM or AVI file announces for itself; more may follow in the file.

    None for other containers, and for a live recording that never knew its length.
    """
    stream.seek(0)
    head = stream.read(_HEAD_BYTES)
    if head[4:8] in _BOXES:
        return _end_of_boxes(stream)
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        size = int.from_bytes(head[4:8], "little")
        return None if size in (0, 0xFFFFFFFF) else 8 + size
    if head[:4] == _EBML_HEADER:
        position, header = _element_size(head, 4)
        if header is not None and head[position + header : position + header + 4] == _MATROSKA_SEGMENT:
            start, segment = _element_size(head, position + header + 4)
            return None if segment is None else start + segment
    return None


def claimed_frames(stream: io.FileIO | io.BytesIO, name: str) -> int:
    """Number of frames that the tables of an mp4 or mov file claim without bytes for each; 0 for other files.

    libavformat allocates an entry for each before it looks any further, so a count in a few bytes can fill the memory.

    Raises:
        VideoError: if the file has more boxes than any video.
    """
    file_bytes = stream.seek(0, os.SEEK_END)
    claimed = 0
    boxes = Boxes(stream, name)
    for kind, start, end in boxes.inside(0, file_bytes):
        if kind == b"moov":
            for _, track_start, track_end in boxes.inside(start, end, b"trak"):
                claimed = max(claimed, _claimed_by_track(boxes, track_start, track_end, file_bytes))
        elif kind == b"moof":
            for _, run_start, run_end in boxes.below(start, end, b"traf", b"trun"):
                claimed += _claimed_by_run(boxes.read(run_start, 8), run_end - run_start)
    return claimed


def _claimed_by_track(boxes: Boxes, start: int, end: int, file_bytes: int) -> int:
    """Samples of one size need no table (ISO/IEC 14496-12, 8.7.3.2)."""
    handlers = [boxes.read(at + 8, 4) for _, at, _ in boxes.below(start, end, b"mdia", b"hdlr")]
    claimed = 0
    for _, at, _ in boxes.below(start, end, b"mdia", b"minf", b"stbl", b"stsz"):
        size, count = (int.from_bytes(boxes.read(at + offset, 4), "big") for offset in (4, 8))
        # Each value of uncompressed sound is a sample of its own; libavformat keeps those together.
        is_sound = handlers == [b"soun"] and size * count <= file_bytes
        if size and not is_sound:
            claimed = max(claimed, count)
    return claimed


def _claimed_by_run(head: bytes, num_bytes: int) -> int:
    """Samples of a fragment that have all values by default need no table (ISO/IEC 14496-12, 8.8.8)."""
    flags, count = int.from_bytes(head[1:4], "big"), int.from_bytes(head[4:8], "big")
    entry_bytes = 4 * sum(bool(flags & flag) for flag in (0x100, 0x200, 0x400, 0x800))
    return 0 if entry_bytes and count * entry_bytes <= num_bytes else count


class Boxes:
    """The boxes of an mp4 file, read one after another; how many is bounded."""

    def __init__(self, stream: io.FileIO | io.BytesIO, name: str) -> None:
        self._stream = stream
        self._name = name
        self._left = _MAX_BOXES

    def read(self, start: int, count: int) -> bytes:
        """Bytes from a position on."""
        self._stream.seek(start)
        return self._stream.read(count)

    def inside(self, start: int, end: int, wanted: bytes | None = None) -> Iterator[tuple[bytes, int, int]]:
        """Kind, first byte and end of the content of each box, or of those of one kind, between two positions."""
        position = start
        while position + 8 <= end:
            if not self._left:
                raise VideoError(f"{self._name}: has more than {_MAX_BOXES} boxes; re-encode it")
            self._left -= 1
            head = self.read(position, 16)
            size, kind, content = int.from_bytes(head[:4], "big"), head[4:8], position + 8
            if size == 1:
                size, content = int.from_bytes(head[8:16], "big"), position + 16
            box_end = position + size if size else end  # a size of 0 says "up to the end"
            if box_end < content:
                return
            if wanted in (None, kind):
                yield kind, content, min(box_end, end)
            position = box_end

    def below(self, start: int, end: int, *path: bytes) -> Iterator[tuple[bytes, int, int]]:
        """The boxes at a path of kinds below a position."""
        for kind, at, at_end in self.inside(start, end, path[0]):
            if len(path) == 1:
                yield kind, at, at_end
            else:
                yield from self.below(at, at_end, *path[1:])


def _end_of_boxes(stream: io.FileIO | io.BytesIO) -> int:
    """End of the last box at the top level (ISO/IEC 14496-12, 4.2); padding after them is none."""
    file_bytes = stream.seek(0, os.SEEK_END)
    position = 0
    while position < file_bytes:
        stream.seek(position)
        head = stream.read(16)
        size = int.from_bytes(head[:4], "big")
        if size == 1:
            size = int.from_bytes(head[8:16], "big")
        if head[4:8] not in _BOXES or size < 8:  # the end; a size of 0 says "up to the end of the file"
            return position
        position += size
    return position


def _element_size(head: bytes, position: int) -> tuple[int, int | None]:
    """Start of an EBML element's content, and its size; None where it is unknown (all value bits set)."""
    if position >= len(head) or head[position] == 0:
        return position, None
    length = 9 - head[position].bit_length()
    value = int.from_bytes(head[position : position + length], "big") & ((1 << 7 * length) - 1)
    return position + length, None if value == (1 << 7 * length) - 1 else value
