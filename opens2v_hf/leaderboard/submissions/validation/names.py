"""Names of models that are too similar for one table."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

from confusable_homoglyphs import categories, confusables

from opens2v_hf.leaderboard.submissions.validation.text import is_hidden
from opens2v_hf.results.problem import Problem, shown

_SAME_LOOK = str.maketrans({"0": "o", "1": "l", "i": "l", "|": "l"})
_POINT = re.compile(r"(?<=\d)[,:;·‧∙⋅](?=\d)")
_SEPARATOR = re.compile(r"(?<!\d)\.|\.(?!\d)|[^\w.]|_")


@lru_cache(maxsize=4096)
def confusable_key(name: str) -> str:
    """Normalise a name so that visually confusable names compare equal (UTS #39).

    Case, accents, separators and letters of other scripts that look like Latin ones make no difference; a point
    between digits does, and is the same as a comma, a colon or a raised point there.

    Examples:
        >>> confusable_key("VACE-14B") == confusable_key("Vасе 14b")  # the second with Cyrillic letters
        True
        >>> confusable_key("Wan2.1") == confusable_key("Wan21")
        False
    """
    return "".join(_reduce(unicodedata.normalize("NFKC", name))).translate(_SAME_LOOK).replace("rn", "m")


def name_problems(where: str, name: str) -> Iterator[Problem]:
    """The problems of a single name: letters of other scripts that look like Latin ones, among Latin letters."""
    if not any("a" <= c.lower() <= "z" for c in name):
        if not any(c.isalnum() for c in name):
            yield Problem("no_letters", where, f"{shown(name)} has neither letters nor digits", "give the model's name")
        return
    for character in name:
        latin = _latin_twin(character)
        if latin is not None:
            script = categories.alias(character).lower()
            what = f"{shown(name)} has a {script} character that looks like {shown(latin)} among Latin letters"
            yield Problem("mixed_scripts", where, what, f"write it with {shown(latin)}")
            return


def _reduce(name: str) -> Iterator[str]:
    twins = "".join(_latin_twin(character) or character for character in _without_marks(name))
    visible = "".join(c for c in _without_marks(twins.casefold()) if not is_hidden(c))
    visible = _POINT.sub(".", visible)
    yield from "".join(_latin_twin(character) or character for character in _SEPARATOR.sub("", visible)).casefold()


def _without_marks(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKD", text) if unicodedata.category(c) not in ("Mn", "Me"))


def _latin_twin(character: str) -> str | None:
    """The ASCII letters or digits that a character outside ASCII looks like."""
    if character.isascii():
        return None
    for twin in confusables.confusables_data.get(character, ()):
        if twin["c"].isascii() and twin["c"].isalnum():
            return twin["c"]
    return None
