"""Text from outside (names of files and models, fields of records) made safe for messages, lines and pages."""

from __future__ import annotations

import unicodedata

UNPRINTABLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode's categories of what moves the cursor, hides or turns text around."""

MAX_LINE = 1000
A_LINE = f"a string of at most {MAX_LINE} printable characters"

_LINE_FORMAT = frozenset("\n\t")
_MARKUP = frozenset("<>`[]|")
_MAX_QUOTED = 60


def printable(text: str) -> str:
    r"""A text whose control characters, except ends of lines and tabs, are escaped.

    Example:
        >>> printable("bell\x07, red \x1b[31m")
        'bell\\x07, red \\x1b[31m'
    """
    return "".join(
        letter if letter in _LINE_FORMAT or not _is_unprintable(letter) else _escape(letter) for letter in text
    )


def one_line(text: str) -> str:
    r"""A text within a line: all its control characters are escaped.

    Example:
        >>> one_line("two\nlines")
        'two\\nlines'
    """
    return "".join(_escape(letter) if _is_unprintable(letter) else letter for letter in text)


def reason_of(error: BaseException, most: int = 300) -> str:
    """The text of an error in one line of at most `most` characters; its type if it has no text.

    Example:
        >>> reason_of(ValueError("two   words")), reason_of(ValueError())
        ('two words', 'ValueError')
    """
    return " ".join(str(error).split())[:most] or type(error).__name__


def count_of(number: int, noun: str) -> str:
    """A number and its noun.

    Example:
        >>> count_of(1, "video"), count_of(0, "video")
        ('1 video', '0 videos')
    """
    return f"{number} {noun}" + "s" * (number != 1)


def is_unicode(text: str) -> bool:
    """False for a text with half of a surrogate pair, which JSON can hold, and no file, tokenizer or terminal takes."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_line(value: str) -> bool:
    """Whether a string can be printed in one line: no control characters, no half characters, at most `MAX_LINE`."""
    return len(value) <= MAX_LINE and not any(map(_is_unprintable, value))


def as_line(value: str) -> str:
    r"""A string for which `is_line` holds.

    Example:
        >>> as_line("bell\x07 and\nbreak")
        'bell\\x07 and\\nbreak'
    """
    return one_line(value)[:MAX_LINE]


def harmless(text: str) -> str:
    r"""A text on one line without characters that a terminal or a page may act on.

    Example:
        >>> harmless("a\u202eb<script>")
        'a\\u202eb?script?'
    """
    return "".join(map(_harmless, text))


def shown(text: object) -> str:
    r"""Something of a record from outside in quotes: short and harmless.

    Example:
        >>> shown("a|b")
        "'a?b'"
    """
    full = str(text)
    return f"'{harmless(full if len(full) <= _MAX_QUOTED else full[: _MAX_QUOTED - 1] + '…')}'"


def _harmless(letter: str) -> str:
    if letter in _MARKUP:
        return "?"
    category = unicodedata.category(letter)
    return _escape(letter) if category[0] == "C" or category in UNPRINTABLE else letter


def _is_unprintable(letter: str) -> bool:
    return unicodedata.category(letter) in UNPRINTABLE


def _escape(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")
