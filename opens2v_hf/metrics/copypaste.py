"""Copy-paste of a clip: whether its subjects are nearer to the given pictures than to other true views of them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from opens2v_hf.errors import ArgumentError, ImageError, VideoError
from opens2v_hf.metrics.nexusscore import Detector, PromptEncoder
from opens2v_hf.metrics.registration import best_correlation
from opens2v_hf.metrics.subject_metric import SubjectMetric, cosines, subject_pictures, view_pictures
from opens2v_hf.metrics.subject_reader import Corners, Picture
from opens2v_hf.metrics.subject_reference import ReferenceViews, SubjectReference
from opens2v_hf.models.roles import RELEASED_NUM_FRAMES
from opens2v_hf.models.subject_embedder import SubjectEmbedder
from opens2v_hf.scores.copypaste import copy_excess, copypaste
from opens2v_hf.scores.outcome import VideoScore
from opens2v_hf.scores.subject_identity import subject_identity
from opens2v_hf.video.clip import Clip

NO_VIEW = (
    "no other view of a subject is given; closeness to the given picture alone does not tell a copy from a good "
    "likeness (give reference_views)"
)


class CopyPaste(SubjectMetric):
    """Whether subjects were copied from the given pictures: `opens2v_hf.scores.copypaste.copypaste`.

    Args:
        detector: see `SubjectMetric`.
        prompt_encoder: likewise.
        subject_embedder: likewise.
        reference_views: other true views of the subjects of each sample, see `ReferenceViews`; the views of a reference
            itself are used instead where it has any.
        num_frames: sampled evenly over the clip.
    """

    name = "copypaste"

    def __init__(
        self,
        detector: Detector,
        prompt_encoder: PromptEncoder,
        subject_embedder: SubjectEmbedder,
        *,
        reference_views: str | os.PathLike[str] | Mapping[str, Sequence[Sequence[Any]]] | None = None,
        num_frames: int = RELEASED_NUM_FRAMES,
    ) -> None:
        super().__init__(detector, prompt_encoder, subject_embedder, num_frames=num_frames)
        self.views = ReferenceViews({} if reference_views is None else reference_views)

    @property
    def options(self) -> dict[str, Any]:
        """Settings other than the models that affect the scores; views by the digest of their pictures."""
        return {**super().options, "reference_views_sha256": self.views.sha256}

    def score(self, clip: Clip, reference: SubjectReference) -> VideoScore:
        """Measure for every subject of a clip whether it is a copy of the given picture.

        In every frame the references get crops as in `SubjectIdentity`. Each picture of the subject is registered
        with the frame at the position and size of the best fit, and the correlation of their pixels is the cosine that
        `copy_excess` takes: a pasted picture fits to the pixel, with its pose, its light and its background.

        Returns:
            The score; `NOT_APPLICABLE` where no reference is a subject, none has another view, all views are the same
            picture, or no subject with a view is found in the clip; `FAILED` where the video or a picture cannot be
            read, or a vector is no number. It has `references` (for each with views its "reference", "label", "value"
            and "frames_compared"). Details: "excesses" (for each of those, for each sampled frame), "frame_indices".
        """
        if not reference.images:
            return VideoScore.not_applicable("no reference of the sample is a subject")
        views = self.views.of(reference)
        with_views = [index for index, of_one in enumerate(views) if of_one]
        if not with_views:
            return VideoScore.not_applicable(NO_VIEW)
        try:
            images = subject_pictures(reference)
            others = {
                index: [
                    view
                    for view in view_pictures(views[index], reference.picture_name(index))
                    if view.size != images[index].size or view.tobytes() != images[index].tobytes()
                ]
                for index in with_views
            }
            frames = self.reader.clip_subjects(clip, self.sampling, images)
            pixels = clip.frames(self.sampling)
        except (ImageError, VideoError) as error:
            return VideoScore.failed(str(error))
        with_views = [index for index in with_views if others[index]]
        if not with_views:
            return VideoScore.not_applicable(f"{clip.name}: the other views are the given pictures")
        pictures = [self.reader.picture(image) for image in images]
        wanted = np.stack([picture.embed for picture in pictures])
        try:
            chosen = subject_identity([cosines(frame, wanted) for frame in frames], len(images)).assignments
            excesses = [
                _excesses(
                    [
                        None if (crop := row[index]) is None else (pixels[number], frames[number].corners[crop])
                        for number, row in enumerate(chosen)
                    ],
                    pictures[index],
                    [self.reader.picture(view) for view in others[index]],
                )
                for index in with_views
            ]
        except ArgumentError as error:
            return VideoScore.failed(f"{clip.name}: {error}; try dtype='float32'")
        found = copypaste(excesses)
        indices = list(self.sampling.indices(clip.num_frames))
        details: dict[str, Any] = {"excesses": excesses, "frame_indices": indices}
        if found.value is None:
            seen = any(row[index] is not None for row in chosen for index in with_views)
            why = "the other views look like the given pictures" if seen else "no subject with another view was found"
            return VideoScore.not_applicable(f"{clip.name}: {why}", **details)
        return VideoScore.scored(
            found.value,
            references=[
                {
                    "reference": reference.position(index),
                    "label": reference.labels[index],
                    "value": found.by_reference[row],
                    "frames_compared": found.frames_compared[row],
                }
                for row, index in enumerate(with_views)
            ],
            **details,
        )


def _excesses(
    crops: Sequence[tuple[np.ndarray, Corners] | None], given: Picture, views: Sequence[Picture]
) -> list[float | None]:
    """`copy_excess` of a subject in each frame, from the frame and its box there; None where it has none."""
    between = [best_correlation(given.image, np.asarray(view.image), view.corners) for view in views]
    return [
        None
        if crop is None
        else copy_excess(
            best_correlation(given.image, *crop), [best_correlation(view.image, *crop) for view in views], between
        )
        for crop in crops
    ]
