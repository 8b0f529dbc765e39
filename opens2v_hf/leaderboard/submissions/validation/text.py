"""Text that others will see in tables, pages and spreadsheets."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from opens2v_hf.results.problem import Problem, shown

_FORMULA = re.compile(r"(?:^|;\s*)[=+\-−@\t\r\n]")
"""With these a spreadsheet takes a cell for a formula; where a comma is for decimals, cells end at a semicolon."""

_MARKUP = re.compile(
    r"\bon\w+\s*=|['’].*=|[<>`\[\]{}|\\*\"$^]|~~|(?<!\w)__\w|&\w+;|&#|&(?:lt|gt|amp|quot|apos|nbsp)\b|%[0-9a-f]{2}"
    r"|^\s*#|\s#\d|//|\bwww\.|\b(?:javascript|vbscript|data|file|https?|ftp|mailto)\s*:"
    r"|(?<!\w)@\w|\w@\w+\.[a-z]{2}|(?<!\S):\w+:(?!\S)",
    re.I,
)
"""HTML, templates, Markdown and its links, mentions, references and emoji, and percent-encoding. With a quotation mark
and an equals sign after it, a name could leave an attribute of a page and begin another."""
_MAX_MARKS_IN_A_ROW = 2

_BLANKS = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0"
    + "".join(map(chr, (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))))
)
"""Letters, marks and symbols of which nothing is drawn: Unicode's Default_Ignorable_Code_Point beyond the controls, and
the empty braille cell."""


def text_problems(where: str, text: str, *, longest: int, shortest: int = 0, markup: bool = True) -> Iterator[Problem]:
    """The problems of a text.

    Args:
        where: the field.
        text: its value.
        longest: characters that it may have.
        shortest: characters that it must have.
        markup: whether to refuse unusual forms of characters, and what a page or a spreadsheet may act on, too.
    """
    if not shortest <= len(text) <= longest:
        yield Problem("length", where, f"has {len(text)} characters", f"use {shortest} to {longest}")
        return
    if hidden := next((c for c in text if is_hidden(c)), None):
        code = hidden.encode("unicode_escape", "surrogatepass").decode()
        yield Problem("hidden_character", where, f"holds the invisible or control character {code}", "remove it")
    elif markup and unicodedata.normalize("NFKC", text) != text:
        what = f"{shown(text)} is not in Unicode's normal form NFKC"
        yield Problem("not_normalised", where, what, f"write {shown(unicodedata.normalize('NFKC', text))}")
    if not markup:
        return
    if text != text.strip() or "  " in text:
        yield Problem("spaces", where, f"{shown(text)} has spaces too many", "use single spaces, none at the ends")
    if _FORMULA.search(text):
        what = f"{shown(text)} is what a spreadsheet takes for a formula"
        yield Problem("formula", where, what, "begin with a letter or digit, also after a semicolon")
    if found := _MARKUP.search(text):
        yield Problem("markup", where, f"{shown(text)} holds {shown(found[0])}, which is markup", "use plain text")
    if _marks_in_a_row(text) > _MAX_MARKS_IN_A_ROW:
        yield Problem("stacked_marks", where, f"{shown(text)} stacks combining marks", "use plain letters")


def is_hidden(character: str) -> bool:
    """Whether a character acts on others, or is not seen: controls, unusual spaces, fillers, variation selectors."""
    category = unicodedata.category(character)
    return (
        category in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
        or (category == "Zs" and character != " ")
        or character in _BLANKS
    )


def _marks_in_a_row(text: str) -> int:
    most = run = 0
    for character in text:
        run = run + 1 if unicodedata.category(character) in ("Mn", "Me") else 0
        most = max(most, run)
    return most
