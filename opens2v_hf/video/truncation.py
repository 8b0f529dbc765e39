"""How long a file says it is, for the containers whose readers do not notice that the end is missing.

mp4 needs no such check: its table of frames tells which bytes each of them needs.
"""

from __future__ import annotations

from typing import BinaryIO

_EBML_HEADER = b"\x1a\x45\xdf\xa3"
_MATROSKA_SEGMENT = b"\x18\x53\x80\x67"
_HEAD_BYTES = 4096


def announced_bytes(stream: BinaryIO) -> int | None:
    """Size in bytes that a Matroska, WebM or AVI file announces for itself.

    None for other containers, and for a live recording that never knew its length.
    """
    head = stream.read(_HEAD_BYTES)
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        size = int.from_bytes(head[4:8], "little")
        return None if size in (0, 0xFFFFFFFF) else 8 + size
    if head[:4] == _EBML_HEADER:
        position, header = _element_size(head, 4)
        if header is not None and head[position + header : position + header + 4] == _MATROSKA_SEGMENT:
            start, segment = _element_size(head, position + header + 4)
            return None if segment is None else start + segment
    return None


def _element_size(head: bytes, position: int) -> tuple[int, int | None]:
    """Where an EBML element's content starts, and its size; None where it is unknown (all value bits set)."""
    if position >= len(head) or head[position] == 0:
        return position, None
    length = 9 - head[position].bit_length()
    value = int.from_bytes(head[position : position + length], "big") & ((1 << 7 * length) - 1)
    return position + length, None if value == (1 << 7 * length) - 1 else value
