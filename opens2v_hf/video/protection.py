"""Whether the pictures of a file can be seen without a key."""

from __future__ import annotations

import io
import os

from opens2v_hf.video.truncation import Boxes

_PROTECTED = b"encv"
_HEAD_BYTES = 8  # of a sample description: version, flags and the number of entries (ISO/IEC 14496-12, 8.5.2)


def is_encrypted(stream: io.FileIO | io.BytesIO, name: str) -> bool:
    """Whether an mp4 or mov file says that its pictures are encrypted (ISO/IEC 14496-12, 8.12); False for other files.

    libavformat shows such a stream under the codec below the encryption, and its decoder then fails as on damage.

    Raises:
        VideoError: if the file has more boxes than any video.
    """
    boxes = Boxes(stream, name)
    end_of_file = stream.seek(0, os.SEEK_END)
    for _, start, end in boxes.below(0, end_of_file, b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd"):
        if any(kind == _PROTECTED for kind, _, _ in boxes.inside(start + _HEAD_BYTES, end)):
            return True
    return False
