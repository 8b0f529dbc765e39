"""Training data of the embedded face models: synthetic people in frames and reference pictures, with their heads.

A picture depends on the seed and its own number only, so it is the same whichever process draws it.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import cv2
import numpy as np
import torch

from opens2v_hf.data.synthetic import vocabulary as words
from opens2v_hf.data.synthetic.render import (
    Rendered,
    environment_picture,
    reference_face,
    reference_picture,
    render_frame,
)
from opens2v_hf.data.synthetic.scenes import FIRST_TRAINING_SEED, PersonSprite, Sprite, draw_scene, draw_sprite
from opens2v_hf.embedded.training.detector_data import worn
from opens2v_hf.embedded.training.optimisation import StepBatches
from opens2v_hf.models.faces.align import RELEASED_CROP_PX, align_face
from opens2v_hf.models.faces.face import PAD_GREY, PAD_SHARE
from opens2v_hf.models.faces.heatmap_detector import fit_picture
from opens2v_hf.models.faces.heatmap_network import STRIDE

Identity: TypeAlias = tuple[str, str, str, bool]
"""Attributes of a synthetic person that a crop of the face shows: gender, hair, skin, glasses."""

IDENTITIES: tuple[Identity, ...] = tuple(itertools.product(words.GENDERS, words.HAIR, words.SKIN, (False, True)))
"""All of them."""

ARGUABLE = float("nan")
"""Neither a face nor none: such cells are left out of the loss."""

_WHOLE_HEAD = 0.75  # of its box that a head covers when nothing is in front of it
_SEEN, _UNSEEN = 0.6, 0.25  # shares of a head above which it is a face, and below which it is none
_MIDDLE, _AROUND = 0.18, 0.36  # how far from its middle a box is a face's, and no other's, in parts of its size


@dataclass(frozen=True)
class Head:
    """A person's head in a picture.

    Attributes:
        box: float32 [4], left, top, right, bottom in px.
        landmarks: float32 [5, 2], as in `Face`.
        seen: share of it that nothing hides, 0 to 1.
        sprite: whose it is.
    """

    box: np.ndarray
    landmarks: np.ndarray
    seen: float
    sprite: PersonSprite


class DetectorBatch(NamedTuple):
    """Data of a training step of the detector; C = side / `STRIDE`.

    Attributes:
        pictures: uint8 [N, side, side, 3] RGB.
        is_face: float32 [N, C, C], 1, 0 or `ARGUABLE`.
        boxes: float32 [N, C, C, 4] in px, meaningful where `is_face` is 1.
        landmarks: float32 [N, C, C, 5, 2] likewise.
    """

    pictures: torch.Tensor
    is_face: torch.Tensor
    boxes: torch.Tensor
    landmarks: torch.Tensor


class DetectorBatches(StepBatches[DetectorBatch]):
    """A map from a step's number to its batch.

    Args:
        seed: of all choices.
        num_steps: length of the training.
        num_pictures: in a batch.
        side: of the detector's input in px.
    """

    def __init__(self, seed: int, num_steps: int, num_pictures: int, side: int) -> None:
        super().__init__(seed, num_steps)
        self.num_pictures, self.side = num_pictures, side

    def _batch(self, step: int, _rng: np.random.Generator) -> DetectorBatch:
        first = (self.seed * self.num_steps + step) * self.num_pictures
        drawn = [draw_picture(first + number) for number in range(self.num_pictures)]
        placed = [fit_picture(picture, self.side) for picture, _ in drawn]
        targets = [
            cell_targets(heads, float(scale), self.side) for (_, heads), (_, scale) in zip(drawn, placed, strict=True)
        ]
        pictures = torch.from_numpy(np.stack([picture for picture, _ in placed]))
        return DetectorBatch(pictures, *(torch.from_numpy(np.stack(column)) for column in zip(*targets, strict=True)))


def draw_picture(number: int) -> tuple[np.ndarray, list[Head]]:
    """A picture to find faces in: a frame or part of one, or a reference, of people or of things.

    Args:
        number: decides everything; from 0.

    Returns:
        uint8 [H, W, 3] RGB, and the heads of the people in it.
    """
    rng = np.random.default_rng([FIRST_TRAINING_SEED, number])
    if rng.random() < 0.7:
        scene = draw_scene(FIRST_TRAINING_SEED + number)
        rendered = render_frame(scene, int(rng.integers(scene.num_frames)))
        image, heads = rendered.image, heads_of(rendered, scene.sprites)
        if rng.random() < 0.35:
            image, heads = _part(image, heads, rng)
    else:
        image, heads = _reference(rng)
    image = worn(image, rng)
    return _padded(image, heads) if rng.random() < 0.2 else (image, heads)


def heads_of(rendered: Rendered, sprites: tuple[Sprite, ...]) -> list[Head]:
    """The heads of a frame's people, those that are hidden included."""
    found = []
    for sprite, mask, box, landmarks in zip(sprites, rendered.masks, rendered.heads, rendered.landmarks, strict=True):
        if isinstance(sprite, PersonSprite) and np.isfinite(box).all():
            left, top, right, bottom = (max(round(float(side)), 0) for side in box)
            covered = mask[top:bottom, left:right].sum() / float(np.prod(box[2:] - box[:2]))
            found.append(Head(box, landmarks, min(covered / _WHOLE_HEAD, 1.0), sprite))
    return found


def cell_targets(heads: list[Head], scale: float, side: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Targets of each cell of one picture: `is_face`, `boxes` and `landmarks` of `DetectorBatch`.

    A cell near the middle of a head says "face"; one a little further off may say what it likes.
    """
    cells = side // STRIDE
    is_face = np.zeros((cells, cells), np.float32)
    boxes = np.zeros((cells, cells, 4), np.float32)
    landmarks = np.zeros((cells, cells, 5, 2), np.float32)
    y, x = np.mgrid[:cells, :cells] * STRIDE + STRIDE / 2
    for head in heads:  # later ones are in front
        if head.seen <= _UNSEEN:
            continue
        box = head.box * scale
        centre, size = (box[2:] + box[:2]) / 2, box[2:] - box[:2]
        off = np.maximum(np.abs(x - centre[0]) / size[0], np.abs(y - centre[1]) / size[1])
        off[off == off.min()] = 0.0  # small heads have a cell, too
        is_face[off <= _AROUND] = ARGUABLE
        middle = off <= _MIDDLE
        is_face[middle] = 1.0 if head.seen >= _SEEN else ARGUABLE
        boxes[middle] = box
        landmarks[middle] = head.landmarks * scale
    return is_face, boxes, landmarks


def draw_faces(seed: int, count: int, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Aligned faces with who they are.

    Args:
        seed: of all choices.
        count: faces to draw.
        side: of a crop in px.

    Returns:
        uint8 [count, side, side, 3] RGB, and int64 [count], positions in `IDENTITIES`.
    """
    rng = np.random.default_rng([seed, count, side])
    crops: list[np.ndarray] = []
    who: list[int] = []
    number = seed * count
    while len(crops) < count:
        image, heads = draw_picture(number)
        number += 1
        for head in heads:
            if head.seen >= _SEEN:
                crops.append(cv2.resize(_aligned(image, head, rng), (side, side)))
                who.append(IDENTITIES.index(identity_of(head.sprite)))
    return np.stack(crops[:count]), np.array(who[:count])


def identity_of(sprite: PersonSprite) -> Identity:
    """The attributes that distinguish a person's face."""
    return sprite.gender, sprite.hair, sprite.skin, sprite.glasses


def _aligned(image: np.ndarray, head: Head, rng: np.random.Generator) -> np.ndarray:
    """As a detector would have it cut that errs by some parts in a hundred of the head's size."""
    size = head.box[2:] - head.box[:2]
    corner = head.box[:2] + rng.normal(0, 0.02, 2) * size
    stretch = size * rng.uniform(0.95, 1.05, 2)
    inside = (head.landmarks - head.box[:2]) / size + rng.normal(0, 0.01, (5, 2))
    return align_face(image, corner + inside * stretch, size_px=RELEASED_CROP_PX)


def _reference(rng: np.random.Generator) -> tuple[np.ndarray, list[Head]]:
    kind = rng.random()
    size = int(rng.integers(72, 161))
    if kind < 0.08:
        return np.asarray(environment_picture(draw_scene(int(rng.integers(1 << 30))).background)), []
    sprite = draw_sprite(rng, "object" if kind < 0.2 else "face" if kind < 0.7 else "human", "large")
    crop = "face" if isinstance(sprite, PersonSprite) and rng.random() < 0.5 else "whole"
    paper = "white" if rng.random() < 0.5 else "textured"
    picture = reference_picture(sprite, size, paper, crop=crop, seed=int(rng.integers(1 << 16)))
    if not isinstance(sprite, PersonSprite):
        return np.asarray(picture), []
    return np.asarray(picture), [Head(*reference_face(sprite, size, crop=crop), 1.0, sprite)]


def _part(image: np.ndarray, heads: list[Head], rng: np.random.Generator) -> tuple[np.ndarray, list[Head]]:
    """A window of a frame; heads that it cuts are seen the less."""
    height, width = image.shape[:2]
    rows, columns = int(rng.uniform(0.5, 1) * height), int(rng.uniform(0.5, 1) * width)
    top, left = int(rng.integers(height - rows + 1)), int(rng.integers(width - columns + 1))
    offset = np.array([left, top], np.float32)
    found = []
    for head in heads:
        box = head.box - np.tile(offset, 2)
        inside = np.minimum(box[2:], [columns, rows]) - np.maximum(box[:2], 0)
        share = float(np.prod(np.maximum(inside, 0)) / np.prod(box[2:] - box[:2]))
        found.append(Head(box, head.landmarks - offset, head.seen * share, head.sprite))
    return image[top : top + rows, left : left + columns], found


def _padded(image: np.ndarray, heads: list[Head]) -> tuple[np.ndarray, list[Head]]:
    """As pictures are searched again in which no face was found."""
    rows, columns = int(image.shape[0] * PAD_SHARE), int(image.shape[1] * PAD_SHARE)
    padded = np.pad(image, ((rows, rows), (columns, columns), (0, 0)), constant_values=PAD_GREY)
    offset = np.array([columns, rows], np.float32)
    moved = [Head(h.box + np.tile(offset, 2), h.landmarks + offset, h.seen, h.sprite) for h in heads]
    return padded, moved
