"""Descriptions of synthetic scenes in words and numbers; `render` draws them.

A scene is a frozen dataclass, drawn from an integer seed and changed by copying, so that a simulated model can do to it
exactly the fault it is to show: another subject, a subject missing at some frames, another background.

    >>> scene = draw_scene(7, "singleobj")
    >>> scene == draw_scene(7, "singleobj")
    True
    >>> label(scene.actors[0].sprite) in caption(scene).title()
    True
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from opens2v_hf.data.benchmark.sample import PREFIXES
from opens2v_hf.data.synthetic import vocabulary as words
from opens2v_hf.errors import ArgumentError

SUBJECT_HEIGHT = {
    "object": {"small": 0.32, "large": 0.5},
    "face": {"small": 0.44, "large": 0.58},
    "human": {"small": 0.62, "large": 0.84},
}
"""Height of a subject in parts of the frame's height, by kind and size."""

ASPECT = {"object": 1.0, "face": 0.82, "human": 0.42}
"""Width of a subject in parts of its own height."""

FIRST_TRAINING_SEED = 1_000_000
"""Seeds from here on are the embedded models' training scenes; the sample and the tests use smaller ones."""


@dataclass(frozen=True)
class ObjectSprite:
    """An object: one flat shape with a dark outline.

    Attributes:
        shape: one of `vocabulary.SHAPES`.
        colour: one of `vocabulary.COLOURS`.
        texture: one of `vocabulary.TEXTURES`.
        size: one of `vocabulary.SIZES`.
    """

    shape: str
    colour: str
    texture: str = "plain"
    size: str = "large"

    @property
    def kind(self) -> str:
        """Always "object"."""
        return "object"


@dataclass(frozen=True)
class PersonSprite:
    """A person, seen as head and shoulders or as a whole.

    Attributes:
        figure: "face" (head and shoulders) or "human" (the whole body).
        gender: one of `vocabulary.GENDERS`; women have long hair and, seen as a whole, a skirt.
        hair: one of `vocabulary.HAIR`.
        shirt: one of `vocabulary.COLOURS`.
        glasses: whether the person wears dark glasses.
        skin: one of `vocabulary.SKIN`; never named in a caption.
        size: one of `vocabulary.SIZES`.
    """

    figure: words.Figure
    gender: str
    hair: str
    shirt: str
    glasses: bool = False
    skin: str = "light"
    size: str = "large"

    @property
    def kind(self) -> str:
        """The figure: "face" or "human"."""
        return self.figure


Sprite: TypeAlias = ObjectSprite | PersonSprite


@dataclass(frozen=True)
class Track:
    """A straight way at even speed.

    Attributes:
        x: of the centre in the first frame, in parts of the frame's width.
        y: of the centre in the first frame, in parts of the frame's height.
        dx: way to the last frame, in parts of the frame's width.
        dy: way to the last frame, in parts of the frame's height.
    """

    x: float
    y: float
    dx: float = 0.0
    dy: float = 0.0

    @property
    def direction(self) -> str:
        """One of `vocabulary.DIRECTIONS`: the larger component's."""
        if self.dx == 0 and self.dy == 0:
            return "still"
        if abs(self.dx) >= abs(self.dy):
            return "right" if self.dx > 0 else "left"
        return "down" if self.dy > 0 else "up"

    def position(self, progress: float) -> tuple[float, float]:
        """Centre in parts of the frame's width and height.

        Args:
            progress: 0.0 in the first frame to 1.0 in the last.
        """
        return self.x + progress * self.dx, self.y + progress * self.dy


@dataclass(frozen=True)
class Actor:
    """A subject of a scene: who, on which way.

    Attributes:
        sprite: its appearance.
        track: how it moves.
        hidden: indices of the frames in which it is not drawn.
        turn: degrees by which it leans, counter-clockwise: another pose; no scene that is drawn from a seed has one.
    """

    sprite: Sprite
    track: Track
    hidden: frozenset[int] = frozenset()
    turn: float = 0.0


@dataclass(frozen=True)
class Background:
    """The background of the subjects.

    Attributes:
        name: one of `vocabulary.BACKGROUNDS`.
        seed: decides tint and details; two seeds of one name look alike, not the same.
    """

    name: str
    seed: int = 0


@dataclass(frozen=True)
class Occluder:
    """A thing in the foreground that does not move and hides what passes behind it.

    Attributes:
        name: one of `vocabulary.OCCLUDERS`.
        x: of its centre, in parts of the frame's width.
    """

    name: str
    x: float


@dataclass(frozen=True)
class Scene:
    """A short film.

    Attributes:
        seed: it was drawn from.
        category: one of the eight id prefixes, `opens2v_hf.data.benchmark.sample.PREFIXES`.
        actors: one to three subjects, drawn in this order, later ones in front.
        background: what is behind them.
        occluder: the thing in front of them; None without one.
        environment: whether the background is a reference of the sample, in addition to the subjects.
        width: of a frame in pixels.
        height: of a frame in pixels.
        num_frames: length.
        fps: frames per second.
    """

    seed: int
    category: str
    actors: tuple[Actor, ...]
    background: Background
    occluder: Occluder | None = None
    environment: bool = False
    width: int = 168
    height: int = 112
    num_frames: int = 16
    fps: int = 8

    @property
    def sprites(self) -> tuple[Sprite, ...]:
        """The actors' sprites, in order."""
        return tuple(actor.sprite for actor in self.actors)

    def progress(self, frame_index: int) -> float:
        """Relative position of a frame, 0.0 (first) to 1.0 (last).

        Raises:
            ArgumentError: the scene has no such frame.
        """
        if not 0 <= frame_index < self.num_frames:
            raise ArgumentError(f"scene {self.seed} has frames 0..{self.num_frames - 1} (got {frame_index=})")
        return frame_index / max(self.num_frames - 1, 1)


# ------------------------------------------------------------------------------------------------------------- words


def label(subject: Sprite | Background) -> str:
    """The class as the benchmark would name it, e.g. "Star", "Woman", "Park"."""
    if isinstance(subject, Background):
        return words.BACKGROUNDS[subject.name][1]
    return (subject.shape if isinstance(subject, ObjectSprite) else subject.gender).capitalize()


def phrase(subject: Sprite | Background) -> str:
    """The words that name a subject in a caption, e.g. "red striped star", "man with black hair in a blue shirt".

    An exact part of every caption of a scene with this subject.
    """
    if isinstance(subject, Background):
        return subject.name
    if isinstance(subject, ObjectSprite):
        texture = "" if subject.texture == "plain" else f"{subject.texture} "
        return f"{subject.colour} {texture}{subject.shape}"
    glasses = " and glasses" if subject.glasses else ""
    person = f"{subject.gender} with {subject.hair} hair{glasses} in {_article(subject.shirt)} {subject.shirt} shirt"
    return f"face of a {person}" if subject.figure == "face" else person


def caption(scene: Scene) -> str:
    """Full sentences that name each subject with its looks and motion, the background and the thing in front.

    Actors that are hidden in some frames are named all the same: the caption describes the requested video.
    """
    deeds = [
        f"a {actor.sprite.size} {phrase(actor.sprite)} {_motion(actor.sprite, actor.track.direction)}"
        for actor in scene.actors
    ]
    joined = deeds[0] if len(deeds) == 1 else ", ".join(deeds[:-1]) + f" and {deeds[-1]}"
    surroundings = f"{words.BACKGROUNDS[scene.background.name][0]} {scene.background.name}"
    sentence = f"{surroundings}, {joined}." if scene.seed % 2 else f"{joined} {surroundings}."
    text = sentence[0].upper() + sentence[1:]
    return f"{text} A {scene.occluder.name} stands in the foreground." if scene.occluder else text


def _article(word: str) -> str:
    return "an" if word[0] in "aeiou" else "a"


def _motion(sprite: Sprite, direction: str) -> str:
    if direction == "still":
        return "stands still" if sprite.kind == "human" else "stays still"
    verb = "walks" if sprite.kind == "human" else "moves"
    return f"{verb} {direction}" if direction in ("up", "down") else f"{verb} to the {direction}"


# ----------------------------------------------------------------------------------------------------------- drawing


def draw_sprite(rng: np.random.Generator, kind: str, size: str | None = None) -> Sprite:
    """A random sprite.

    Args:
        rng: where the choices come from.
        kind: "object", "face" or "human".
        size: one of `vocabulary.SIZES`; drawn too where None.

    Raises:
        ArgumentError: there is no such kind.
    """
    size = size or _pick(rng, words.SIZES)
    if kind == "object":
        return ObjectSprite(_pick(rng, words.SHAPES), _pick(rng, words.COLOURS), _pick(rng, words.TEXTURES), size)
    if kind not in ("face", "human"):
        raise ArgumentError(f"a sprite is an object, a face or a human (got {kind=})")
    return PersonSprite(
        figure="face" if kind == "face" else "human",
        gender=_pick(rng, words.GENDERS),
        hair=_pick(rng, words.HAIR),
        shirt=_pick(rng, words.COLOURS),
        glasses=bool(rng.random() < 0.4),
        skin=_pick(rng, words.SKIN),
        size=size,
    )


def other_sprite(sprite: Sprite, rng: np.random.Generator) -> Sprite:
    """A sprite of the same kind and size that cannot be mistaken for this one.

    Another shape in another colour for an object; another gender, hair and shirt for a person.
    """
    if isinstance(sprite, ObjectSprite):
        return replace(
            sprite,
            shape=_pick(rng, [shape for shape in words.SHAPES if shape != sprite.shape]),
            colour=_pick(rng, [colour for colour in words.COLOURS if colour != sprite.colour]),
            texture=_pick(rng, words.TEXTURES),
        )
    return replace(
        sprite,
        gender=_pick(rng, [gender for gender in words.GENDERS if gender != sprite.gender]),
        hair=_pick(rng, [hair for hair in words.HAIR if hair != sprite.hair]),
        shirt=_pick(rng, [colour for colour in words.COLOURS if colour != sprite.shirt]),
        skin=_pick(rng, [skin for skin in words.SKIN if skin != sprite.skin]),
        glasses=not sprite.glasses,
    )


def draw_scene(
    seed: int,
    category: str | None = None,
    *,
    num_subjects: int | None = None,
    environment: bool | None = None,
    sprites: Sequence[Sprite] | None = None,
    background: Background | None = None,
    width: int = 168,
    height: int = 112,
    num_frames: int = 16,
    fps: int = 8,
) -> Scene:
    """The scene of a seed: the same arguments always give the same scene.

    Args:
        seed: decides everything that the other arguments leave open.
        category: one of the eight id prefixes; drawn where None. "single*" has one subject, "multi*" two or three of
            a kind, "faceobj" and "humanobj" a person and an object.
        num_subjects: two or three, for the "multi*" categories only.
        environment: whether the background is a reference too; where None, "faceobj" and "humanobj" have it in half of
            the scenes, others never. References (subjects and environment) are three at most.
        sprites: subjects to use instead of drawn ones (to show the same ones in another scene).
        background: to use instead of a drawn one.
        width: of a frame in pixels.
        height: of a frame in pixels.
        num_frames: length.
        fps: frames per second.

    Raises:
        ArgumentError: an unknown category, or a number of subjects or references that it cannot have.
    """
    rng = np.random.default_rng(seed)
    category = category or _pick(rng, PREFIXES)
    if category not in PREFIXES:
        raise ArgumentError(f"a scene's category is one of {', '.join(PREFIXES)} (got {category=})")
    if sprites is None:
        sprites = _draw_cast(rng, category, num_subjects)
    if not 1 <= len(sprites) <= 3:
        raise ArgumentError(f"a scene has one to three subjects (got {len(sprites)})")
    if background is None:
        background = Background(_pick(rng, words.BACKGROUNDS), int(rng.integers(1 << 16)))
    if environment is None:
        environment = category in ("faceobj", "humanobj") and bool(rng.random() < 0.5)
    if environment and len(sprites) > 2:
        raise ArgumentError("three subjects and an environment are more than three references: ask for two subjects")
    tracks = [_draw_track(rng, sprite, i, len(sprites), height / width) for i, sprite in enumerate(sprites)]
    actors = tuple(Actor(sprite, track) for sprite, track in zip(sprites, tracks, strict=True))
    occluder = None
    if rng.random() < 0.3:
        passed = tracks[int(rng.integers(len(tracks)))].position(rng.uniform(0.35, 0.65))[0]
        occluder = Occluder(_pick(rng, words.OCCLUDERS), float(passed))
    return Scene(seed, category, actors, background, occluder, environment, width, height, num_frames, fps)


def _draw_cast(rng: np.random.Generator, category: str, num_subjects: int | None) -> list[Sprite]:
    kind = next((person for person in ("face", "human") if person in category), "object")
    if not category.startswith("multi"):
        if num_subjects is not None:
            raise ArgumentError(f"num_subjects is for the multi* categories (got {num_subjects=} for {category})")
        person_or_thing = draw_sprite(rng, kind)
        return (
            [person_or_thing, draw_sprite(rng, "object")] if category in ("faceobj", "humanobj") else [person_or_thing]
        )
    count = int(rng.integers(2, 4)) if num_subjects is None else num_subjects
    if count not in (2, 3):
        raise ArgumentError(f"a {category} scene has two or three subjects (got {num_subjects=})")
    cast = [draw_sprite(rng, kind)]
    while len(cast) < count:
        sprite = draw_sprite(rng, kind)
        if all(_tell_apart(sprite, other) for other in cast):
            cast.append(sprite)
    return cast


def _tell_apart(a: Sprite, b: Sprite) -> bool:
    if isinstance(a, ObjectSprite) and isinstance(b, ObjectSprite):
        return a.shape != b.shape and a.colour != b.colour
    if isinstance(a, PersonSprite) and isinstance(b, PersonSprite):
        return a.hair != b.hair and a.shirt != b.shirt
    return True


def _draw_track(rng: np.random.Generator, sprite: Sprite, slot: int, num_slots: int, height_per_width: float) -> Track:
    """A way inside the frame, mostly inside the subject's own vertical slot."""
    half_h = SUBJECT_HEIGHT[sprite.kind][sprite.size] / 2
    half_w = half_h * ASPECT[sprite.kind] * height_per_width
    low, high = slot / num_slots + half_w, (slot + 1) / num_slots - half_w
    # Wide subjects in narrow slots may lean over the border, so that they can still move visibly.
    lean = max(0.0, (0.14 - (high - low)) / 2)
    low, high = max(low - lean, half_w), min(high + lean, 1 - half_w)
    top, bottom = half_h, 1 - half_h
    if sprite.kind == "human":
        top = max(top, bottom - 0.06)
    ways = words.DIRECTIONS if sprite.kind == "object" else ("left", "right", "still")
    weights = np.array([1.0 if way != "still" else 0.4 for way in ways])
    direction = ways[int(rng.choice(len(ways), p=weights / weights.sum()))]
    x, y = float(rng.uniform(low, high)), float(rng.uniform(top, bottom))
    if direction in ("left", "right"):
        way = float(rng.uniform(0.6, 1.0)) * (high - low)
        start = float(rng.uniform(low, high - way))
        return Track(start, y, dx=way) if direction == "right" else Track(start + way, y, dx=-way)
    if direction in ("up", "down"):
        way = float(rng.uniform(0.6, 1.0)) * (bottom - top)
        start = float(rng.uniform(top, bottom - way))
        return Track(x, start, dy=way) if direction == "down" else Track(x, start + way, dy=-way)
    return Track(x, y)


def _pick(rng: np.random.Generator, choices: Iterable[str]) -> str:
    options = list(choices)
    return options[int(rng.integers(len(options)))]


# ------------------------------------------------------------------------------------------------------------- edits


def with_sprite(scene: Scene, index: int, sprite: Sprite) -> Scene:
    """The same scene with another sprite on an actor's way."""
    actors = list(scene.actors)
    actors[index] = replace(actors[index], sprite=sprite)
    return replace(scene, actors=tuple(actors))


def with_hidden(scene: Scene, index: int, frames: Iterable[int] | None = None) -> Scene:
    """The same scene with an actor not drawn at some frames; at all of them where `frames` is None."""
    actors = list(scene.actors)
    hidden = range(scene.num_frames) if frames is None else frames
    actors[index] = replace(actors[index], hidden=actors[index].hidden | frozenset(hidden))
    return replace(scene, actors=tuple(actors))


def with_background(scene: Scene, background: Background) -> Scene:
    """The same scene in front of another background."""
    return replace(scene, background=background)


def other_background(background: Background, rng: np.random.Generator) -> Background:
    """A background of another name."""
    name = _pick(rng, [name for name in words.BACKGROUNDS if name != background.name])
    return Background(name, int(rng.integers(1 << 16)))
