"""Batches for the embedded detector: frames with boxes, and reference pictures to find in them."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import cv2
import numpy as np
import torch
from PIL import Image

from opens2v_hf.data.synthetic import vocabulary as words
from opens2v_hf.data.synthetic.render import Rendered, environment_picture, reference_picture, render_frame
from opens2v_hf.data.synthetic.scenes import (
    FIRST_TRAINING_SEED,
    Background,
    ObjectSprite,
    PersonSprite,
    Scene,
    Sprite,
    draw_scene,
    draw_sprite,
    other_background,
    other_sprite,
    with_hidden,
)
from opens2v_hf.embedded.training.detector_network import CONFIG, build_image_processor
from opens2v_hf.embedded.training.optimisation import StepBatches
from opens2v_hf.models.yolo_world.preprocess import letterbox

Subject: TypeAlias = Sprite | Background
"""Kind of a reference: an object, a person, or an environment, which has no box and is never detected."""

ARGUABLE = float("nan")
"""Neither there nor absent: such cells are left out of the loss."""

FEATURES: dict[str, tuple[Any, ...]] = {
    "shape": words.SHAPES,
    "colour": tuple(words.COLOURS),
    "texture": words.TEXTURES,
    "gender": words.GENDERS,
    "hair": tuple(words.HAIR),
    "shirt": tuple(words.COLOURS),
    "glasses": (False, True),
    "skin": tuple(words.SKIN),
    "name": tuple(words.BACKGROUNDS),
    "kind": ("object", "face", "human", "background"),
}
"""Attributes that the prompt of a reference is trained to predict: attribute of a subject -> its values."""

NO_FEATURE = -100
"""Class of a subject without the attribute; `torch.nn.functional.cross_entropy` ignores it."""

_MIN_VISIBLE_PX = 150


@dataclass(frozen=True)
class Reference:
    """A reference picture to find.

    Attributes:
        subject: what it shows.
        crop: "whole" or, of a person, "face".
    """

    subject: Subject
    crop: str = "whole"

    def shows(self, other: Sprite) -> float:
        """1 where `other` is the subject of this picture, 0 where not, `ARGUABLE` where the picture cannot tell."""
        own = self.subject
        if isinstance(own, ObjectSprite) and isinstance(other, ObjectSprite):
            return float(replace(own, size=other.size) == other)
        if isinstance(own, PersonSprite) and isinstance(other, PersonSprite):
            # the same person is meant whether head and shoulders are in the frame or everything
            own = replace(own, size=other.size, figure=other.figure)
            if self.crop == "face" and own != other and replace(own, shirt=other.shirt) == other:
                return ARGUABLE
            return float(own == other)
        return 0.0


@dataclass(frozen=True)
class Batch:
    """Data of one training step: P pictures, Q references, each to be detected in one of them, and A boxes.

    Attributes:
        pictures: uint8 [P, 3, S, S], BGR, padded.
        references: what prompts are made from: float32 [Q, 3, side, side] for the encoder of pictures.
        picture_of_reference: int64 [Q].
        boxes: float32 [A, 4], left, top, right, bottom in input px; of one picture, from back to front.
        picture_of_box: int64 [A].
        shown: float32 [Q, A], see `Reference.shows`.
        features: int64 [Q, number of `FEATURES`], the position of the reference's value, or `NO_FEATURE`.
        features_of_box: int64 [A, number of `FEATURES`], likewise; none of what is all but hidden.
    """

    pictures: torch.Tensor
    references: torch.Tensor
    picture_of_reference: torch.Tensor
    boxes: torch.Tensor
    picture_of_box: torch.Tensor
    shown: torch.Tensor
    features: torch.Tensor
    features_of_box: torch.Tensor


class DetectorBatches(StepBatches[Batch]):
    """A map from a step's number to its batch.

    Args:
        seed: of all choices.
        num_steps: length of the training.
        num_pictures: in a batch.
        num_references: searched for in each picture.
    """

    def __init__(self, seed: int, num_steps: int, num_pictures: int, num_references: int) -> None:
        self.processor = build_image_processor()
        super().__init__(seed, num_steps)
        self.num_pictures, self.num_references = num_pictures, num_references

    def _batch(self, step: int, rng: np.random.Generator) -> Batch:
        first = FIRST_TRAINING_SEED + (self.seed * self.num_steps + step) * self.num_pictures
        pictures, boxes, subjects, visible, picture_of_box, references = [], [], [], [], [], []
        for number in range(self.num_pictures):
            scene = draw_scene(first + number)
            if rng.random() < 0.1:
                scene = with_hidden(scene, int(rng.integers(len(scene.actors))))
            rendered = render_frame(scene, int(rng.integers(scene.num_frames)))
            picture, found = _placed(rendered, rng)
            enough = [bool(mask.sum() >= _MIN_VISIBLE_PX) for mask in rendered.masks]
            some = [i for i, mask in enumerate(rendered.masks) if mask.any()]
            pictures.append(picture)
            boxes += [found[i] for i in some]
            subjects += [scene.sprites[i] for i in some]
            visible += [enough[i] for i in some]
            picture_of_box += [number] * len(some)
            present = [scene.sprites[i] for i in some if enough[i]]
            references += [
                self.as_query(draw_reference(scene, present, k == 0, rng), rng) for k in range(self.num_references)
            ]
        shown = np.array([[reference.shows(subject) for subject in subjects] for reference in references], np.float32)
        # what is all but hidden need not be found
        shown[(shown == 1) & ~np.array(visible, bool)] = ARGUABLE
        hidden = [NO_FEATURE] * len(FEATURES)
        known = [_features(Reference(s)) if seen else hidden for s, seen in zip(subjects, visible, strict=True)]
        return Batch(
            pictures=torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2),
            references=self.encoded(references, rng),
            picture_of_reference=torch.arange(self.num_pictures).repeat_interleave(self.num_references),
            boxes=torch.from_numpy(np.array(boxes, np.float32).reshape(-1, 4)),
            picture_of_box=torch.tensor(picture_of_box, dtype=torch.long),
            shown=torch.from_numpy(shown),
            features=torch.tensor([_features(reference) for reference in references]),
            features_of_box=torch.tensor(known, dtype=torch.long).reshape(-1, len(FEATURES)),
        )

    def as_query(self, reference: Reference, _rng: np.random.Generator) -> Reference:
        """The query for a drawn reference: its picture."""
        return reference

    def encoded(self, references: Sequence[Reference], rng: np.random.Generator) -> torch.Tensor:
        """The inputs of the prompts, one row for each reference."""
        drawn = [draw_picture(reference, rng) for reference in references]
        return self.processor(drawn, return_tensors="pt")["pixel_values"]


def draw_references(seed: int, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """References of random subjects, without frames: `references` and `features` as in `Batch`."""
    rng = np.random.default_rng([seed, count])
    references = []
    for number in range(count):
        if number % 16 == 0:
            references.append(Reference(draw_scene(FIRST_TRAINING_SEED + number).background))
        else:
            kind = ("object", "face", "object", "human")[number % 4]
            references.append(_as_reference(draw_sprite(rng, kind), rng))
    pictures = [draw_picture(reference, rng) for reference in references]
    pixels = build_image_processor()(pictures, return_tensors="pt")["pixel_values"]
    return pixels, torch.tensor([_features(reference) for reference in references])


def _placed(rendered: Rendered, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The network's input [S, S, 3], and float32 boxes [N, 4] of the actors in it."""
    picture, box = letterbox(worn(rendered.image, rng), CONFIG.image_size)
    offset = np.array([box.left, box.top] * 2, np.float32)
    return picture, rendered.boxes * np.array(box.scale * 2, np.float32) + offset


def worn(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The picture as cameras and codecs may leave it: blurred, noisy, lighter or darker, compressed."""
    if rng.random() < 0.25:
        image = cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.3, 1.0)))
    if rng.random() < 0.3:
        light = rng.uniform(0.9, 1.1) * image + rng.normal(0, rng.uniform(0, 6), image.shape)
        image = np.clip(np.rint(light), 0, 255).astype(np.uint8)
    if rng.random() < 0.6:
        stream = io.BytesIO()
        Image.fromarray(image).save(stream, "JPEG", quality=int(rng.integers(45, 95)))
        image = np.asarray(Image.open(stream).convert("RGB"))
    return image


def draw_reference(scene: Scene, present: Sequence[Sprite], likely: bool, rng: np.random.Generator) -> Reference:
    """Something to find in a frame.

    Args:
        scene: of the frame.
        present: those of its subjects that can be seen.
        likely: whether the reference is mostly one of those; otherwise mostly one that is not there.
        rng: where the choices come from.
    """
    if present and rng.random() < (0.85 if likely else 0.3):
        return _as_reference(present[int(rng.integers(len(present)))], rng)
    if rng.random() < 0.15:
        return Reference(scene.background if rng.random() < 0.7 else other_background(scene.background, rng))
    if rng.random() < 0.2:
        return _as_reference(draw_sprite(rng, ("object", "face", "human")[int(rng.integers(3))]), rng)
    sprite = scene.sprites[int(rng.integers(len(scene.sprites)))]
    other = other_sprite(sprite, rng)
    if rng.random() < 0.55:
        names = ("shape", "colour", "texture") if sprite.kind == "object" else ("gender", "hair", "shirt", "glasses")
        changed = rng.permutation(names)[: int(rng.integers(1, 3))]
        other = replace(sprite, **{str(name): getattr(other, name) for name in changed})
    return _as_reference(other, rng)


def _as_reference(subject: Subject, rng: np.random.Generator) -> Reference:
    if isinstance(subject, PersonSprite):
        return Reference(subject, "face" if rng.random() < (0.65 if subject.figure == "face" else 0.25) else "whole")
    return Reference(subject)


def draw_picture(reference: Reference, rng: np.random.Generator) -> Image.Image:
    """A picture of a reference, on white or on a background."""
    if isinstance(reference.subject, Background):
        return environment_picture(reference.subject)
    # a picture does not show the size in the frame; one size for all draws each figure once
    return reference_picture(
        replace(reference.subject, size="large"),
        80 if rng.random() < 0.7 else 112,
        "white" if rng.random() < 0.5 else "textured",
        crop=reference.crop,
        seed=int(rng.integers(1 << 16)),
    )


def _features(reference: Reference) -> list[int]:
    subject = reference.subject
    found = []
    for name, values in FEATURES.items():
        value = "background" if name == "kind" and isinstance(subject, Background) else getattr(subject, name, None)
        is_shown = value in values and not (reference.crop == "face" and name in ("shirt", "kind"))
        found.append(values.index(value) if is_shown else NO_FEATURE)
    return found
