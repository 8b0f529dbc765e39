"""Scores and embeddings of subjects, and hashes of frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from opens2v_hf.data.images import read_image
from opens2v_hf.masks.apply import cut_out
from opens2v_hf.masks.rle import encode
from opens2v_hf.models.roles import ROLES
from opens2v_hf.pipeline import media
from opens2v_hf.pipeline.records import ClipRecord, Subject
from opens2v_hf.pipeline.stage import Dropped, Resources, StageOutput
from opens2v_hf.pipeline.stage_models import StageModel, on_gpu
from opens2v_hf.pipeline.stages.each_clip import each_clip
from opens2v_hf.pipeline.stages.quality import aesthetic_scores
from opens2v_hf.pipeline.subjects import foreground, masks_of
from opens2v_hf.video.phash import phash


class Scores:
    """Embeds and rates every subject once, and rates what is left of the frame with and without them.

    A subject's picture is its cut-out on white, as released; its vector serves the similarity to its label (which is
    embedded with the released retrieval instruction) and, later, pairs. The foreground's rating is of the frame with
    all but the subjects white; the background's of the painted-out frame (None before the stage "background").
    Perceptual hashes are of the annotated frame and of those at 5, 50 and 95 %. Nothing is dropped by a score.

    Args:
        embedder: of the role, see `StageModel`; None for no vectors and similarities.
        aesthetic_encoder: likewise; None for no ratings.
        aesthetic_head: likewise.
    """

    name = "scores"

    def __init__(
        self,
        *,
        embedder: Any = ROLES["embedder"].released,
        aesthetic_encoder: Any = ROLES["aesthetic_encoder"].released,
        aesthetic_head: Any = ROLES["aesthetic_head"].released,
    ) -> None:
        has_looks = aesthetic_encoder is not None
        self.embedder = None if embedder is None else StageModel("embedder", embedder)
        self.encoder = StageModel("aesthetic_encoder", aesthetic_encoder) if has_looks else None
        self.head = StageModel("aesthetic_head", aesthetic_head) if has_looks else None
        self.resources = Resources(gpus=on_gpu(self.embedder, self.encoder))

    def load(self) -> None:
        """Load the models.

        Raises:
            ModelError: one cannot be loaded.
        """
        for model in (self.embedder, self.encoder, self.head):
            if model is not None:
                model.get()

    def facts(self) -> Mapping[str, Any]:
        """The models."""
        return {
            "embedder": self.embedder.facts() if self.embedder else None,
            "aesthetic_encoder": self.encoder.facts() if self.encoder else None,
            "aesthetic_head": self.head.facts() if self.head else None,
        }

    def __call__(self, clips: Sequence[ClipRecord]) -> StageOutput:
        """Score some clips."""
        self.load()
        return each_clip(self.name, clips, self._apply)

    def _apply(self, clip: ClipRecord, lost: list[Dropped]) -> list[ClipRecord]:
        image = media.annotated(clip)
        pictures = [cut_out(image, mask) for mask in masks_of(clip)]
        subjects = self._rated(self._embedded(list(clip.subjects), pictures), pictures)
        in_front = foreground(clip)
        shown = cut_out(image, encode(in_front), crop=False) if in_front.any() else None
        behind = None
        if clip.background_png:
            behind = np.asarray(read_image(clip.background_png, name=f"the background of {clip.id}"))
        changes: dict[str, Any] = {
            "subjects": tuple(subjects),
            "foreground_aesthetic": self._rating(shown),
            "background_aesthetic": self._rating(behind),
            "frame_phash": phash(image),
            "clip_phashes": tuple(phash(frame) for frame in media.sampled(clip)),
        }
        return [clip.made_by(self.name, self.facts(), **changes)]

    def _embedded(self, subjects: list[Subject], pictures: list[np.ndarray]) -> list[Subject]:
        if self.embedder is None or not subjects:
            return subjects
        from opens2v_hf.models.gme import RETRIEVAL_INSTRUCTION, similarities

        embedder = self.embedder.get()
        images = embedder.embed_images(pictures)
        texts = embedder.embed_texts([subject.label for subject in subjects], RETRIEVAL_INSTRUCTION)
        alike = similarities(texts, images).tolist()
        return [
            replace(
                subject,
                text_similarity=float(similarity),
                image_vector=image.float().numpy(),
                text_vector=text.float().numpy(),
            )
            for subject, similarity, image, text in zip(subjects, alike, images, texts, strict=True)
        ]

    def _rated(self, subjects: list[Subject], pictures: list[np.ndarray]) -> list[Subject]:
        ratings = aesthetic_scores(pictures, self.encoder, self.head)
        if ratings is None:
            return subjects
        return [replace(subject, aesthetic=rating) for subject, rating in zip(subjects, ratings, strict=True)]

    def _rating(self, picture: np.ndarray | None) -> float | None:
        ratings = None if picture is None else aesthetic_scores([picture], self.encoder, self.head)
        return None if ratings is None else ratings[0]
