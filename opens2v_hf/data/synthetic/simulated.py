"""Simulated video generators, each with one known fault.

A model gets the scene that a prompt and its references describe and answers with frames. What a metric says about
these models can be checked: the perfect one must win, and each fault must cost where the metric claims to see it.

    >>> sorted(SIMULATED_MODELS)
    ['corrupted_frames', 'flicker', 'frozen', 'missing_subject', 'perfect', 'text_ignored', 'wrong_subject']
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from opens2v_hf.data.synthetic.render import render_frame
from opens2v_hf.data.synthetic.scenes import (
    ObjectSprite,
    PersonSprite,
    Scene,
    Sprite,
    Track,
    other_background,
    other_sprite,
    with_background,
    with_hidden,
    with_sprite,
)
from opens2v_hf.errors import ArgumentError

Frames = Iterator[np.ndarray]
"""uint8 [H, W, 3] RGB, as many as the scene has."""

SimulatedModel = Callable[[Scene], Frames]

FLICKER_PERIOD = 4
"""Frames from one appearance of a flickering subject to the next; it is gone in the later half of each."""

NOISE_LEVEL = 48.0
"""Standard deviation of the noise in corrupted frames, in grey levels of 255."""

BLOCK_PX = 16
"""Side of the blocks that are torn out of corrupted frames."""

BLOCK_SHARE = 0.25
"""Part of a corrupted frame's blocks that show something else of the frame, or plain grey."""


def perfect(scene: Scene) -> Frames:
    """What was asked for."""
    for index in range(scene.num_frames):
        yield render_frame(scene, index).image


def flickering_frames(num_frames: int) -> frozenset[int]:
    """Indices of the frames in which `flicker` does not show the subjects.

    >>> sorted(flickering_frames(9))
    [2, 3, 6, 7]
    """
    return frozenset(index for index in range(num_frames) if index % FLICKER_PERIOD >= FLICKER_PERIOD // 2)


def flicker(scene: Scene) -> Frames:
    """All subjects vanish and come back, several times; everything else is as asked for."""
    for index in range(len(scene.actors)):
        scene = with_hidden(scene, index, flickering_frames(scene.num_frames))
    return perfect(scene)


def wrong_subject(scene: Scene) -> Frames:
    """Every subject is another one of its kind: like none of the references, and like none in the prompt."""
    rng = _generator(scene, "wrong_subject")
    asked_for = scene.sprites
    for index, sprite in enumerate(asked_for):
        stranger = other_sprite(sprite, rng)
        while any(_alike(stranger, other) for other in asked_for):
            stranger = other_sprite(sprite, rng)
        scene = with_sprite(scene, index, stranger)
    return perfect(scene)


def missing_subject(scene: Scene) -> Frames:
    """Nobody appears: background and foreground alone."""
    for index in range(len(scene.actors)):
        scene = with_hidden(scene, index)
    return perfect(scene)


def text_ignored(scene: Scene) -> Frames:
    """The subjects are right, and nothing else that the prompt says.

    They are elsewhere (another background, nothing in the foreground) and move another way. Where the background is a
    reference too, that reference is not met either.
    """
    background = other_background(scene.background, _generator(scene, "text_ignored"))
    actors = tuple(replace(actor, track=other_way(actor.track)) for actor in scene.actors)
    return perfect(replace(with_background(scene, background), actors=actors, occluder=None))


def corrupted_frames(scene: Scene) -> Frames:
    """What was asked for, under noise and with blocks torn out of every frame: nothing stays natural."""
    rng = _generator(scene, "corrupted_frames")
    for image in perfect(scene):
        yield _corrupt(image, rng)


def frozen(scene: Scene) -> Frames:
    """The first frame, again and again; no fault where nothing in the scene moves."""
    first = render_frame(scene, 0).image
    for _ in range(scene.num_frames):
        yield first


SIMULATED_MODELS: Mapping[str, SimulatedModel] = MappingProxyType(
    {
        model.__name__: model
        for model in (perfect, flicker, wrong_subject, missing_subject, text_ignored, corrupted_frames, frozen)
    }
)
"""Name of a simulated model -> what it makes of a scene; deterministic, the perfect one first."""


def simulate(model: str, scene: Scene) -> Frames:
    """The video that a simulated model makes of a scene.

    Args:
        model: one of `SIMULATED_MODELS`.
        scene: what is asked for.

    Returns:
        `scene.num_frames` frames, uint8 [H, W, 3] RGB.

    Raises:
        ArgumentError: there is no such model.
    """
    if model not in SIMULATED_MODELS:
        raise ArgumentError(f"the simulated models are {', '.join(SIMULATED_MODELS)} (got {model=})")
    return SIMULATED_MODELS[model](scene)


def _generator(scene: Scene, model: str) -> np.random.Generator:
    """Random numbers of a model and a scene, the same whatever else is drawn."""
    return np.random.default_rng([scene.seed, *model.encode("ascii")])


def _alike(a: Sprite, b: Sprite) -> bool:
    """Whether two sprites share a feature by which their kind is told apart."""
    if isinstance(a, ObjectSprite) and isinstance(b, ObjectSprite):
        return a.shape == b.shape or a.colour == b.colour
    if isinstance(a, PersonSprite) and isinstance(b, PersonSprite):
        return a.hair == b.hair or a.shirt == b.shirt
    return False


def other_way(track: Track) -> Track:
    """A track within the same part of the frame whose direction is another: back where it came from, or no rest."""
    if track.dx or track.dy:
        return Track(track.x + track.dx, track.y + track.dy, -track.dx, -track.dy)
    return replace(track, dx=0.25 if track.x < 0.5 else -0.25)


def _corrupt(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    height, width = image.shape[:2]
    noisy = image + rng.normal(0.0, NOISE_LEVEL, image.shape)
    for top in range(0, height, BLOCK_PX):
        for left in range(0, width, BLOCK_PX):
            if rng.random() >= BLOCK_SHARE:
                continue
            bottom, right = min(top + BLOCK_PX, height), min(left + BLOCK_PX, width)
            if rng.random() < 0.5:
                noisy[top:bottom, left:right] = 128.0
            else:
                y, x = rng.integers(height - (bottom - top) + 1), rng.integers(width - (right - left) + 1)
                noisy[top:bottom, left:right] = image[y : y + bottom - top, x : x + right - left]
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
