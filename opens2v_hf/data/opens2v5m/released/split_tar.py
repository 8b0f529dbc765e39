"""A tar that was cut into pieces, read as one file without joining or extracting it.

The released videos are in `Videos/total_partN/total_partN.tar.split.NNN`. A member may begin in one piece and end in
another.
"""

from __future__ import annotations

import io
import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from opens2v_hf.data.opens2v5m.released.byte_source import ByteSource, shown_url
from opens2v_hf.errors import SourceError

_PIECE = re.compile(r"(?P<stem>.+\.tar)\.split\.(?P<number>\d+)$")
_READ_AHEAD_BYTES = 8192
_LARGEST_READ = 16 << 20


@dataclass(frozen=True)
class Span:
    """A run of bytes in one file.

    Attributes:
        url: path or URL of the file.
        offset: of the first byte.
        length: in bytes.
    """

    url: str
    offset: int
    length: int


def order_pieces(paths: Iterable[str]) -> list[str]:
    """The pieces of one tar in their order.

    Args:
        paths: of all pieces, in any order; a single whole `.tar` is one piece.

    Raises:
        SourceError: there is none, one is missing from the sequence, or they belong to different tars. A piece that is
            missing at the end shows only in the tar itself, which then ends too early.

    >>> order_pieces(["a.tar.split.010", "a.tar.split.009"])
    Traceback (most recent call last):
    ...
    opens2v_hf.errors.SourceError: a.tar: piece 000 is missing: 2 pieces from 009 to 010 are there (9 are missing)
    """
    paths = list(paths)
    if len(paths) == 1 and paths[0].endswith(".tar"):
        return paths
    numbered: dict[int, str] = {}
    stems = set()
    for path in paths:
        found = _PIECE.match(path)
        if found is None:
            raise SourceError(f"{shown_url(path)} is no piece of a split tar: its name must end in .tar.split.<number>")
        stems.add(found["stem"])
        number = int(found["number"])
        if number in numbered and len(stems) == 1:
            one, other = shown_url(numbered[number]), shown_url(path)
            raise SourceError(f"two files are piece {number} of one tar: {one} and {other}; remove one")
        numbered[number] = path
    if not numbered:
        raise SourceError("there are no pieces of a split tar (files named *.tar.split.<number>)")
    if len(stems) > 1:
        raise SourceError(f"pieces of different tars cannot be read as one: {', '.join(sorted(stems))}")
    first = min(numbered.keys() & {0, 1}, default=0)
    last = max(numbered)
    missing = [number for number in range(first, last + 1) if number not in numbered]
    if missing:
        raise SourceError(
            f"{stems.pop()}: piece {missing[0]:03d} is missing: {len(numbered)} pieces from {min(numbered):03d} to "
            f"{last:03d} are there ({len(missing)} are missing)"
        )
    return [numbered[number] for number in sorted(numbered)]


class SplitTar:
    """The bytes of a split tar.

    Attributes:
        size: of all pieces together, in bytes.
    """

    def __init__(self, pieces: Sequence[ByteSource]) -> None:
        self.pieces = tuple(pieces)
        self._by_url = {piece.url: piece for piece in self.pieces}
        self._ends = list(accumulate(piece.size for piece in self.pieces))
        self.size = self._ends[-1] if self._ends else 0

    def spans(self, offset: int, length: int) -> tuple[Span, ...]:
        """The location of some bytes: one span for each piece that holds a part of them.

        Raises:
            SourceError: the tar has no such bytes.
        """
        if offset < 0 or length < 0 or offset + length > self.size:
            names = shown_url(self.pieces[0].url) if self.pieces else "an empty tar"
            raise SourceError(f"{names}: bytes {offset} to {offset + length} are outside the tar of {self.size} bytes")
        spans = []
        while length > 0:
            number = bisect_right(self._ends, offset)
            within = offset - (self._ends[number] - self.pieces[number].size)
            count = min(length, self.pieces[number].size - within)
            spans.append(Span(self.pieces[number].url, within, count))
            offset += count
            length -= count
        return tuple(spans)

    def locate(self, offset: int) -> tuple[int, int]:
        """The number of the piece (from 0) and the offset in it of a byte of the tar."""
        number = min(bisect_right(self._ends, offset), len(self.pieces) - 1)
        return number, offset - (self._ends[number] - self.pieces[number].size)

    def offset_of(self, piece: int, offset: int) -> int:
        """The offset in the tar of a byte of a piece; the inverse of `locate`."""
        return self._ends[piece] - self.pieces[piece].size + offset

    def read(self, offset: int, length: int) -> bytes:
        """Bytes of the tar, fewer only where it ends.

        Raises:
            SourceError: a piece cannot be read, or is shorter than it was.
        """
        length = max(0, min(length, self.size - offset))
        parts = []
        for span in self.spans(offset, length):
            part = self._by_url[span.url].read(span.offset, span.length)
            if len(part) != span.length:
                raise SourceError(
                    f"{shown_url(span.url)} ends before byte {span.offset + span.length}: it changed while in use"
                )
            parts.append(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)


class SplitTarFile(io.RawIOBase):
    """A seekable file over a split tar, for `tarfile`, which reads headers and seeks past the content of members.

    Small reads come from one read ahead of a few blocks: a header, its extensions and the next header are often
    neighbours.
    """

    def __init__(self, tar: SplitTar) -> None:
        super().__init__()
        self._tar = tar
        self._position = 0
        self._ahead = b""
        self._ahead_offset = 0

    def readable(self) -> bool:
        """See `io.IOBase`."""
        return True

    def seekable(self) -> bool:
        """See `io.IOBase`."""
        return True

    def tell(self) -> int:
        """See `io.IOBase`."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """See `io.IOBase`."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._tar.size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def read(self, size: int = -1) -> bytes:
        """See `io.RawIOBase`; only at the end it gives fewer bytes than `size`."""
        left = max(0, self._tar.size - self._position)
        size = left if size is None or size < 0 else min(size, left)
        if size > _LARGEST_READ:
            raise SourceError(f"a header of {size} bytes at byte {self._position} of a tar: it is damaged or hostile")
        begin = self._position - self._ahead_offset
        if begin < 0 or begin + size > len(self._ahead):
            self._ahead = self._tar.read(self._position, max(size, _READ_AHEAD_BYTES))
            self._ahead_offset = self._position
            begin = 0
        self._position += size
        return self._ahead[begin : begin + size]

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """See `io.RawIOBase`."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)
