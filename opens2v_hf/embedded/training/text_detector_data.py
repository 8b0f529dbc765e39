"""Batches for the embedded text detector: frames with boxes, and phrases to find in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from opens2v_hf.data.synthetic import vocabulary as words
from opens2v_hf.data.synthetic.scenes import Background, ObjectSprite, PersonSprite, Sprite, label, phrase
from opens2v_hf.embedded.training.detector_data import ARGUABLE, DetectorBatches, Reference, Subject
from opens2v_hf.embedded.training.text_detector_network import MAX_TOKENS, build_tokenizer

_LABEL_SHARE = 0.15
_FACE_OF = "face of a "


@dataclass(frozen=True)
class TextReference(Reference):
    """Words to find.

    Attributes:
        by_label: whether it is named by its class alone ("star", "woman") and not by its looks.
        bare: whether a background is named without its article ("brick wall"), as a tag is.
    """

    by_label: bool = False
    bare: bool = False

    @property
    def text(self) -> str:
        """The phrase for the subject."""
        if self.by_label:
            return label(self.subject).lower()
        words_of = phrase(self.subject)
        return words_of.partition(" ")[2] if self.bare else words_of

    def shows(self, other: Sprite) -> float:
        """1 where the words name `other`, 0 where not, `ARGUABLE` where that depends on how they are taken."""
        if isinstance(self.subject, Background):
            return 0.0
        if self.by_label:
            return float(label(other) == label(self.subject))
        own, theirs = phrase(self.subject), phrase(other)
        if own == theirs:
            return 1.0
        # a man's face is a part of a man
        return ARGUABLE if own.removeprefix(_FACE_OF) == theirs.removeprefix(_FACE_OF) else 0.0


class TextDetectorBatches(DetectorBatches):
    """As `DetectorBatches`, with phrases as queries; `references` are token ids, int64 [Q, L]."""

    def __init__(self, seed: int, num_steps: int, num_pictures: int, num_references: int) -> None:
        super().__init__(seed, num_steps, num_pictures, num_references)
        self.tokenizer = build_tokenizer()

    def as_query(self, reference: Reference, rng: np.random.Generator) -> Reference:
        """The subject of a drawn reference in words."""
        chance = rng.random()
        if isinstance(reference.subject, Background):
            return TextReference(reference.subject, bare=bool(chance < 0.5))
        return TextReference(reference.subject, by_label=bool(chance < _LABEL_SHARE))

    def encoded(self, references: Sequence[Reference], _rng: np.random.Generator) -> torch.Tensor:
        """The tokens of the phrases."""
        return tokens_of([reference.text for reference in references if isinstance(reference, TextReference)])


def tokens_of(phrases: Sequence[str]) -> torch.Tensor:
    """int64 [Q, `MAX_TOKENS`], padded at their ends."""
    return build_tokenizer()(list(phrases), padding="max_length", max_length=MAX_TOKENS, return_tensors="pt")[
        "input_ids"
    ]


def all_subjects() -> list[Subject]:
    """One subject for each phrase there is; skin and size, which no phrase names, are those of the default."""
    found: list[Subject] = [
        ObjectSprite(shape, colour, texture)
        for shape in words.SHAPES
        for colour in words.COLOURS
        for texture in words.TEXTURES
    ]
    figures: tuple[words.Figure, ...] = ("face", "human")
    found += [
        PersonSprite(figure, gender, hair, shirt, glasses)
        for figure in figures
        for gender in words.GENDERS
        for hair in words.HAIR
        for shirt in words.COLOURS
        for glasses in (False, True)
    ]
    return [*found, *(Background(name) for name in words.BACKGROUNDS)]


def scene_words() -> dict[str, object]:
    """The vocabulary of captions of scenes, for `models.captioner.scene_captioner`."""
    phrases: dict[str, list[str]] = {}
    for subject in all_subjects():
        if not isinstance(subject, Background):
            phrases.setdefault(label(subject).lower(), []).append(phrase(subject))
    places = {name: preposition for name, (preposition, _) in words.BACKGROUNDS.items()}
    return {"phrases": phrases, "people": list(words.GENDERS), "places": places}
