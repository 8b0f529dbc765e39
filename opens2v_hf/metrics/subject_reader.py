"""Crops of a clip's frames in which a detector finds a reference, and their vectors.

All metrics that share the models share the work: the detector sees a distinct frame once, and a crop is embedded
once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from opens2v_hf._util.boxes import box_iou
from opens2v_hf._util.recent import Recent, shared_by
from opens2v_hf.metrics.nexusscore import Detector, PromptEncoder
from opens2v_hf.models.info import ModelInfo
from opens2v_hf.models.subject_embedder import GREY, SubjectEmbedder
from opens2v_hf.models.yolo_world.boxes import Detections
from opens2v_hf.scores.nexus import is_empty, pixel_corners
from opens2v_hf.video.clip import Clip
from opens2v_hf.video.sampling import SamplingRule

MAX_OVERLAP = 0.7
"""Intersection over union above which two boxes are one subject, found by two prompts."""

MAX_BOXES = 16
"""Boxes of a frame that are used, by score."""

_CLIPS_CACHED = 4
_PICTURES_CACHED = 64
_CROPS_AT_ONCE = 128

Corners = tuple[int, int, int, int]


@dataclass(frozen=True, eq=False)
class Picture:
    """A reference picture, read.

    Attributes:
        image: RGB.
        corners: of the subject in it, left, top, right, bottom in px; the whole picture where the detector finds none.
        embed: float32 [D], of the subject alone.
    """

    image: Image.Image
    corners: Corners
    embed: np.ndarray


@dataclass(frozen=True, eq=False)
class FrameSubjects:
    """The subjects of one frame; F may be 0.

    Attributes:
        corners: of each, left, top, right, bottom in px.
        embeds: float32 [F, D], L2-normalised.
    """

    corners: tuple[Corners, ...]
    embeds: np.ndarray


class SubjectReader:
    """Finds and embeds subjects; caches those of the last few clips and pictures.

    Args:
        detector: finds boxes that look like a reference.
        prompt_encoder: makes the detector's prompts of references.
        embedder: makes vectors of crops.
    """

    def __init__(self, detector: Detector, prompt_encoder: PromptEncoder, embedder: SubjectEmbedder) -> None:
        self.detector = detector
        self.prompt_encoder = prompt_encoder
        self.embedder = embedder
        self._pictures: Recent[str, Picture] = Recent(_PICTURES_CACHED)
        self._clips: Recent[tuple[object, ...], tuple[FrameSubjects, ...]] = Recent(_CLIPS_CACHED)

    @property
    def models(self) -> tuple[ModelInfo, ...]:
        """Detector, prompt encoder and embedder."""
        return self.detector.info, self.prompt_encoder.info, self.embedder.info

    def picture(self, image: Image.Image) -> Picture:
        """A reference picture: where its subject is, by the prompt that it makes itself, and the vector of that."""
        return self._pictures.get(_key(image), lambda: self._read_picture(image))

    def embed(self, images: Sequence[Image.Image]) -> np.ndarray:
        """float32 [N, D], L2-normalised; few are computed at a time."""
        parts = [
            self.embedder.embed(images[start : start + _CROPS_AT_ONCE]).float().numpy()
            for start in range(0, len(images), _CROPS_AT_ONCE)
        ]
        return np.concatenate(parts) if parts else np.zeros((0, 0), np.float32)

    def clip_subjects(
        self, clip: Clip, rule: SamplingRule, pictures: Sequence[Image.Image]
    ) -> tuple[FrameSubjects, ...]:
        """The crops that look like any of the references in the sampled frames, one item for each frame.

        Raises:
            ArgumentError: the clip was not opened for the rule.
            VideoError: the video is broken.
        """
        key = (clip.sha256, rule, *map(_key, pictures))
        return self._clips.get(key, lambda: self._read(clip, rule, pictures))

    def _read_picture(self, image: Image.Image) -> Picture:
        prompts = self.detector.prompts(self.prompt_encoder.embed([image]))
        corners = (0, 0, image.width, image.height)
        # a subject that fills its picture is found once it is seen from further away
        for border in (0.0, 0.25, 0.5):
            margins = round(border * image.width), round(border * image.height)
            seen = Image.new("RGB", (image.width + 2 * margins[0], image.height + 2 * margins[1]), GREY)
            seen.paste(image, margins)
            boxes = distinct_boxes(self.detector.detect([np.asarray(seen)], prompts)[0])
            inside = _intersection(_moved(boxes[0], margins), corners) if boxes else None
            if inside is not None and not is_empty(inside):
                corners = inside
                break
        return Picture(image, corners, self.embed([image.crop(corners)])[0])

    def _read(self, clip: Clip, rule: SamplingRule, pictures: Sequence[Image.Image]) -> tuple[FrameSubjects, ...]:
        frames = clip.frames(rule)
        indices = rule.indices(clip.num_frames)
        # A clip with fewer frames than the rule takes is sampled with repeats; each frame is read once.
        distinct = dict(zip(indices, frames, strict=True))
        prompts = self.detector.prompts(self.prompt_encoder.embed(list(pictures)))
        detected = self.detector.detect(list(distinct.values()), prompts)
        boxes = {index: distinct_boxes(found) for index, found in zip(distinct, detected, strict=True)}
        crops = [Image.fromarray(distinct[index]).crop(box) for index, found in boxes.items() for box in found]
        embeds = iter(self.embed(crops))
        by_index = {}
        for index, found in boxes.items():
            vectors = np.stack([next(embeds) for _ in found]) if found else np.zeros((0, 0), np.float32)
            by_index[index] = FrameSubjects(tuple(found), vectors)
        return tuple(by_index[index] for index in indices)


def distinct_boxes(found: Sequence[Detections]) -> list[Corners]:
    """The boxes of a frame, each subject once whichever prompts found it, the best score first; `MAX_BOXES` at most."""
    scored = [
        (float(score), pixel_corners(box))
        for of_prompt in found
        for box, score in zip(of_prompt.boxes.tolist(), of_prompt.scores.tolist(), strict=True)
    ]
    chosen: list[Corners] = []
    for _, corners in sorted(scored, key=lambda pair: -pair[0]):  # stable: of equal scores the first prompt's
        is_new = all(box_iou(corners, other) <= MAX_OVERLAP for other in chosen)
        if len(chosen) < MAX_BOXES and not is_empty(corners) and is_new:
            chosen.append(corners)
    return chosen


def _moved(corners: Corners, by: tuple[int, int]) -> Corners:
    return corners[0] - by[0], corners[1] - by[1], corners[2] - by[0], corners[3] - by[1]


def _intersection(a: Corners, b: Corners) -> Corners:
    return max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])


def _key(image: Image.Image) -> str:
    return hashlib.sha256(repr((image.mode, image.size)).encode() + image.tobytes()).hexdigest()


shared_reader = shared_by(SubjectReader)
"""The reader of detector, prompt encoder and embedder, shared by all metrics that use these."""
