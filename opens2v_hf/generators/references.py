"""Preparation of reference pictures for a pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from PIL import Image

from opens2v_hf.errors import ArgumentError, GenerationError
from opens2v_hf.video.resize import resize

TooMany = Literal["fail", "first", "collage"]
"""Treatment of samples with more references than a model takes: the sample fails, the first ones are taken, or all are
put on one canvas."""

_WHITE = (255, 255, 255)
_SMALLEST_SIDE_PX = 16


def as_rgb(image: Image.Image, what: str) -> Image.Image:
    """The picture as RGB; transparent parts become white.

    Raises:
        GenerationError: a side is shorter than 16 pixels, too short to show a subject.
    """
    if min(image.size) < _SMALLEST_SIDE_PX:
        raise GenerationError(f"{what} must be at least {_SMALLEST_SIDE_PX} pixels wide and high (got {image.size})")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        canvas = Image.new("RGBA", image.size, (*_WHITE, 255))
        return Image.alpha_composite(canvas, image).convert("RGB")
    return image.convert("RGB")


def on_canvas(image: Image.Image, width: int, height: int) -> Image.Image:
    """The picture scaled to fit, in the middle of a white canvas."""
    scale = min(width / image.width, height / image.height)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    canvas = Image.new("RGB", (width, height), _WHITE)
    canvas.paste(resize(image, size, Image.Resampling.LANCZOS), ((width - size[0]) // 2, (height - size[1]) // 2))
    return canvas


def collage(images: Sequence[Image.Image], width: int, height: int) -> Image.Image:
    """All pictures side by side on a white canvas, each in a column of equal width."""
    if not images:
        raise ArgumentError("a collage must have at least one picture")
    canvas = Image.new("RGB", (width, height), _WHITE)
    edges = [round(width * column / len(images)) for column in range(len(images) + 1)]
    for image, left, right in zip(images, edges, edges[1:], strict=False):
        canvas.paste(on_canvas(image, max(1, right - left), height), (left, 0))
    return canvas


def choose(
    images: Sequence[Image.Image], limit: int | None, too_many: TooMany, width: int, height: int
) -> tuple[tuple[Image.Image, ...], str | None]:
    """At most `limit` pictures.

    Returns:
        The pictures, and their change: "first", "collage" or None.

    Raises:
        GenerationError: there are more than `limit`, and `too_many` is "fail".
    """
    if limit is None or len(images) <= limit:
        return tuple(images), None
    if too_many == "fail":
        raise GenerationError(
            f"the sample has {len(images)} references and the model takes {limit}; choose too_many_references='first' "
            "or 'collage' to make the video with fewer or joined ones"
        )
    if too_many == "first":
        return tuple(images[:limit]), "first"
    return (collage(images, width, height),), "collage"
