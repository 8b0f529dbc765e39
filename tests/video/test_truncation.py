import io
import struct

import pytest

from opens2v_hf.video.truncation import announced_bytes


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", 8 + len(content)) + kind + content


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (box(b"ftyp", b"isom") + box(b"mdat", bytes(100)), 12 + 108),
        ((box(b"ftyp", b"isom") + box(b"mdat", bytes(100)))[:50], 12 + 108),
        (box(b"ftyp", b"isom") + box(b"mdat", bytes(100)) + bytes(30), 12 + 108),  # padding
        (box(b"ftyp", b"isom") + struct.pack(">I4sQ", 1, b"mdat", 5_000_000_000), 12 + 5_000_000_000),
        (box(b"ftyp", b"isom") + struct.pack(">I4s", 0, b"mdat") + bytes(9), 12),  # up to the end of the file
        (b"RIFF" + struct.pack("<I", 1000) + b"AVI LIST", 1008),
        (b"RIFF" + struct.pack("<I", 0) + b"AVI LIST", None),
        (b"RIFF" + struct.pack("<I", 1000) + b"WAVEfmt ", None),
        # EBML header of 3 bytes, then a segment of 500 bytes (its size in 2 bytes)
        (b"\x1a\x45\xdf\xa3\x83abc\x18\x53\x80\x67\x41\xf4", 5 + 3 + 4 + 2 + 500),
        (b"\x1a\x45\xdf\xa3\x83abc\x18\x53\x80\x67\x01" + b"\xff" * 7, None),  # live: unknown size
        (b"\x1a\x45\xdf\xa3\x83abc\x18\x53\x80\x67", None),
        (b"\x1a\x45\xdf\xa3", None),
        (b"no video at all", None),
        (b"", None),
    ],
)
def test_sizes_that_containers_announce(content, expected):
    assert announced_bytes(io.BytesIO(content)) == expected
