"""Text that others will see in tables, pages and spreadsheets."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from opens2v_hf.hub.results.validation.problem import Problem, shown

FORMULA_STARTS = tuple("=+-@\t\r\n")
"""With these a spreadsheet takes a cell for a formula."""

_MARKUP = re.compile(r"[<>`\[\]{}|\\*\"$^]|~~|&#?\w+;|^\s*#|://|\bwww\.|\b(?:javascript|vbscript|data|file)\s*:", re.I)
_MAX_MARKS_IN_A_ROW = 2


def text_problems(where: str, text: str, *, longest: int, shortest: int = 0, markup: bool = True) -> Iterator[Problem]:
    """What is wrong with a piece of text.

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
    if hidden := next((c for c in text if _is_hidden(c)), None):
        code = hidden.encode("unicode_escape", "surrogatepass").decode()
        yield Problem("hidden_character", where, f"holds the invisible or control character {code}", "remove it")
    elif markup and unicodedata.normalize("NFKC", text) != text:
        what = f"{shown(text)} is not in Unicode's normal form NFKC"
        yield Problem("not_normalised", where, what, f"write {shown(unicodedata.normalize('NFKC', text))}")
    if not markup:
        return
    if text != text.strip() or "  " in text:
        yield Problem("spaces", where, f"{shown(text)} has spaces too many", "use single spaces, none at the ends")
    if text.startswith(FORMULA_STARTS):
        yield Problem(
            "formula", where, f"{shown(text)} begins like a spreadsheet formula", "begin with a letter or digit"
        )
    if found := _MARKUP.search(text):
        yield Problem("markup", where, f"{shown(text)} holds {shown(found[0])}, which is markup", "use plain text")
    if _marks_in_a_row(text) > _MAX_MARKS_IN_A_ROW:
        yield Problem("stacked_marks", where, f"{shown(text)} stacks combining marks", "use plain letters")


def _is_hidden(character: str) -> bool:
    category = unicodedata.category(character)
    return category in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp") or (category == "Zs" and character != " ")


def _marks_in_a_row(text: str) -> int:
    most = run = 0
    for character in text:
        run = run + 1 if unicodedata.category(character) in ("Mn", "Me") else 0
        most = max(most, run)
    return most
