"""Identity of every subject of a clip: in every frame each reference gets the crop that fits best."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from opens2v_hf.errors import ArgumentError, ImageError, VideoError
from opens2v_hf.metrics.nexusscore import Detector, PromptEncoder
from opens2v_hf.metrics.pictures import load_picture
from opens2v_hf.metrics.subject_reader import FrameSubjects, shared_reader
from opens2v_hf.metrics.subject_reference import SubjectReference
from opens2v_hf.models.info import ModelInfo
from opens2v_hf.models.roles import RELEASED_NUM_FRAMES, frame_caveats, model_caveats
from opens2v_hf.models.subject_embedder import SubjectEmbedder
from opens2v_hf.scores.outcome import VideoScore
from opens2v_hf.scores.subject_identity import subject_identity
from opens2v_hf.video.clip import Clip
from opens2v_hf.video.sampling import linspace

NO_COLUMN = "the leaderboard has no such column"


class SubjectIdentity:
    """Identity of all subjects of a clip: `opens2v_hf.scores.subject_identity.subject_identity`.

    Args:
        detector: finds what looks like a reference.
        prompt_encoder: makes the detector's prompts of references.
        subject_embedder: compares crops with references.
        num_frames: sampled evenly over the clip.
    """

    name = "subject_identity"
    reports_references = True

    def __init__(
        self,
        detector: Detector,
        prompt_encoder: PromptEncoder,
        subject_embedder: SubjectEmbedder,
        *,
        num_frames: int = RELEASED_NUM_FRAMES,
    ) -> None:
        self.sampling = linspace(num_frames)
        self.reader = shared_reader(detector, prompt_encoder, subject_embedder)

    @property
    def models(self) -> tuple[ModelInfo, ...]:
        """Detector, prompt encoder and embedder."""
        return self.reader.models

    @property
    def options(self) -> dict[str, Any]:
        """What decides the numbers besides the models."""
        return subject_options(self)

    @property
    def caveats(self) -> tuple[str, ...]:
        """Why its numbers stand beside the leaderboard and not on it."""
        return (NO_COLUMN, *model_caveats(self.models), *frame_caveats(self.sampling.count))

    def score(self, clip: Clip, reference: SubjectReference) -> VideoScore:
        """Compare a clip with all subjects of its references.

        Returns:
            The score; `NOT_APPLICABLE` where no reference is a subject; `FAILED` where the video or a picture cannot be
            read, or a vector is no number. It has `references` (for each its "reference", "label", "similarity" and
            "frames_found"). Details: "similarities" (for each sampled frame, for each reference), "subjects_found" (one
            number a sampled frame), "frame_indices".
        """
        if not reference.images:
            return VideoScore.not_applicable("no reference of the sample is a subject")
        try:
            images = subject_pictures(reference)
            frames = self.reader.clip_subjects(clip, self.sampling, images)
        except (ImageError, VideoError) as error:
            return VideoScore.failed(str(error))
        wanted = np.stack([self.reader.picture(image).embed for image in images])
        try:
            found = subject_identity([cosines(frame, wanted) for frame in frames], len(images))
        except ArgumentError as error:
            return VideoScore.failed(f"{clip.name}: {error}; try dtype='float32'")
        return VideoScore.scored(
            found.value,
            "" if any(frame.corners for frame in frames) else "no subject was found in any frame",
            references=[
                {
                    "reference": reference.place(index),
                    "label": reference.labels[index],
                    "similarity": found.by_reference[index],
                    "frames_found": found.frames_found[index],
                }
                for index in range(len(images))
            ],
            similarities=[list(row) for row in found.similarities],
            subjects_found=[len(frame.corners) for frame in frames],
            frame_indices=list(self.sampling.indices(clip.num_frames)),
        )


def cosines(frame: FrameSubjects, wanted: np.ndarray) -> np.ndarray:
    """Of each crop of a frame with each of K vectors [K, D]: [F, K]."""
    return frame.embeds @ wanted.T if frame.corners else np.zeros((0, len(wanted)))


def subject_pictures(reference: SubjectReference) -> list[Image.Image]:
    """The reference pictures, read.

    Raises:
        ImageError: one cannot be read.
        ArgumentError: one is no picture.
    """
    return [load_picture(image, name=reference.name(index)) for index, image in enumerate(reference.images)]


def view_pictures(views: Sequence[Any], name: str) -> list[Image.Image]:
    """Other views of one subject, read; see `subject_pictures`."""
    return [load_picture(view, name=f"view {number} of {name}") for number, view in enumerate(views)]


def subject_options(metric: Any) -> dict[str, Any]:
    """Options of a metric with a `SubjectReader`."""
    return {
        "num_frames": metric.sampling.count,
        "detector": dict(getattr(metric.reader.detector, "options", {})),
        "subject_embedder": dict(metric.reader.embedder.options),
    }
