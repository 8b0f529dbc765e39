"""Identity of every subject of a clip: in every frame each reference gets the crop that fits best."""

from __future__ import annotations

import numpy as np

from opens2v_hf.errors import ArgumentError, ImageError, VideoError
from opens2v_hf.metrics.subject_metric import SubjectMetric, cosines, subject_pictures
from opens2v_hf.metrics.subject_reference import SubjectReference
from opens2v_hf.scores.outcome import VideoScore
from opens2v_hf.scores.subject_identity import subject_identity
from opens2v_hf.video.clip import Clip


class SubjectIdentity(SubjectMetric):
    """Identity of all subjects of a clip: `opens2v_hf.scores.subject_identity`; see `SubjectMetric`."""

    name = "subject_identity"

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
        embeds = np.stack([self.reader.picture(image).embed for image in images])
        try:
            found = subject_identity([cosines(frame, embeds) for frame in frames], len(images))
        except ArgumentError as error:
            return VideoScore.failed(f"{clip.name}: {error}; try dtype='float32'")
        return VideoScore.scored(
            found.value,
            "" if any(frame.corners for frame in frames) else "no subject was found in any frame",
            references=[
                {
                    "reference": reference.position(index),
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
