"""Surroundings of the subjects: eight textured backgrounds and two things in the foreground."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import cv2
import numpy as np

from opens2v_hf.data.synthetic import vocabulary as words
from opens2v_hf.data.synthetic.scenes import Background, Occluder

_Grid = tuple[np.ndarray, np.ndarray]
"""x and y of every pixel, float32 [H, W], both in parts of the height."""


@lru_cache(maxsize=128)
def draw_backdrop(background: Background, width: int, height: int) -> np.ndarray:
    """A background, uint8 [height, width, 3] RGB; cached, and therefore read-only."""
    # The name is part of the seed by its letters, because `hash` differs from process to process.
    rng = np.random.default_rng([background.seed, *background.name.encode()])
    y, x = np.mgrid[:height, :width].astype(np.float32) / height
    picture = (
        _PAINTERS[background.name](rng, (x, y)) * rng.uniform(0.9, 1.1, size=3)
        + _noise(rng, x.shape, 3, 6.0)[..., None]
    )
    pixels = np.clip(np.rint(picture), 0, 255).astype(np.uint8)
    pixels.flags.writeable = False
    return pixels


@lru_cache(maxsize=128)
def draw_occluder(occluder: Occluder, width: int, height: int) -> tuple[np.ndarray, float, float]:
    """A thing in the foreground.

    Returns:
        premultiplied float32 [h, w, 4] (RGB 0..255, alpha 0..1) with an empty border of a pixel, and the x and y in
        pixels of its left upper corner, border not counted.
    """
    colour, alpha = _pole(height) if occluder.name == "pole" else _bush(height)
    patch = np.concatenate([colour * alpha, alpha], axis=2).astype(np.float32)
    patch = np.pad(patch, ((1, 1), (1, 1), (0, 0)))
    patch.flags.writeable = False
    patch_height, patch_width = alpha.shape[:2]
    return patch, occluder.x * width - patch_width / 2, float(height - patch_height)


def _pole(frame_height: int) -> tuple[np.ndarray, np.ndarray]:
    """Colour [h, w, 3] and alpha [h, w, 1]."""
    width = max(round(0.09 * frame_height), 3)
    shade = np.sin(np.linspace(0.25, np.pi - 0.1, width))[None, :, None]
    colour = np.broadcast_to(shade * np.array([120.0, 122.0, 130.0]), (frame_height, width, 3))
    return colour, np.ones((frame_height, width, 1))


def _bush(frame_height: int) -> tuple[np.ndarray, np.ndarray]:
    """Colour [h, w, 3] and alpha [h, w, 1]."""
    width, height, oversampling = round(0.36 * frame_height), round(0.22 * frame_height), 4
    rng = np.random.default_rng(17)  # all bushes are the same
    full_size = np.array([width, height]) * oversampling
    mask = np.zeros((full_size[1], full_size[0]), np.float32)
    leaves = np.zeros((full_size[1], full_size[0], 3), np.float32)
    for _ in range(60):
        at = rng.uniform([0.15, 0.35], [0.85, 1.0]) * full_size
        centre, radius = (int(at[0]), int(at[1])), int(rng.uniform(0.12, 0.3) * full_size[1])
        shade = rng.uniform(0.5, 1.1)
        cv2.circle(mask, centre, radius, 1.0, -1)
        cv2.circle(leaves, centre, radius, (30 * shade, 95 * shade, 35 * shade), -1)
    alpha = cv2.resize(mask, (width, height), interpolation=cv2.INTER_AREA)[..., None]
    colour = cv2.resize(leaves, (width, height), interpolation=cv2.INTER_AREA) / np.maximum(alpha, 1e-6)
    return colour, alpha


def _noise(rng: np.random.Generator, shape: tuple[int, ...], cells: int, strength: float) -> np.ndarray:
    """Smooth noise of a given strength, `cells` bumps along the height."""
    grid = rng.standard_normal((cells + 2, int(cells * shape[1] / shape[0]) + 2)).astype(np.float32)
    return strength * cv2.resize(grid, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)


def _mix(where: np.ndarray, inside: words.Rgb, outside: words.Rgb) -> np.ndarray:
    """Two colours, blended by weights 0..1 of shape [H, W]."""
    weight = where.astype(np.float32)[..., None]
    return weight * np.array(inside, np.float32) + (1 - weight) * np.array(outside, np.float32)


def _brick_wall(rng: np.random.Generator, grid: _Grid) -> np.ndarray:
    x, y = grid
    row = np.floor(y * 9)
    column = x * 4.5 + 0.5 * np.mod(row, 2) + rng.uniform()
    mortar = (np.mod(y * 9, 1) < 0.15) | (np.mod(column, 1) < 0.08)
    bricks = _mix(mortar, (190, 180, 170), (150, 75, 55))
    tint = rng.uniform(0.85, 1.12, size=(12, 16))
    return bricks * tint[row.astype(int), np.mod(np.floor(column), 16).astype(int)][..., None]


def _green_park(rng: np.random.Generator, grid: _Grid) -> np.ndarray:
    x, y = grid
    picture = _mix(y < 0.3, (170, 215, 240), (110, 180, 75))
    for centre in np.arange(0.1, 1.8, 0.32) + rng.uniform(-0.08, 0.08):
        crown = ((x - centre) / 0.13) ** 2 + ((y - 0.2) / 0.14) ** 2 < 1
        trunk = (np.abs(x - centre) < 0.02) & (y > 0.3) & (y < 0.42)
        picture[crown] = (40, 110, 45)
        picture[trunk] = (95, 65, 40)
    blades = 14 * np.sin(x * 90 + 5 * np.sin(y * 40)) * (y > 0.42)
    return picture + blades[..., None]


def _blue_sea(rng: np.random.Generator, grid: _Grid) -> np.ndarray:
    x, y = grid
    phase = rng.uniform(0, 6)
    waves = np.sin(40 * y + 1.5 * np.sin(9 * x + phase))
    picture = _mix(0.5 + 0.5 * waves, (70, 150, 205), (25, 95, 165))
    picture[waves > 0.93] = (210, 235, 245)
    return picture


def _night_sky(rng: np.random.Generator, grid: _Grid) -> np.ndarray:
    x, y = grid
    picture = _mix(y, (40, 30, 75), (8, 8, 30))
    for _ in range(70):
        star = (rng.integers(y.shape[0]), rng.integers(x.shape[1]))
        picture[star] = rng.uniform(150, 255)
    return picture


def _wooden_floor(rng: np.random.Generator, grid: _Grid) -> np.ndarray:
    x, y = grid
    plank = np.floor(y * 5)
    seam = (np.mod(y * 5, 1) < 0.06) | (np.mod(x + 0.37 * plank + rng.uniform(), 0.8) < 0.012)
    grain = 0.5 + 0.5 * np.sin(70 * y + 6 * np.sin(3 * x + 2 * plank))
    picture = _mix(grain, (205, 155, 95), (180, 125, 70))
    picture[seam] = (95, 60, 30)
    return picture


def _checkered_room(rng: np.random.Generator, grid: _Grid) -> np.ndarray:
    x, y = grid
    square = np.mod(np.floor(x * 7 + rng.uniform()) + np.floor(y * 7), 2)
    return _mix(square, (225, 225, 230), (150, 150, 160))


def _sandy_desert(rng: np.random.Generator, grid: _Grid) -> np.ndarray:
    x, y = grid
    dune = 0.28 + 0.06 * np.sin(4 * x + rng.uniform(0, 6))
    ripples = 0.5 + 0.5 * np.sin(60 * (y - dune) + 4 * np.sin(5 * x))
    sand = _mix(ripples, (235, 200, 130), (215, 175, 105))
    return np.where((y < dune)[..., None], np.array([250, 225, 190], np.float32), sand)


def _snowy_hill(rng: np.random.Generator, grid: _Grid) -> np.ndarray:
    x, y = grid
    hill = 0.35 + 0.12 * np.sin(2.2 * x + rng.uniform(0, 6))
    picture = _mix(y < hill, (150, 165, 185), (238, 243, 250))
    for _ in range(12):
        cx, cy = rng.uniform(0, x.max()), rng.uniform(0.1, 0.95)
        fir = (np.abs(x - cx) < 0.35 * (y - cy)) & (y > cy) & (y < cy + 0.1)
        picture[fir] = (60, 95, 90)
    return picture


_PAINTERS: dict[str, Callable[[np.random.Generator, _Grid], np.ndarray]] = {
    "a brick wall": _brick_wall,
    "a green park": _green_park,
    "the blue sea": _blue_sea,
    "a night sky": _night_sky,
    "a wooden floor": _wooden_floor,
    "a checkered room": _checkered_room,
    "a sandy desert": _sandy_desert,
    "a snowy hill": _snowy_hill,
}
