"""Identity of several people in a clip: in every frame each reference person gets the face that fits best."""

from __future__ import annotations

import numpy as np

from opens2v_hf.errors import ArgumentError, ImageError, VideoError
from opens2v_hf.metrics.face_metric import FaceMetric, no_face_in
from opens2v_hf.metrics.face_reference import FaceReference
from opens2v_hf.scores.faces import facesim_multi
from opens2v_hf.scores.outcome import VideoScore
from opens2v_hf.video.clip import Clip


class FaceSimMulti(FaceMetric):
    """Identity of all reference people in a clip: `opens2v_hf.scores.faces.facesim_multi`; see `FaceMetric`."""

    name = "facesim_multi"
    reports_references = True

    @property
    def caveats(self) -> tuple[str, ...]:
        """Why its numbers are not the leaderboard's."""
        return ("the leaderboard has no such column", *super().caveats)

    def score(self, clip: Clip, reference: FaceReference) -> VideoScore:
        """Compare a clip with all people of its references.

        Returns:
            The score; `NOT_APPLICABLE` where no reference is a person; `FAILED` where the video or a picture cannot be
            read, no face is found in any of the pictures, or a vector is no number. A reference picture without a face
            is left out, the same for every video, with a remark. Details: "references" (for each that counts its
            "position", "label", "similarity" and "frames_found"), "similarities" (for each sampled frame, for each of
            those), "faces_found" (one number a sampled frame), "frame_indices".
        """
        if not reference.images:
            return VideoScore.not_applicable("no reference of the sample is a person")
        try:
            vectors = [
                self.reader.picture_embed(picture, name=reference.picture_name(position))
                for position, picture in enumerate(reference.images)
            ]
            known = [position for position, vector in enumerate(vectors) if vector is not None]
            remarks = [no_face_in(reference, i) for i, vector in enumerate(vectors) if vector is None]
            if not known:
                return VideoScore.failed("; ".join(remarks))
            frames = self.reader.clip_faces(clip, self.sampling)
        except (ImageError, VideoError) as error:
            return VideoScore.failed(str(error))
        wanted = np.stack([vector for vector in vectors if vector is not None])
        cosines = [frame.embeds @ wanted.T if len(frame.embeds) else np.zeros((0, len(known))) for frame in frames]
        try:
            found = facesim_multi(cosines, len(known))
        except ArgumentError as error:
            return VideoScore.failed(f"{clip.name}: {error}; try dtype='float32'")
        if not any(len(frame.embeds) for frame in frames):
            remarks.append("no face was found in any frame")
        by_reference = zip(known, found.by_reference, found.frames_found, strict=True)
        return VideoScore.scored(
            found.value,
            "; ".join(remarks),
            references=[
                {"position": i, "label": reference.labels[i], "similarity": similarity, "frames_found": count}
                for i, similarity, count in by_reference
            ],
            similarities=[list(row) for row in found.similarities],
            faces_found=[len(frame.embeds) for frame in frames],
            frame_indices=list(self.sampling.indices(clip.num_frames)),
        )
