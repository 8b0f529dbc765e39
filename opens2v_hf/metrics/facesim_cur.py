"""FaceSim-Cur of a clip: its largest faces and the face of its first reference person, embedded and compared."""

from __future__ import annotations

from opens2v_hf.errors import ArgumentError, ImageError, VideoError
from opens2v_hf.metrics.face_metric import FaceMetric, no_face_in
from opens2v_hf.metrics.face_reference import FaceReference
from opens2v_hf.scores.faces import facesim_cur
from opens2v_hf.scores.outcome import VideoScore
from opens2v_hf.video.clip import Clip


class FaceSimCur(FaceMetric):
    """Identity of the first reference person in a clip: `opens2v_hf.scores.faces.facesim_cur`; see `FaceMetric`."""

    name = "facesim_cur"

    def score(self, clip: Clip, reference: FaceReference) -> VideoScore:
        """Compare a clip with the first person of its references.

        Returns:
            The score; `NOT_APPLICABLE` where no reference is a person; `FAILED` where the video or the picture cannot
            be read, no face is found in the picture, or a vector is no number. A video without any face that is like
            the reference's has no mean; it scores 0, as in the released code (v1.1), with the reason. Details:
            "cosines" (one a sampled frame, None without a face), "frame_indices", "frames_with_face",
            "frames_counted".
        """
        if not reference.images:
            return VideoScore.not_applicable("no reference of the sample is a person")
        try:
            face = self.reader.picture_embed(reference.images[0], name=reference.picture_name(0))
            if face is None:
                return VideoScore.failed(no_face_in(reference, 0))
            frames = self.reader.clip_faces(clip, self.sampling)
        except (ImageError, VideoError) as error:
            return VideoScore.failed(str(error))
        cosines = [None if frame.largest is None else float(frame.embeds[frame.largest] @ face) for frame in frames]
        try:
            found = facesim_cur(cosines)
        except ArgumentError as error:
            return VideoScore.failed(f"{clip.name}: {error}; try dtype='float32'")
        remark = ""
        if found.value is None:
            remark = "no frame shows the person" if found.num_with_face else "no face was found in any frame"
        return VideoScore.scored(
            0.0 if found.value is None else found.value,
            remark,
            cosines=cosines,
            frame_indices=list(self.sampling.indices(clip.num_frames)),
            frames_with_face=found.num_with_face,
            frames_counted=found.num_counted,
        )
