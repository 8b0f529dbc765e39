"""One JSON object of tens of GB, read a record at a time.

The released records and pairs are single JSON objects `{id: record, ...}` of up to 66 GB. `read_object` yields their
entries in memory that does not grow with the file. It finds the end of a record by a search for the bytes that begin
the next one, and parses the bytes between them with orjson. A wrong cut never parses as one whole value, so a value
that parses proves its borders; where it does not parse, a slower scan follows the brackets and strings and tells a
wrong guess from a malformed record.

A large object can be read in parts: `byte_ranges` names them, and each entry belongs to exactly one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import orjson

from opens2v_hf.data.opens2v5m.released.byte_source import ByteSource, shown_url
from opens2v_hf.data.opens2v5m.released.json_borders import (
    Border,
    decode_string,
    detect_border,
    skip_space,
    string_end,
    strip_space,
    value_end,
)
from opens2v_hf.errors import ArgumentError, SampleError, SourceError

MAX_RECORD_BYTES = 16 << 20
"""A record longer than this is malformed; real ones have some 100 KB."""

FIRST_READ = 1 << 16
VOTING_BYTES = 1 << 20
LARGEST_READ = 4 << 20
"""Reads grow from the first, so that the first record comes at once, to the largest."""

_LOOK_BEHIND = 64

OnError = Literal["raise", "skip"]


class Entry(NamedTuple):
    """One entry of the object.

    Attributes:
        key: the record's id.
        value: what it holds.
        byte_offset: of the key's opening quote in the file.
    """

    key: str
    value: Any
    byte_offset: int


@dataclass(frozen=True)
class Malformed:
    """An entry that could not be read.

    Attributes:
        source: path or URL of the file.
        key: the record's id, None where not even that can be read.
        byte_offset: where the entry begins; None for a row of a Parquet file.
        reason: what is wrong with it.
    """

    source: str
    key: str | None
    byte_offset: int | None
    reason: str

    def __str__(self) -> str:
        what = "an entry without a readable id" if self.key is None else f"record {self.key!r}"
        where = "" if self.byte_offset is None else f" at byte {self.byte_offset}"
        return f"{shown_url(self.source)}: {what}{where}: {self.reason}"


def byte_ranges(size: int, step: int = 256 << 20) -> list[tuple[int, int]]:
    """Cuts a file into ranges for `read_object`.

    >>> byte_ranges(1000, 400)
    [(0, 400), (400, 800), (800, 1000)]
    """
    if step < 1:
        raise ArgumentError(f"a byte range must have at least one byte (got {step=})")
    return [(start, min(start + step, size)) for start in range(0, max(size, 1), step)]


def read_object(
    source: ByteSource,
    *,
    start: int = 0,
    stop: int | None = None,
    on_error: OnError = "raise",
    report: Callable[[Malformed], None] | None = None,
    borders: tuple[Border, ...] = (),
    max_record_bytes: int = MAX_RECORD_BYTES,
) -> Iterator[Entry]:
    """The entries of a file that holds one JSON object, in the file's order.

    `NaN` and `Infinity`, which Python's json writes, are read as such.

    Args:
        source: the file.
        start: with `stop`, a range as `byte_ranges` cuts them: the entries whose first byte, as far as the search for
            borders can tell, lies within it. Over all ranges of a file every entry comes exactly once.
        stop: the end of the range, None for the end of the file.
        on_error: "raise" ends at the first malformed entry, "skip" continues with the one after it.
        report: called with each malformed entry that is skipped.
        borders: what an entry can begin with; without, that is inferred from the first entry, and if that one is
            damaged the others are not found.
        max_record_bytes: no entry may be longer. Memory is bounded by a small multiple of it.

    Raises:
        SampleError: the file holds no JSON object, or, with "raise", an entry is malformed.
        SourceError: the file cannot be read.
    """
    if on_error not in ("raise", "skip"):
        raise ArgumentError(f"on_error must be 'raise' or 'skip' (got {on_error=})")
    return _ObjectReader(source, start, stop, on_error, report, borders, max_record_bytes).entries()


class _Broken(Exception):  # noqa: N818 - control flow within this module, never seen outside
    def __init__(self, key: str | None, reason: str) -> None:
        super().__init__(reason)
        self.key = key
        self.reason = reason


class _ObjectReader:
    """A window on the file that slides from border to border.

    `_position` is the index of an entry's opening quote (or of what is there instead) in the window.
    """

    def __init__(
        self,
        source: ByteSource,
        start: int,
        stop: int | None,
        on_error: OnError,
        report: Callable[[Malformed], None] | None,
        borders: tuple[Border, ...],
        max_record_bytes: int,
    ) -> None:
        self._source = source
        self._start = start
        self._stop = source.size if stop is None else stop
        self._on_error = on_error
        self._report = report
        self._max_record_bytes = max_record_bytes
        self._borders = borders
        self._border = Border()
        self._window = b""
        self._base = 0
        self._position = 0
        self._next_read = FIRST_READ
        self._ended = False

    def entries(self) -> Iterator[Entry]:
        head = self._source.read(0, FIRST_READ)
        opening = skip_space(head, 3 if head.startswith(b"\xef\xbb\xbf") else 0)
        if head[opening : opening + 1] != b"{":
            found = "is empty" if opening == len(head) else f"begins with {head[opening : opening + 20]!r}"
            name = shown_url(self._source.url)
            raise SampleError(f"{name} must hold one JSON object {{id: record, ...}}, but it {found}")
        self._border = self._choose_border(head) if self._borders else detect_border(head, opening + 1)
        if self._start <= opening:
            self._window, self._position = head, skip_space(head, opening + 1)
        else:
            first = _find_from(self._source, self._border, self._start)
            if first is None:
                return
            self._move_to(first)
        last = self._first_of_next_range()
        while self._base + self._position < last:
            try:
                entry = self._next_entry()
            except _Broken as broken:
                self._skip(broken)
            else:
                if entry is not None:
                    yield entry
        if last == self._source.size and not self._ended:
            self._report_malformed(None, self._position, "the file ends before the object is closed")

    def _choose_border(self, head: bytes) -> Border:
        """The one that most entries at the beginning of the file have; a damaged entry does not decide it."""
        if len(self._borders) == 1:
            return self._borders[0]
        counts = [border.count(head) for border in self._borders]
        if sum(count > 0 for count in counts) != 1:
            head = self._source.read(0, VOTING_BYTES)
            counts = [border.count(head) for border in self._borders]
        return self._borders[counts.index(max(counts))]

    def _first_of_next_range(self) -> int:
        """The end of the last entry, for which bytes behind the range are read."""
        if self._stop >= self._source.size:
            return self._source.size
        found = _find_from(self._source, self._border, self._stop)
        return self._source.size if found is None else found

    def _next_entry(self) -> Entry | None:
        """The entry at the position, None where the object ends there; moves on to the next.

        Raises:
            _Broken: the entry is malformed; the position stays.
        """
        if self._position > len(self._window) // 2:
            self._window = self._window[self._position :]
            self._base += self._position
            self._position = 0
        if self._position == len(self._window):
            self._grow()
        begin = self._position
        first = self._window[begin : begin + 1]
        if first == b"}":
            self._finish()
            return None
        if first != b'"':
            raise _Broken(None, "it should begin with an id in double quotes")
        key_end = self._scan(lambda: string_end(self._window, begin))
        if key_end is None:
            raise _Broken(None, "its id does not end")
        key = decode_string(self._window[begin:key_end])
        if key is None:
            raise _Broken(None, "its id is no valid JSON string")
        colon = self._scan(lambda: self._after_space(key_end))
        if colon is None or self._window[colon : colon + 1] != b":":
            raise _Broken(key, "there is no colon behind its id")
        return self._read_value_fast(key, colon + 1) or self._read_value_carefully(key, colon + 1)

    def _read_value_fast(self, key: str, value_begin: int) -> Entry | None:
        """The entry if all up to the next border, or to the end of the object, is one value."""
        following = self._next_border(value_begin)
        if following is None and not self._at_end:
            return None
        is_last = following is None
        end = strip_space(self._window, len(self._window) if following is None else following) - 1
        if end < value_begin or self._window[end : end + 1] != (b"}" if is_last else b","):
            return None
        try:
            value = orjson.loads(memoryview(self._window)[value_begin:end])
        except orjson.JSONDecodeError:
            return None
        entry = Entry(key, value, self._base + self._position)
        self._ended = is_last
        self._position = len(self._window) if following is None else following
        return entry

    def _read_value_carefully(self, key: str, value_begin: int) -> Entry | None:
        end = self._scan(lambda: value_end(self._window, value_begin))
        if end is None:
            self._ended = self._at_end
            too_long = len(self._window) - self._position > self._max_record_bytes
            reason = f"it is longer than {self._max_record_bytes} bytes" if too_long else "the file ends within it"
            raise _Broken(key, reason)
        try:
            value = _decode_value(self._window[value_begin:end])
        except ValueError as error:
            raise _Broken(key, f"it is no valid JSON: {error}") from error
        after = self._scan(lambda: self._after_space(end))
        entry = Entry(key, value, self._base + self._position)
        if after is None:
            if self._border.find(self._window, value_begin) is not None:
                raise _Broken(key, "it does not end before the next record begins")
            self._position = len(self._window)
        elif self._window[after : after + 1] == b"}":
            self._position = after
        elif self._window[after : after + 1] == b",":
            following = self._scan(lambda: self._after_space(after + 1))
            self._position = len(self._window) if following is None else following
        else:
            found = self._window[after : after + 1]
            raise _Broken(key, f"a comma or a closing brace must follow it, not {found!r}")
        return entry

    def _finish(self) -> None:
        begin = self._position + 1
        trailing = self._scan(lambda: self._after_space(begin))
        self._ended = True
        if trailing is None:
            self._move_to(None)
        else:
            # A brace too many ends the object early: the entries that follow are read nevertheless.
            self._report_malformed(None, trailing, "there are bytes behind the end of the object")
            self._move_to(_find_from(self._source, self._border, self._base + trailing))

    def _skip(self, broken: _Broken) -> None:
        self._report_malformed(broken.key, self._position, broken.reason)
        found = _find_from(self._source, self._border, self._base + self._position + 1)
        # What the search passed over belongs to the malformed entry, the end of the object too.
        self._ended = self._ended or found is None
        self._move_to(found)

    def _report_malformed(self, key: str | None, position: int, reason: str) -> None:
        malformed = Malformed(self._source.url, key, self._base + position, reason)
        if self._on_error == "raise":
            raise SampleError(f'{malformed}. Repair the file, or leave the record out with on_error="skip"')
        if self._report is not None:
            self._report(malformed)

    def _move_to(self, offset: int | None) -> None:
        """Puts the window at an offset of the file, None for its end."""
        self._base = self._source.size if offset is None else offset
        self._window, self._position = b"", 0

    def _next_border(self, begin: int) -> int | None:
        """The position of the next entry; None if there is none up to the file's end or within `max_record_bytes`."""
        searched = begin
        while (found := self._border.find(self._window, searched)) is None:
            searched = max(begin, len(self._window) - self._border.overlap)
            if not self._grow():
                return None
        return found

    def _scan(self, find: Callable[[], int | None]) -> int | None:
        """Repeats a search in a growing window until it finds something, the file ends or the entry is too long."""
        while (found := find()) is None:
            if not self._grow():
                return None
        return found

    def _after_space(self, begin: int) -> int | None:
        position = skip_space(self._window, begin)
        return position if position < len(self._window) else None

    @property
    def _at_end(self) -> bool:
        return self._base + len(self._window) >= self._source.size

    def _grow(self) -> bool:
        """Reads on, unless the file ends or the entry at the position is already too long."""
        if self._at_end or len(self._window) - self._position > self._max_record_bytes:
            return False
        data = self._source.read(self._base + len(self._window), self._next_read)
        if not data:
            name = shown_url(self._source.url)
            raise SourceError(f"{name} ends before byte {self._source.size}: it changed while it was read")
        self._next_read = min(self._next_read * 2, LARGEST_READ)
        self._window += data
        return True


def _find_from(source: ByteSource, border: Border, offset: int) -> int | None:
    """The offset of the first entry that begins at `offset` or behind it."""
    # Bytes before the offset tell whether a quote right there is escaped.
    base = max(0, offset - _LOOK_BEHIND)
    window = source.read(base, _LOOK_BEHIND + FIRST_READ)
    begin = offset - base
    step = FIRST_READ
    while (found := border.find(window, begin)) is None:
        end = base + len(window)
        step = min(2 * step, LARGEST_READ)
        data = source.read(end, step)
        if not data:
            return None
        overlap = min(len(window), border.overlap + _LOOK_BEHIND)
        base, window = end - overlap, window[len(window) - overlap :] + data
        begin = max(offset - base, min(_LOOK_BEHIND, overlap))
    return base + found


def _decode_value(encoded: bytes) -> Any:
    """Decodes as Python's json does, which knows NaN and large whole numbers, but refuses what is no Unicode text.

    Raises:
        ValueError: it is no valid JSON.
    """
    try:
        value = json.loads(encoded)
        if b"\\ud" in encoded.lower():
            json.dumps(value, ensure_ascii=False).encode()
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    return value
