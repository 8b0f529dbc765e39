"""Whether a program printed what a page shows."""

from __future__ import annotations

import re

_NUMBER = re.compile(r"-?\d+\.\d+")
_UNITS = 2
"""How far a shown number may be off in its last digit: networks give slightly other sums on other processors."""


def difference(shown: str, printed: str) -> str:
    """What a page shows amiss; empty where it is right.

    White space counts as one blank, `...` matches anything, and a decimal number for those within two units of its
    last digit.
    """
    numbers = [float(number) for number in _NUMBER.findall(shown.replace("...", " "))]
    steps = [10.0 ** -len(number.split(".")[1]) for number in _NUMBER.findall(shown.replace("...", " "))]
    found = re.fullmatch(_pattern(shown), " ".join(printed.split()), flags=re.DOTALL)
    if found is None:
        return f"the page shows\n{shown}\nand this was printed\n{printed}"
    for number, step, text in zip(numbers, steps, found.groups(), strict=True):
        if abs(float(text) - number) > (_UNITS + 1e-6) * step:
            return f"the page shows {number}, and {text} was printed; in all\n{printed}"
    return ""


def _pattern(shown: str) -> str:
    parts = []
    for piece in re.split(r"(\.\.\.)", " ".join(shown.split())):
        if piece == "...":
            parts.append(".*?")
            continue
        ends = [0]
        for number in _NUMBER.finditer(piece):
            parts += [re.escape(piece[ends[-1] : number.start()]), r"(-?\d+\.\d+)"]
            ends.append(number.end())
        parts.append(re.escape(piece[ends[-1] :]))
    return "".join(parts)
