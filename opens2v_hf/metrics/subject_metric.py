"""Common base of the metrics of subjects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from opens2v_hf.metrics.nexusscore import Detector, PromptEncoder
from opens2v_hf.metrics.pictures import load_picture
from opens2v_hf.metrics.subject_reader import FrameSubjects, shared_reader
from opens2v_hf.metrics.subject_reference import SubjectReference
from opens2v_hf.models.info import ModelInfo
from opens2v_hf.models.roles import RELEASED_NUM_FRAMES, frame_caveats, model_caveats
from opens2v_hf.models.subject_embedder import SubjectEmbedder
from opens2v_hf.video.sampling import linspace

NO_COLUMN = "the leaderboard has no such column"


class SubjectMetric:
    """A metric that embeds crops of sampled frames in which a detector finds a reference.

    Args:
        detector: finds regions that look like a reference.
        prompt_encoder: makes the detector's prompts from references.
        subject_embedder: embeds crops and references.
        num_frames: sampled evenly over the clip.
    """

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
        """Settings other than the models that affect the scores."""
        return {
            "num_frames": self.sampling.count,
            "detector": dict(getattr(self.reader.detector, "options", {})),
            "subject_embedder": dict(self.reader.embedder.options),
        }

    @property
    def caveats(self) -> tuple[str, ...]:
        """Why its numbers are not the leaderboard's."""
        return (NO_COLUMN, *model_caveats(self.models), *frame_caveats(self.sampling.count))


def cosines(frame: FrameSubjects, references: np.ndarray) -> np.ndarray:
    """Cosines of a frame's F crops with K reference vectors [K, D]: [F, K]."""
    return frame.embeds @ references.T if frame.corners else np.zeros((0, len(references)))


def subject_pictures(reference: SubjectReference) -> list[Image.Image]:
    """The reference pictures, read.

    Raises:
        ImageError: one cannot be read.
        ArgumentError: one is no picture.
    """
    return [load_picture(image, name=reference.picture_name(index)) for index, image in enumerate(reference.images)]


def view_pictures(views: Sequence[Any], name: str) -> list[Image.Image]:
    """Other views of one subject, read; see `subject_pictures`."""
    return [load_picture(view, name=f"view {number} of {name}") for number, view in enumerate(views)]
