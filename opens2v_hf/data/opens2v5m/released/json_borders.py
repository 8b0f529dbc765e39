"""Byte positions at which entries of a large JSON object begin and JSON values end."""

from __future__ import annotations

import re
from dataclasses import dataclass

import orjson

MAX_KEY_BYTES = 4096
"""Bytes before a border in which its key is searched; ids are far shorter."""

_SPACE = b" \t\r\n"
_NOT_SPACE = re.compile(rb"[^ \t\r\n]")
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+("?)|[{}\[\]]', re.DOTALL)
_SCALAR = re.compile(rb"[^\s,{}\[\]\"]+")


@dataclass(frozen=True)
class Border:
    """The beginning of an entry: `"<id>": {"<first key of the record>"` or `"<id>": [`.

    Inside a JSON string every quote is escaped, so that these bytes occur only where the object is structured so.

    Attributes:
        token: the bytes that are searched for, behind the id.
        opener: what must be between the colon and the token.
    """

    token: bytes = b'"metadata"'
    opener: bytes = b"{"

    @property
    def overlap(self) -> int:
        """How many bytes before the end of a window a border may begin that is seen only with more bytes."""
        return MAX_KEY_BYTES + len(self.token)

    def find(self, window: bytes, begin: int) -> int | None:
        """The position of the id's opening quote in the first entry that begins at `begin` or behind it."""
        position = window.find(self.token, begin)
        while position >= 0:
            quote = self._key_before(window, position, begin)
            if quote is not None:
                return quote
            position = window.find(self.token, position + 1)
        return None

    def count(self, window: bytes) -> int:
        """Number of entries that begin in the window."""
        count, position = 0, self.find(window, 0)
        while position is not None:
            count += 1
            position = self.find(window, position + 1)
        return count

    def _key_before(self, window: bytes, position: int, begin: int) -> int | None:
        end = position
        for expected in (self.opener, b":", b'"'):
            if expected:
                end = strip_space(window, end) - 1
                if end < begin or window[end : end + 1] != expected:
                    return None
        lowest = max(begin, end - MAX_KEY_BYTES)
        quote = window.rfind(b'"', lowest, end)
        while quote >= 0 and _is_escaped(window, quote):
            quote = window.rfind(b'"', lowest, quote)
        return quote if quote >= 0 else None


RECORD_BORDERS = tuple(Border(token=key) for key in (b'"metadata"', b'"word_tags"', b'"annotation"'))
"""First bytes of released records."""

LIST_BORDERS = (Border(token=b"[", opener=b""),)
"""First bytes of entries that are lists."""


def detect_border(head: bytes, begin: int) -> Border:
    """The border of the entries of this object, inferred from its first; `Border()` where that one is unusual.

    >>> detect_border(b'{"a": {"metadata": 1}}', 1)
    Border(token=b'"metadata"', opener=b'{')
    >>> detect_border(b'{"a": ["x"]}', 1)
    Border(token=b'[', opener=b'')
    """
    key = _STRING.match(head, skip_space(head, begin))
    if key is None:
        return Border()
    colon = skip_space(head, key.end())
    value = skip_space(head, colon + 1)
    if head[value : value + 1] == b"[":
        return Border(token=b"[", opener=b"")
    first = _STRING.match(head, skip_space(head, value + 1))
    if head[value : value + 1] != b"{" or first is None:
        return Border()
    return Border(token=first.group())


def skip_space(window: bytes, begin: int) -> int:
    """The position of the first byte from `begin` that is no white space, the window's length if there is none."""
    found = _NOT_SPACE.search(window, begin)
    return len(window) if found is None else found.start()


def strip_space(window: bytes, end: int) -> int:
    """The end of the bytes before `end` without the white space that ends them."""
    while end > 0 and window[end - 1] in _SPACE:
        end -= 1
    return end


def string_end(window: bytes, begin: int) -> int | None:
    """The end of the JSON string that opens at `begin`, None if the window ends within it."""
    found = _STRING.match(window, begin)
    return None if found is None else found.end()


def value_end(window: bytes, begin: int) -> int | None:
    """The end of the JSON value that follows `begin`, None if the window ends within it.

    Only brackets and strings are followed: a value that ends somewhere need not be valid.

    >>> value_end(b' {"a": "}"}, 1', 0)
    11
    """
    begin = skip_space(window, begin)
    scalar = _SCALAR.match(window, begin)
    if scalar is not None:
        return scalar.end() if scalar.end() < len(window) else None
    depth = 0
    for token in _TOKEN.finditer(window, begin):
        first = window[token.start()]
        if first == 0x22:  # a double quote
            if not token.group(1):
                return None
        else:
            depth += 1 if first in b"{[" else -1
        if depth <= 0:
            return token.end()
    return None


def decode_string(encoded: bytes) -> str | None:
    """The text of a JSON string, None if it is not valid."""
    try:
        return orjson.loads(encoded)
    except orjson.JSONDecodeError:
        return None


def _is_escaped(window: bytes, position: int) -> bool:
    backslashes = 0
    while position - backslashes > 0 and window[position - backslashes - 1] == 0x5C:
        backslashes += 1
    return backslashes % 2 == 1
