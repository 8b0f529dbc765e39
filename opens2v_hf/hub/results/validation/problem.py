"""A reason why a submission is refused."""

from __future__ import annotations

import unicodedata
from dataclasses import asdict, dataclass

_SHOWN = 60


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a submission.

    Attributes:
        code: short and stable, for programs, e.g. "total_mismatch".
        where: field or file, e.g. "columns.gmescore"; empty for the whole.
        what: what is wrong, plain text without anything of the submission that could act on a terminal or a page.
        remedy: what to do about it.
    """

    code: str
    where: str
    what: str
    remedy: str

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        return f"{place}{self.what}; {self.remedy} [{self.code}]"

    def to_dict(self) -> dict[str, str]:
        """A JSON-compatible dict of the attributes."""
        return asdict(self)


def shown(text: object) -> str:
    r"""Something of a submission as a message may hold it: short, on one line, harmless.

    Example:
        >>> shown("a\u202eb<script>")
        "'a\\u202eb?script?'"
    """
    plain = str(text)
    short = plain if len(plain) <= _SHOWN else plain[: _SHOWN - 1] + "…"
    return f"'{harmless(short)}'"


def harmless(text: str) -> str:
    """A text without characters that a terminal or a page may act on."""
    return "".join(_harmless(character) for character in text)


def _harmless(character: str) -> str:
    if character in "<>`[]|":
        return "?"
    if unicodedata.category(character)[0] == "C" or character in "\u2028\u2029":
        return character.encode("unicode_escape", "surrogatepass").decode()
    return character
