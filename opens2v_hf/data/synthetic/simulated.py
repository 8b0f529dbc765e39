"""Simulated video generators, each with one known fault.

A model gets the scene that a prompt and its references describe and returns frames. The right order of these models is
known for each metric: the perfect one must win, and each fault must lower the metrics that measure it.

    >>> SAMPLE_MODELS
    ('perfect', 'flicker', 'wrong_subject', 'missing_subject', 'text_ignored', 'corrupted_frames', 'frozen')
    >>> [model for model in SIMULATED_MODELS if model not in SAMPLE_MODELS][:3]
    ['pasted_reference', 'swapped_subjects', 'merged_subjects']
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from opens2v_hf.data.synthetic.references import reference_crop, subject_reference
from opens2v_hf.data.synthetic.render import render_frame, render_pasted
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


DRIFT_START = 0.2
"""Part of a film in which a drifting subject is still itself."""

JUMP_PERIOD = 3
"""Frames after which the place behind subjects that are right alone is another one."""

TAIL_START = 0.7
"""Part of a film that comes before a broken tail: with 24 frames the last 7 are broken."""


def perfect(scene: Scene) -> Frames:
    """The scene, without a fault."""
    for index in range(scene.num_frames):
        yield render_frame(scene, index).image


def flickering_frames(num_frames: int) -> frozenset[int]:
    """Indices of the frames in which `flicker` does not show the subjects.

    >>> sorted(flickering_frames(9))
    [2, 3, 6, 7]
    """
    return frozenset(index for index in range(num_frames) if index % FLICKER_PERIOD >= FLICKER_PERIOD // 2)


def flicker(scene: Scene) -> Frames:
    """All subjects vanish and come back, several times; everything else is right."""
    for index in range(len(scene.actors)):
        scene = with_hidden(scene, index, flickering_frames(scene.num_frames))
    return perfect(scene)


def wrong_subject(scene: Scene) -> Frames:
    """Every subject is another one of its kind: like none of the references, and like none in the prompt."""
    rng = _generator(scene, "wrong_subject")
    right = scene.sprites
    for index, sprite in enumerate(right):
        stranger = other_sprite(sprite, rng)
        while any(_alike(stranger, other) for other in right):
            stranger = other_sprite(sprite, rng)
        scene = with_sprite(scene, index, stranger)
    return perfect(scene)


def missing_subject(scene: Scene) -> Frames:
    """No subject appears: background and foreground alone."""
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
    """The scene under noise, with blocks torn out of every frame: nothing stays natural."""
    rng = _generator(scene, "corrupted_frames")
    for image in perfect(scene):
        yield _corrupt(image, rng)


def frozen(scene: Scene) -> Frames:
    """The first frame, again and again; no fault where nothing in the scene moves."""
    first = render_frame(scene, 0).image
    for _ in range(scene.num_frames):
        yield first


def pasted_reference(scene: Scene) -> Frames:
    """The reference pictures, with their own backgrounds, slide over the scene on the subjects' ways."""
    pictures = [subject_reference(scene, index) for index in range(len(scene.actors))]
    crops = [reference_crop(sprite) for sprite in scene.sprites]
    for index in range(scene.num_frames):
        yield render_pasted(scene, index, pictures, crops)


def swapped_subjects(scene: Scene) -> Frames:
    """Each subject has its own form and the colours and clothes of the next one; see `shows_fault`."""
    for index, sprite in enumerate(swapped_sprites(scene.sprites)):
        scene = with_sprite(scene, index, sprite)
    return perfect(scene)


def merged_subjects(scene: Scene) -> Frames:
    """One subject, with the form of the first and the looks of the second, replaces all; no fault with one subject."""
    if len(scene.actors) > 1:
        scene = with_sprite(scene, 0, _with_looks_of(scene.sprites[0], scene.sprites[1]))
        for index in range(1, len(scene.actors)):
            scene = with_hidden(scene, index)
    return perfect(scene)


def drifting_subject(scene: Scene) -> Frames:
    """Every subject is right at first and fades into another one of its kind, which it is in the end."""
    for index, (right, wrong) in enumerate(zip(perfect(scene), wrong_subject(scene), strict=True)):
        share = max(0.0, (scene.progress(index) - DRIFT_START) / (1 - DRIFT_START))
        yield np.rint((1 - share) * right + share * wrong).astype(np.uint8)


def identity_alone(scene: Scene) -> Frames:
    """The subjects are right, and all else is wrong: they do not move, and the background changes abruptly."""
    rng = _generator(scene, "identity_alone")
    here = replace(scene, actors=tuple(replace(actor, track=_at_rest(actor.track)) for actor in scene.actors))
    for index in range(scene.num_frames):
        if index % JUMP_PERIOD == 0:
            here = with_background(here, other_background(scene.background, rng))
        rendered = render_frame(replace(here, occluder=None), index)
        torn = _corrupt(rendered.image, rng)
        visible = rendered.masks.any(axis=0)
        torn[visible] = rendered.image[visible]
        yield torn


def broken_tail(scene: Scene) -> Frames:
    """The scene, and from `TAIL_START` on nothing but noise and torn blocks."""
    rng = _generator(scene, "broken_tail")
    for index, image in enumerate(perfect(scene)):
        yield image if index < TAIL_START * scene.num_frames else _corrupt(image, rng)


SIMULATED_MODELS: Mapping[str, SimulatedModel] = MappingProxyType(
    {
        model.__name__: model
        for model in (
            perfect, flicker, wrong_subject, missing_subject, text_ignored, corrupted_frames, frozen, pasted_reference,
            swapped_subjects, merged_subjects, drifting_subject, identity_alone, broken_tail,
        )
    }
)  # fmt: skip
"""Name of a simulated model -> its function from a scene to frames; deterministic, the perfect one first."""

SAMPLE_MODELS = tuple(SIMULATED_MODELS)[:7]
"""Simulated models of the sample; the others are for `opens2v faults`."""


def shows_fault(model: str, scene: Scene) -> bool:
    """Whether a model's fault can be seen in a scene.

    A scene at rest cannot freeze, and a subject that is alone can be neither swapped nor merged. Subjects of one form
    that swap all their looks, such as two women, have only changed places: every reference is shown as it is.

    Raises:
        ArgumentError: there is no such model.
    """
    _check(model)
    if model == "frozen":
        return any(actor.track.direction != "still" for actor in scene.actors)
    if model == "swapped_subjects":
        return _looks(swapped_sprites(scene.sprites)) != _looks(scene.sprites)
    return model != "merged_subjects" or len(scene.actors) > 1


def simulate(model: str, scene: Scene) -> Frames:
    """The video that a simulated model makes of a scene.

    Returns:
        `scene.num_frames` frames, uint8 [H, W, 3] RGB.

    Raises:
        ArgumentError: there is no such model.
    """
    _check(model)
    return SIMULATED_MODELS[model](scene)


def _check(model: str) -> None:
    if model not in SIMULATED_MODELS:
        raise ArgumentError(f"the simulated models are {', '.join(SIMULATED_MODELS)} (got {model=})")


def _generator(scene: Scene, model: str) -> np.random.Generator:
    """Random numbers of a model and a scene, independent of all others."""
    return np.random.default_rng([scene.seed, *model.encode("ascii")])


def _alike(a: Sprite, b: Sprite) -> bool:
    """Whether two sprites share a feature that distinguishes sprites of their kind."""
    if isinstance(a, ObjectSprite) and isinstance(b, ObjectSprite):
        return a.shape == b.shape or a.colour == b.colour
    if isinstance(a, PersonSprite) and isinstance(b, PersonSprite):
        return a.hair == b.hair or a.shirt == b.shirt
    return False


def swapped_sprites(sprites: Sequence[Sprite]) -> tuple[Sprite, ...]:
    """Each sprite with the colours and clothes of the next, the last with those of the first.

    >>> swapped_sprites((ObjectSprite("star", "red"), ObjectSprite("box", "blue", "dotted")))[0]
    ObjectSprite(shape='star', colour='blue', texture='dotted', size='large')
    """
    return tuple(_with_looks_of(own, sprites[(i + 1) % len(sprites)]) for i, own in enumerate(sprites))


def _looks(sprites: Sequence[Sprite]) -> Counter[Sprite]:
    """What reference pictures show of subjects, whose size they do not tell, in no order."""
    return Counter(replace(sprite, size="large") for sprite in sprites)


def _with_looks_of(sprite: Sprite, other: Sprite) -> Sprite:
    """Its own shape, gender and size, and all else that both kinds have from the other one."""
    if isinstance(sprite, ObjectSprite):
        if isinstance(other, ObjectSprite):
            return replace(sprite, colour=other.colour, texture=other.texture)
        return replace(sprite, colour=other.shirt)
    if isinstance(other, ObjectSprite):
        return replace(sprite, shirt=other.colour)
    return replace(sprite, hair=other.hair, shirt=other.shirt, glasses=other.glasses, skin=other.skin)


def _at_rest(track: Track) -> Track:
    """Half way, and there all the time."""
    return Track(*track.position(0.5))


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
