"""Batches for the embedded embedder: frames with captions, crops with references, phrases and labels.

A batch depends on the seed and its own number only, so it is the same whichever process makes it.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from PIL import Image
from transformers import PreTrainedTokenizerFast

from opens2v_hf.data.synthetic.render import (
    Rendered,
    environment_picture,
    reference_picture,
    render_background,
    render_frame,
)
from opens2v_hf.data.synthetic.scenes import (
    FIRST_TRAINING_SEED,
    Background,
    Scene,
    Sprite,
    caption,
    draw_scene,
    label,
    other_background,
    other_sprite,
    phrase,
    with_background,
    with_hidden,
    with_sprite,
)
from opens2v_hf.embedded.training.embedder_network import (
    LABELS,
    Pictures,
    build_image_processor,
    num_image_tokens,
    pad_rows,
)
from opens2v_hf.embedded.training.optimisation import StepBatches
from opens2v_hf.models.gme import (
    DEFAULT_INSTRUCTION,
    IMAGE_PAD,
    RETRIEVAL_INSTRUCTION,
    VISION_TOKENS,
    conversation,
    first_resize,
)

_MIN_VISIBLE_PX = 150
_UNKNOWN_WORD_SHARE = 0.02


@dataclass(frozen=True)
class Tokens:
    """Token rows, padded on the right: ids and mask, int64 [N, L]."""

    ids: torch.Tensor
    mask: torch.Tensor


@dataclass(frozen=True)
class Batch:
    """Data of one training step.

    Attributes:
        frames: F pictures, the first C of which show what their caption says; the others show nearly that.
        frame_rows: their token rows.
        captions: T texts, the first C of which are the frames' captions; the others say nearly that.
        num_pairs: C.
        frame_origins: int64 [F - C], which pair each further frame nearly shows.
        caption_origins: int64 [T - C], which pair each further caption nearly describes.
        crops: 2 K pictures: K crops of subjects and backgrounds out of frames, then their K references.
        crop_rows: their token rows.
        short_texts: the crops' K phrases, then all `LABELS`.
        same_subject: bool [K, K], whether crop i and reference j show the same one.
        same_phrase: bool [K, K], whether phrase j holds for crop i.
        label_targets: float32 [K, number of labels]: 1 where the label holds, 0 where not, NaN where one may argue.
    """

    frames: Pictures
    frame_rows: Tokens
    captions: Tokens
    num_pairs: int
    frame_origins: torch.Tensor
    caption_origins: torch.Tensor
    crops: Pictures
    crop_rows: Tokens
    short_texts: Tokens
    same_subject: torch.Tensor
    same_phrase: torch.Tensor
    label_targets: torch.Tensor


class EmbedderBatches(StepBatches[Batch]):
    """A map from a step's number to its batch.

    Args:
        tokenizer: of the network.
        seed: of all choices.
        num_steps: length of the training.
        num_pairs: frames with captions in a batch.
        num_crops: crops with references in a batch.
    """

    def __init__(
        self, tokenizer: PreTrainedTokenizerFast, seed: int, num_steps: int, num_pairs: int, num_crops: int
    ) -> None:
        super().__init__(seed, num_steps)
        self.tokenizer = tokenizer
        self.processor = build_image_processor()
        self.num_pairs, self.num_crops = num_pairs, num_crops

    def _batch(self, step: int, rng: np.random.Generator) -> Batch:
        first = FIRST_TRAINING_SEED + (self.seed * self.num_steps + step) * self.num_pairs
        scenes = [draw_scene(first + offset) for offset in range(self.num_pairs)]
        moments = [int(rng.integers(scene.num_frames)) for scene in scenes]
        rendered = [render_frame(scene, moment) for scene, moment in zip(scenes, moments, strict=True)]
        frames = [_worn(one.image, rng) for one in rendered]
        texts = [caption(scene) for scene in scenes]
        frame_origins, caption_origins = range(0, self.num_pairs, 4), range(1, self.num_pairs, 3)
        for index in frame_origins:
            frames.append(_nearly_right_frame(scenes[index], moments[index], rng))
        for index in caption_origins:
            texts.append(caption(_edited(scenes[index], rng)))
        instructions = [RETRIEVAL_INSTRUCTION if rng.random() < 0.8 else DEFAULT_INSTRUCTION for _ in texts]
        examples = [_crop_example(scenes[index], rendered[index], rng) for index in range(self.num_crops)]
        subjects = [example[0] for example in examples]
        phrases = [phrase(subject) for subject in subjects]
        short = [*phrases, *LABELS]
        short_instructions = [RETRIEVAL_INSTRUCTION if rng.random() < 0.25 else DEFAULT_INSTRUCTION for _ in short]
        frame_pictures, frame_rows = self._pictures(frames)
        crop_pictures, crop_rows = self._pictures([example[1] for example in examples] + [e[2] for e in examples])
        identities = [_identity(subject) for subject in subjects]
        return Batch(
            frames=frame_pictures,
            frame_rows=frame_rows,
            captions=self._texts(texts, instructions, rng),
            num_pairs=self.num_pairs,
            frame_origins=torch.tensor(frame_origins),
            caption_origins=torch.tensor(caption_origins),
            crops=crop_pictures,
            crop_rows=crop_rows,
            short_texts=self._texts(short, short_instructions, None),
            same_subject=_equal(identities),
            same_phrase=_equal(phrases),
            label_targets=torch.tensor([_label_targets(subject) for subject in subjects]),
        )

    def _texts(self, texts: Sequence[str], instructions: Sequence[str], rng: np.random.Generator | None) -> Tokens:
        conversations = [conversation(ask, text) for ask, text in zip(instructions, texts, strict=True)]
        ids, mask = pad_rows(self.tokenizer(conversations)["input_ids"], self.tokenizer.pad_token_id)
        if rng is not None:  # augmentation with unknown words
            unknown = torch.from_numpy(rng.random(ids.shape) < _UNKNOWN_WORD_SHARE)
            special = torch.isin(ids, torch.tensor(self.tokenizer.all_special_ids))
            ids = torch.where(unknown & ~special, self.tokenizer.unk_token_id, ids)
        return Tokens(ids, mask)

    def _pictures(self, pictures: Sequence[Image.Image]) -> tuple[Pictures, Tokens]:
        pixels = self.processor([first_resize(picture) for picture in pictures], return_tensors="pt")
        template: list[int] = self.tokenizer(conversation(DEFAULT_INSTRUCTION, VISION_TOKENS))["input_ids"]
        image_id: int = self.tokenizer.get_vocab()[IMAGE_PAD]
        at = template.index(image_id)
        counts = num_image_tokens(pixels["image_grid_thw"])
        rows = [template[:at] + [image_id] * count + template[at + 1 :] for count in counts]
        ids, mask = pad_rows(rows, self.tokenizer.pad_token_id)
        return Pictures(pixels["pixel_values"], pixels["image_grid_thw"]), Tokens(ids, mask)


def _worn(image: np.ndarray, rng: np.random.Generator) -> Image.Image:
    """The picture as a codec may leave it."""
    picture = Image.fromarray(image)
    if rng.random() < 0.5:
        stream = io.BytesIO()
        picture.save(stream, "JPEG", quality=int(rng.integers(45, 95)))
        picture = Image.open(stream).convert("RGB")
    return picture


def _nearly_right_frame(scene: Scene, moment: int, rng: np.random.Generator) -> Image.Image:
    """A frame that the scene's caption does not describe: a subject missing or exchanged, or the picture spoilt."""
    actor = int(rng.integers(len(scene.actors)))
    kind = rng.integers(4)
    if kind == 0:
        scene = with_hidden(scene, actor)
    elif kind == 1:
        scene = with_sprite(scene, actor, other_sprite(scene.sprites[actor], rng))
    image = render_frame(scene, moment).image
    if kind >= 2:
        return Image.fromarray(_spoilt(image, rng))
    return _worn(image, rng)


def _spoilt(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Noise over everything, and some rectangles grey or from elsewhere in the picture."""
    height, width = image.shape[:2]
    spoilt = image + rng.normal(0, rng.uniform(25, 80), image.shape)
    for _ in range(rng.integers(0, 20)):
        h, w = rng.integers(8, 28, size=2)
        y, x, from_y, from_x = rng.integers((height - h, width - w, height - h, width - w))
        spoilt[y : y + h, x : x + w] = 128 if rng.random() < 0.5 else image[from_y : from_y + h, from_x : from_x + w]
    return np.clip(spoilt, 0, 255).astype(np.uint8)


def _edited(scene: Scene, rng: np.random.Generator) -> Scene:
    """A scene that differs from this one in its background, a subject, or one property of a subject."""
    if rng.random() < 0.4:
        return with_background(scene, other_background(scene.background, rng))
    actor = int(rng.integers(len(scene.actors)))
    sprite, other = scene.sprites[actor], other_sprite(scene.sprites[actor], rng)
    names = ("shape", "colour") if sprite.kind == "object" else ("gender", "hair", "shirt", "glasses")
    name = names[int(rng.integers(len(names)))]
    if rng.random() < 0.3:
        return with_sprite(scene, actor, other)
    return with_sprite(scene, actor, replace(sprite, **{name: getattr(other, name)}))


def _crop_example(
    scene: Scene, rendered: Rendered, rng: np.random.Generator
) -> tuple[Sprite | Background, Image.Image, Image.Image]:
    """A subject or background, a crop of it out of a frame, and a reference picture of it."""
    visible = [i for i, mask in enumerate(rendered.masks) if mask.sum() >= _MIN_VISIBLE_PX]
    if not visible or rng.random() < 0.15:
        return scene.background, _background_crop(scene, rng), environment_picture(scene.background)
    index = visible[int(rng.integers(len(visible)))]
    sprite = scene.sprites[index]
    image = rendered.image
    paper = rng.random()
    if paper < 0.3:  # as a masked subject on white or black
        image = np.where(rendered.masks[index][..., None], image, np.uint8(255 if paper < 0.15 else 0))
    x0, y0, x1, y1 = rendered.boxes[index]
    slack = rng.uniform(-0.07, 0.13, 4) * (x1 - x0, y1 - y0, x1 - x0, y1 - y0)
    box = (x0 - slack[0], y0 - slack[1], x1 + slack[2], y1 + slack[3])
    left, top, right, bottom = (round(float(side)) for side in box)
    crop = _worn(image, rng).crop((left, top, max(right, left + 4), max(bottom, top + 4)))
    reference = reference_picture(
        sprite,
        84 if rng.random() < 0.7 else 112,
        "white" if rng.random() < 0.7 else "textured",
        crop="face" if sprite.kind != "object" and rng.random() < 0.25 else "whole",
        seed=int(rng.integers(16)),
    )
    return sprite, crop, reference


def _background_crop(scene: Scene, rng: np.random.Generator) -> Image.Image:
    width, height = int(rng.uniform(0.3, 1) * scene.width), int(rng.uniform(0.4, 1) * scene.height)
    x, y = int(rng.integers(scene.width - width + 1)), int(rng.integers(scene.height - height + 1))
    return _worn(render_background(scene), rng).crop((x, y, x + width, y + height))


def _identity(subject: Sprite | Background) -> Sprite | str:
    return subject.name if isinstance(subject, Background) else replace(subject, size="large")


def _label_targets(subject: Sprite | Background) -> list[float]:
    holds = {label(subject)}
    arguable: set[str] = set()
    if not isinstance(subject, Background) and subject.kind != "object":
        holds.add(subject.kind)
        arguable = {"human", "face"} - holds
    return [float("nan") if name in arguable else float(name in holds) for name in LABELS]


def _equal(values: Sequence[object]) -> torch.Tensor:
    return torch.tensor([[a == b for b in values] for a in values])
