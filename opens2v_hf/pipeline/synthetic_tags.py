"""The tags of the captions of synthetic scenes, by the grammar in which those are written."""

from __future__ import annotations

import re

from opens2v_hf.data.synthetic import vocabulary as words


def _one_of(choices: object) -> str:
    return "(?:" + "|".join(re.escape(str(choice)) for choice in choices) + ")"  # type: ignore[attr-defined]


_COLOUR, _HAIR = _one_of(words.COLOURS), _one_of(words.HAIR)
_TEXTURE = _one_of([texture for texture in words.TEXTURES if texture != "plain"])
_PERSON = re.compile(
    rf"\b(?:face of a )?{_one_of(words.GENDERS)} with {_HAIR} hair(?: and glasses)? in an? {_COLOUR} shirt\b"
)
_THING = re.compile(rf"\b{_COLOUR} (?:{_TEXTURE} )?{_one_of(words.SHAPES)}\b|\b{_one_of(words.OCCLUDERS)}\b")
_PLACE = re.compile(rf"\b{_one_of([name.partition(' ')[2] for name in words.BACKGROUNDS])}\b")


def synthetic_tags(caption: str) -> dict[str, list[str]]:
    """Kind -> the phrases of a caption, in their order, each once; nothing for sentences of another kind.

    Example:
        >>> synthetic_tags("A large red striped star moves up in front of a brick wall.")
        {'background': ['brick wall'], 'subject': [], 'object': ['red striped star']}
    """
    patterns = {"background": _PLACE, "subject": _PERSON, "object": _THING}
    return {kind: list(dict.fromkeys(pattern.findall(caption))) for kind, pattern in patterns.items()}
