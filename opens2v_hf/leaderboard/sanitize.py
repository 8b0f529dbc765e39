"""Text of submissions made safe to display: names, teams, links, cells of a spreadsheet."""

from __future__ import annotations

import re
import unicodedata

from opens2v_hf.hub.links import link_problems

LONGEST_NAME = 80
_FORMULA_START = re.compile(r"(?:^|(?<=;))(\s*)(?=[=+\-@＝＋－＠−|%])")
"""The start of a formula in a spreadsheet: at the start of a cell, or after a semicolon, which may separate cells."""


def plain(text: str, *, longest: int = LONGEST_NAME) -> str:
    r"""Text on one line, without invisible and direction characters, and cut to a length.

    It is not escaped.

    Example:
        >>> plain("VACE\u202e-14B\n\x00"), plain("x" * 100, longest=5)
        ('VACE-14B', 'xxxx…')
    """
    seen = "".join(
        character for character in text if character.isspace() or not unicodedata.category(character).startswith("C")
    )
    seen = " ".join(seen.split())
    return seen if len(seen) <= longest else f"{seen[: longest - 1]}…"


def web_link(link: str) -> str | None:
    """The address of a public web page, unchanged; None for anything else.

    Example:
        >>> web_link("https://github.com/ali-vilab/VACE")
        'https://github.com/ali-vilab/VACE'
        >>> [web_link(link) for link in ("javascript:alert(1)", "//x.org", "http://localhost/", "https://10.0.0.1/")]
        [None, None, None, None]
    """
    return link if link and not any(link_problems("link", link)) else None


def spreadsheet_text(text: str) -> str:
    """Text for a spreadsheet, with an apostrophe before the start of a formula.

    Example:
        >>> spreadsheet_text("=HYPERLINK(1)"), spreadsheet_text("VACE-14B")
        ("'=HYPERLINK(1)", 'VACE-14B')
        >>> spreadsheet_text("VACE;=1+1")
        "VACE;'=1+1"
    """
    return _FORMULA_START.sub(r"\1'", plain(text, longest=500))
