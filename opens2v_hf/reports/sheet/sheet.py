"""A sheet of paper on which pictures and words are placed in inches."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

CHARACTER_EM = 0.56
"""About how wide a character is, in units of the font's size."""

POINTS_PER_INCH = 72

_LINE_SPACING = 1.35
_LINE_EM = 1.36
"""The distance of two lines at that spacing, in units of the font's size."""


class Sheet:
    """A figure in which things are placed in inches from its left and upper edges.

    Attributes:
        width: in inches.
        height: in inches.
        figure: what is drawn on.
    """

    def __init__(self, width: float, height: float) -> None:
        self.width = width
        self.height = height
        self.figure = Figure(figsize=(width, height))

    def panel(self, left: float, top: float, width: float, height: float) -> Axes:
        """A panel for a picture or plot."""
        bottom = self.height - top - height
        return self.figure.add_axes((left / self.width, bottom / self.height, width / self.width, height / self.height))

    def write(self, text: str, *, left: float, top: float, **style: Any) -> None:
        """Words, their upper left corner at a place."""
        # names, labels and captions may hold a dollar sign, which is no formula
        style = {"va": "top", "linespacing": _LINE_SPACING, **style}
        self.figure.text(left / self.width, 1 - top / self.height, text, parse_math=False, **style)


def characters_in(width: float, fontsize: float) -> int:
    """About how many characters fit into a line.

    >>> characters_in(5.7, 10.0)
    73

    Args:
        width: of the line, in inches.
        fontsize: in points.
    """
    return max(1, int(width * POINTS_PER_INCH / (CHARACTER_EM * fontsize)))


def line_height(fontsize: float) -> float:
    """The distance of two lines of a text in inches.

    >>> round(line_height(9.0), 2)
    0.17
    """
    return _LINE_EM * fontsize / POINTS_PER_INCH
