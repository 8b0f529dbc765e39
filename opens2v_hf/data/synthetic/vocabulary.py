"""The words of the synthetic scenes, with the colours of those that name one.

Captions have these words only, so that a small tokenizer covers them all.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

Rgb: TypeAlias = tuple[int, int, int]

COLOURS: dict[str, Rgb] = {
    "red": (218, 38, 40),
    "orange": (245, 140, 25),
    "yellow": (250, 225, 50),
    "green": (35, 150, 60),
    "blue": (40, 80, 215),
    "purple": (130, 50, 170),
    "pink": (250, 130, 185),
    "white": (245, 245, 245),
}
"""Colours of objects and shirts, sRGB 0..255."""

SHAPES = ("star", "heart", "ball", "box", "triangle", "cross", "moon", "ring")
"""Kinds of objects; capitalised they are the labels."""

TEXTURES = ("plain", "striped", "dotted")
"""Surfaces of objects."""

SIZES = ("small", "large")
"""Sizes of subjects in the frame; `render.SUBJECT_HEIGHT` gives them in parts of the frame's height."""

GENDERS = ("man", "woman")
"""Kinds of people; capitalised they are the labels."""

HAIR: dict[str, Rgb] = {
    "black": (25, 22, 24),
    "brown": (110, 65, 30),
    "blond": (240, 205, 110),
    "red": (190, 75, 25),
    "grey": (165, 165, 170),
}
"""Hair colours, sRGB 0..255."""

SKIN: dict[str, Rgb] = {"light": (250, 215, 185), "tan": (215, 160, 115), "dark": (140, 90, 60)}
"""Skin colours, sRGB 0..255; never named in a caption."""

BACKGROUNDS: dict[str, tuple[str, str]] = {
    "a brick wall": ("in front of", "Wall"),
    "a green park": ("in", "Park"),
    "the blue sea": ("over", "Sea"),
    "a night sky": ("under", "Sky"),
    "a wooden floor": ("on", "Floor"),
    "a checkered room": ("in", "Room"),
    "a sandy desert": ("in", "Desert"),
    "a snowy hill": ("on", "Hill"),
}
"""Name of a background -> (preposition in a caption, label as an environment reference)."""

OCCLUDERS = ("pole", "bush")
"""Things in the foreground."""

DIRECTIONS = ("left", "right", "up", "down", "still")
"""Ways to move."""

Figure: TypeAlias = Literal["face", "human"]
"""The visible part of a person: head and shoulders, or the whole body."""
