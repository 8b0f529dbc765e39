"""How long a file says it is: demuxers do not mind where the end is missing, and then frames are missing, too."""

from __future__ import annotations

from typing import BinaryIO

_EBML_HEADER = b"\x1a\x45\xdf\xa3"
_MATROSKA_SEGMENT = b"\x18\x53\x80\x67"
_BOXES = {
    b"ftyp", b"styp", b"moov", b"moof", b"mdat", b"mfra", b"sidx", b"free", b"skip", b"wide", b"meta", b"uuid", b"emsg",
}  # fmt: skip
_HEAD_BYTES = 4096


def announced_bytes(stream: BinaryIO) -> int | None:
    """Size in bytes that an mp4, mov, Matroska, WebM or AVI file announces for itself; more may follow in the file.

    None for other containers, and for a live recording that never knew its length.
    """
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


def _end_of_boxes(stream: BinaryIO) -> int:
    """Where the last of the boxes at the top level ends (ISO/IEC 14496-12, 4.2); padding after them is none."""
    position = 0
    while True:
        stream.seek(position)
        head = stream.read(16)
        size = int.from_bytes(head[:4], "big")
        if size == 1:
            size = int.from_bytes(head[8:16], "big")
        if head[4:8] not in _BOXES or size < 8:  # the end; a size of 0 says "up to the end of the file"
            return position
        position += size


def _element_size(head: bytes, position: int) -> tuple[int, int | None]:
    """Where an EBML element's content starts, and its size; None where it is unknown (all value bits set)."""
    if position >= len(head) or head[position] == 0:
        return position, None
    length = 9 - head[position].bit_length()
    value = int.from_bytes(head[position : position + length], "big") & ((1 << 7 * length) - 1)
    return position + length, None if value == (1 << 7 * length) - 1 else value
