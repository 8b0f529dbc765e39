"""Drawing objects and people: one picture with transparency for a sprite at a size."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from opens2v_hf.data.synthetic import vocabulary as words
from opens2v_hf.data.synthetic.scenes import ObjectSprite, PersonSprite, Sprite

_OVERSAMPLING = 4
_OUTLINE_SHADE = 0.3
_OUTLINE_WIDTH = {"object": 0.035, "face": 0.03, "human": 0.014}
"""Of an outline in parts of the figure's height, by kind of sprite."""
_SHIRT_TO_TROUSERS: words.Rgb = (45, 50, 75)
_LIPS: words.Rgb = (180, 40, 50)
_INK: words.Rgb = (20, 20, 25)

Polygon = Sequence[tuple[float, float]] | np.ndarray


def draw_figure(sprite: Sprite, width_px: float, height_px: float) -> np.ndarray:
    """A sprite alone.

    Args:
        sprite: what to draw.
        width_px: of the figure; the picture is rounded up to whole pixels.
        height_px: of the figure.

    Returns:
        float32 [ceil(height), ceil(width), 4]: RGB 0..255 premultiplied with alpha, and alpha 0..1.
    """
    rows, columns = int(np.ceil(height_px)), int(np.ceil(width_px))
    scale = _OVERSAMPLING
    outline = max(round(_OUTLINE_WIDTH[sprite.kind] * height_px * scale), 3)
    pen = _Pen(columns * scale, rows * scale, (width_px * scale, height_px * scale), outline)
    if isinstance(sprite, ObjectSprite):
        _draw_object(pen, sprite)
    elif sprite.figure == "face":
        _draw_bust(pen, sprite)
    else:
        _draw_body(pen, sprite)
    return cv2.resize(pen.premultiplied(), (columns, rows), interpolation=cv2.INTER_AREA)


class _Pen:
    """Draws filled outlines on a transparent canvas, in parts of the figure's width and height."""

    def __init__(self, columns: int, rows: int, figure_size: tuple[float, float], outline: int) -> None:
        self.colour = np.zeros((rows, columns, 3), np.float32)
        self.alpha = np.zeros((rows, columns), bool)
        self.scale = np.array(figure_size, np.float32)
        self.outline = outline

    def area(self, polygon: Polygon) -> np.ndarray:
        """Bool mask of a polygon's inside."""
        mask = np.zeros(self.alpha.shape, np.uint8)
        points = np.rint(np.asarray(polygon, np.float32) * self.scale * 16).astype(np.int32)
        cv2.fillPoly(mask, [points], 1, lineType=cv2.LINE_8, shift=4)
        return mask.astype(bool)

    def ellipse(self, x: float, y: float, rx: float, ry: float) -> np.ndarray:
        """Bool mask of an ellipse's inside."""
        angle = np.linspace(0, 2 * np.pi, 48, endpoint=False)
        return self.area(np.stack([x + rx * np.cos(angle), y + ry * np.sin(angle)], axis=1))

    def fill(self, area: np.ndarray, colour: words.Rgb | np.ndarray, outlined: bool = False) -> None:
        """Paint an area, with a dark rim inside its border if `outlined`."""
        x, y, width, height = cv2.boundingRect(area.view(np.uint8))
        window = np.s_[y : y + height, x : x + width]  # most areas are much smaller than the canvas
        part, pixels = area[window], self.colour[window]
        np.copyto(pixels, colour[window] if isinstance(colour, np.ndarray) else colour, where=part[..., None])
        self.alpha[window] |= part
        if outlined:
            kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * self.outline + 1,) * 2)
            inner = cv2.erode(part.astype(np.uint8), kernel, borderType=cv2.BORDER_CONSTANT, borderValue=0)
            pixels[part & ~inner.astype(bool)] *= _OUTLINE_SHADE

    def premultiplied(self) -> np.ndarray:
        alpha = self.alpha[..., None].astype(np.float32)
        return np.concatenate([self.colour * alpha, alpha], axis=2)


def _draw_object(pen: _Pen, sprite: ObjectSprite) -> None:
    area = _shape_area(pen, sprite.shape)
    pen.fill(area, _textured(pen, words.COLOURS[sprite.colour], sprite.texture), outlined=True)


def _shape_area(pen: _Pen, shape: str) -> np.ndarray:
    if shape == "ball":
        return pen.ellipse(0.5, 0.5, 0.46, 0.46)
    if shape == "ring":
        return pen.ellipse(0.5, 0.5, 0.49, 0.49) & ~pen.ellipse(0.5, 0.5, 0.24, 0.24)
    if shape == "moon":
        return pen.ellipse(0.46, 0.5, 0.46, 0.48) & ~pen.ellipse(0.74, 0.42, 0.36, 0.36)
    return pen.area(_POLYGONS[shape])


def _star() -> Polygon:
    angle = np.arange(10) * np.pi / 5 - np.pi / 2
    radius = np.where(np.arange(10) % 2 == 0, 0.53, 0.25)
    return np.stack([0.5 + radius * np.cos(angle), 0.54 + radius * np.sin(angle)], axis=1)


def _heart() -> Polygon:
    t = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    x = 16 * np.sin(t) ** 3
    y = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
    return np.stack([0.5 + x / 33, 0.46 - y / 33], axis=1)


_POLYGONS: dict[str, Polygon] = {
    "star": _star(),
    "heart": _heart(),
    "box": [(0.08, 0.08), (0.92, 0.08), (0.92, 0.92), (0.08, 0.92)],
    "triangle": [(0.5, 0.03), (0.98, 0.95), (0.02, 0.95)],
    "cross": [
        (0.32, 0.02), (0.68, 0.02), (0.68, 0.32), (0.98, 0.32), (0.98, 0.68), (0.68, 0.68),
        (0.68, 0.98), (0.32, 0.98), (0.32, 0.68), (0.02, 0.68), (0.02, 0.32), (0.32, 0.32),
    ],
}  # fmt: skip


def _textured(pen: _Pen, colour: words.Rgb, texture: str) -> np.ndarray:
    surface = np.empty((*pen.alpha.shape, 3), np.float32)
    surface[:] = colour
    y, x = np.mgrid[: surface.shape[0], : surface.shape[1]] / pen.scale[1]
    if texture == "striped":
        dark = np.mod((x + y) * 4.5, 1.0) < 0.42
    elif texture == "dotted":
        dark = (np.mod(x * 4.5, 1.0) - 0.5) ** 2 + (np.mod(y * 4.5, 1.0) - 0.5) ** 2 < 0.075
    else:
        dark = np.zeros(pen.alpha.shape, bool)
    surface[dark] *= 0.35
    return surface


def _draw_bust(pen: _Pen, person: PersonSprite) -> None:
    hair, skin, shirt = words.HAIR[person.hair], words.SKIN[person.skin], words.COLOURS[person.shirt]
    shoulders = pen.ellipse(0.5, 1.02, 0.49, 0.3) & pen.area([(0, 0), (1, 0), (1, 0.995), (0, 0.995)])
    long_hair = pen.ellipse(0.5, 0.42, 0.43, 0.38) | pen.area([(0.08, 0.45), (0.92, 0.45), (0.92, 0.84), (0.08, 0.84)])
    if person.gender == "woman":
        pen.fill(long_hair, hair, outlined=True)
    pen.fill(shoulders, shirt, outlined=True)
    pen.fill(pen.area([(0.4, 0.65), (0.6, 0.65), (0.6, 0.82), (0.4, 0.82)]), skin)
    _draw_head(pen, person, (0.14, 0.04, 0.86, 0.78), hair, skin)


def _draw_body(pen: _Pen, person: PersonSprite) -> None:
    hair, skin, shirt = words.HAIR[person.hair], words.SKIN[person.skin], words.COLOURS[person.shirt]
    if person.gender == "woman":
        pen.fill(pen.area([(0.22, 0.1), (0.78, 0.1), (0.82, 0.34), (0.18, 0.34)]), hair, outlined=True)
    for left in (0.3, 0.54):
        trousers = person.gender == "man"
        leg = pen.area([(left, 0.6), (left + 0.17, 0.6), (left + 0.17, 0.99), (left, 0.99)])
        pen.fill(leg, _SHIRT_TO_TROUSERS if trousers else skin, outlined=True)
    for side in (-1, 1):
        arm = [(0.5 + side * 0.26, 0.3), (0.5 + side * 0.4, 0.32), (0.5 + side * 0.48, 0.6), (0.5 + side * 0.36, 0.62)]
        pen.fill(pen.area(arm), skin, outlined=True)
    if person.gender == "woman":
        torso = [(0.26, 0.28), (0.74, 0.28), (0.7, 0.46), (0.92, 0.76), (0.08, 0.76), (0.3, 0.46)]
    else:
        torso = [(0.2, 0.28), (0.8, 0.28), (0.76, 0.63), (0.24, 0.63)]
    pen.fill(pen.area(torso), shirt, outlined=True)
    _draw_head(pen, person, (0.24, 0.01, 0.76, 0.27), hair, skin)


def _draw_head(
    pen: _Pen, person: PersonSprite, box: tuple[float, float, float, float], hair: words.Rgb, skin: words.Rgb
) -> None:
    """Face, hair, eyes, mouth and glasses inside a box (xyxy in parts of the figure)."""
    x0, y0, x1, y1 = box
    width, height = x1 - x0, y1 - y0

    def ellipse(x: float, y: float, rx: float, ry: float) -> np.ndarray:
        return pen.ellipse(x0 + x * width, y0 + y * height, rx * width, ry * height)

    def area(*points: tuple[float, float]) -> np.ndarray:
        return pen.area([(x0 + x * width, y0 + y * height) for x, y in points])

    face = ellipse(0.5, 0.54, 0.44, 0.46)
    pen.fill(face, skin, outlined=True)
    cap = (ellipse(0.5, 0.48, 0.5, 0.48) | face) & area((0, 0), (1, 0), (1, 0.46), (0.5, 0.34), (0, 0.46))
    pen.fill(cap, hair)
    for eye in (0.32, 0.68):
        pen.fill(ellipse(eye, 0.56, 0.1, 0.07), (255, 255, 255))
        pen.fill(ellipse(eye, 0.56, 0.05, 0.055), _INK)
    nose = (int(0.8 * skin[0]), int(0.8 * skin[1]), int(0.8 * skin[2]))
    pen.fill(area((0.5, 0.58), (0.56, 0.72), (0.44, 0.72)), nose)
    pen.fill(ellipse(0.5, 0.82, 0.15, 0.045), _LIPS)
    if person.glasses:
        for eye in (0.32, 0.68):
            pen.fill(ellipse(eye, 0.56, 0.16, 0.12), _INK)
        pen.fill(area((0.1, 0.52), (0.9, 0.52), (0.9, 0.56), (0.1, 0.56)), _INK)
