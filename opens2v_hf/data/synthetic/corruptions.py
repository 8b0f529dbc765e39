"""Faults of a picture that no camera makes, each of a strength that can be chosen.

They are what the embedded judge learns to see; `simulated.corrupted_frames` is a stronger mix of two of them.

    >>> sorted(CORRUPTIONS)
    ['blocks', 'channels', 'noise', 'tearing', 'warp']
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType

import cv2
import numpy as np

from opens2v_hf.errors import ArgumentError

Corruption = Callable[[np.ndarray, np.random.Generator, float], np.ndarray]
"""From a frame, uint8 [H, W, 3], random numbers and a strength in (0, 1] to a frame of the same shape."""


def noise(frame: np.ndarray, rng: np.random.Generator, strength: float) -> np.ndarray:
    """Gaussian noise, standard deviation up to 60 grey levels."""
    return _as_picture(frame + rng.normal(0.0, 60.0 * strength, frame.shape))


def blocks(frame: np.ndarray, rng: np.random.Generator, strength: float) -> np.ndarray:
    """Square blocks, up to 40 % of the frame, are grey or show another place."""
    height, width = frame.shape[:2]
    side = max(2, height // int(rng.integers(5, 10)))
    broken = frame.copy()
    for top in range(0, height - side + 1, side):
        for left in range(0, width - side + 1, side):
            if rng.random() >= 0.4 * strength:
                continue
            y, x = rng.integers(height - side + 1), rng.integers(width - side + 1)
            other = frame[y : y + side, x : x + side]
            broken[top : top + side, left : left + side] = 128 if rng.random() < 0.5 else other
    return broken


def tearing(frame: np.ndarray, rng: np.random.Generator, strength: float) -> np.ndarray:
    """Bands of rows slip sideways by up to a third of the width."""
    height, width = frame.shape[:2]
    borders = np.sort(rng.choice(np.arange(1, height), size=min(3, height - 1), replace=False))
    bands = np.split(frame, borders)
    slips = [int(rng.choice((-1, 1)) * strength * width * rng.uniform(0.15, 0.33)) for _ in bands]
    return np.concatenate([np.roll(band, slip, axis=1) for band, slip in zip(bands, slips, strict=True)])


def warp(frame: np.ndarray, rng: np.random.Generator, strength: float) -> np.ndarray:
    """Shapes and textures are bent by waves of up to a tenth of the height."""
    height, width = frame.shape[:2]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    reach = np.float32(0.1 * strength * height)
    waves = rng.uniform(2.0, 4.0, size=2) * 2 * np.pi / height
    phases = rng.uniform(0.0, 2 * np.pi, size=2)
    bent_x = (x + reach * np.sin(waves[0] * y + phases[0])).astype(np.float32)
    bent_y = (y + reach * np.sin(waves[1] * x + phases[1])).astype(np.float32)
    return cv2.remap(frame, bent_x, bent_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)


def channels(frame: np.ndarray, rng: np.random.Generator, strength: float) -> np.ndarray:
    """Red and blue slip apart by up to a tenth of the width each."""
    reach = max(1, round(0.1 * strength * frame.shape[1]))
    side = int(rng.choice((-1, 1)))
    return np.stack(
        [np.roll(frame[..., 0], side * reach, axis=1), frame[..., 1], np.roll(frame[..., 2], -side * reach, axis=1)], -1
    )


CORRUPTIONS: Mapping[str, Corruption] = MappingProxyType(
    {"noise": noise, "blocks": blocks, "tearing": tearing, "warp": warp, "channels": channels}
)
"""Name of a fault -> what it does to a frame."""


def corrupt(
    frames: np.ndarray, kind: str, *, affected: Collection[int], strength: float, seed: int | tuple[int, ...]
) -> np.ndarray:
    """Break some frames of a video, each in its own way.

    Args:
        frames: uint8 [T, H, W, 3] RGB; left as they are.
        kind: one of `CORRUPTIONS`.
        affected: indices of the frames to break.
        strength: in (0, 1].
        seed: of all random choices.

    Returns:
        uint8 [T, H, W, 3] RGB.

    Raises:
        ArgumentError: the kind is unknown, or the strength out of range.
    """
    if kind not in CORRUPTIONS:
        raise ArgumentError(f"the corruptions are {', '.join(CORRUPTIONS)} (got {kind=})")
    if not 0.0 < strength <= 1.0:
        raise ArgumentError(f"a corruption's strength must be in (0, 1] (got {strength=})")
    rng = np.random.default_rng(seed)
    broken = frames.copy()
    for index in sorted(affected):
        broken[index] = CORRUPTIONS[kind](frames[index], rng, strength)
    return broken


def _as_picture(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
