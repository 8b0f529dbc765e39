"""FaceSim-Cur of a clip: its largest faces and the face of its first reference person, embedded and compared."""

from __future__ import annotations

from typing import Any

from opens2v_hf.errors import ArgumentError, ImageError, VideoError
from opens2v_hf.metrics.face_reader import shared_reader
from opens2v_hf.metrics.face_reference import FaceReference
from opens2v_hf.models.faces.face import FaceDetector, FaceEmbedder
from opens2v_hf.models.info import ModelInfo
from opens2v_hf.models.roles import RELEASED_NUM_FRAMES, frame_caveats, model_caveats
from opens2v_hf.scores.faces import facesim_cur
from opens2v_hf.scores.outcome import VideoScore
from opens2v_hf.video.clip import Clip
from opens2v_hf.video.sampling import linspace

_RELEASED_DETECTOR = {"input_px": 320, "score_threshold": 0.5}


class FaceSimCur:
    """Identity of the first reference person in a clip: `opens2v_hf.scores.faces.facesim_cur`.

    Args:
        face_detector: finds faces.
        face_embedder: makes vectors of them.
        num_frames: sampled evenly over the clip; released: 32.
    """

    name = "facesim_cur"

    def __init__(
        self, face_detector: FaceDetector, face_embedder: FaceEmbedder, *, num_frames: int = RELEASED_NUM_FRAMES
    ) -> None:
        self.sampling = linspace(num_frames)
        self.reader = shared_reader(face_detector, face_embedder)

    @property
    def models(self) -> tuple[ModelInfo, ...]:
        """Detector and embedder."""
        return self.reader.detector.info, self.reader.embedder.info

    @property
    def options(self) -> dict[str, Any]:
        """What decides the numbers besides the models."""
        return face_options(self)

    @property
    def caveats(self) -> tuple[str, ...]:
        """Where this differs from how the leaderboard's numbers were made."""
        return face_caveats(self)

    def score(self, clip: Clip, reference: FaceReference) -> VideoScore:
        """Compare a clip with the first person of its references.

        Returns:
            The score; `NOT_APPLICABLE` where no reference is a person; `FAILED` where the video or the picture cannot
            be read, no face is found in the picture, or a vector is no number. A video without any face that is like
            the reference's has no mean; it scores 0, as the released code (v1.1) writes down, and says why. Details:
            "cosines" (one a sampled frame, None without a face), "frame_indices", "frames_with_face",
            "frames_counted".
        """
        if not reference.images:
            return VideoScore.not_applicable("no reference of the sample is a person")
        try:
            wanted = self.reader.picture_embed(reference.images[0], name=reference.picture_name(0))
            if wanted is None:
                return VideoScore.failed(no_face_in(reference, 0))
            frames = self.reader.clip_faces(clip, self.sampling)
        except (ImageError, VideoError) as error:
            return VideoScore.failed(str(error))
        cosines = [None if frame.largest is None else float(frame.embeds[frame.largest] @ wanted) for frame in frames]
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


def no_face_in(reference: FaceReference, position: int) -> str:
    """The reason to give where a reference picture has no face to compare with."""
    picture = reference.images[position]
    name = picture if isinstance(picture, str) else getattr(picture, "name", None) or reference.picture_name(position)
    return f"no face was found in the reference picture {name}, nor in the same with grey around it"


def face_options(metric: Any) -> dict[str, Any]:
    """Options of a metric with a `FaceReader`."""
    return {
        "num_frames": metric.sampling.count,
        "face_detector": dict(metric.reader.detector.options),
        "face_embedder": dict(metric.reader.embedder.options),
    }


def face_caveats(metric: Any) -> tuple[str, ...]:
    """Where a metric with a `FaceReader` differs from how the leaderboard's FaceSim-Cur is made."""
    found = model_caveats(metric.models) + frame_caveats(metric.sampling.count)
    detector = metric.reader.detector
    changed = [name for name, value in _RELEASED_DETECTOR.items() if detector.options.get(name) != value]
    if changed and not detector.info.embedded:
        found.append(f"made with another {' and '.join(changed)} of the face detector than the leaderboard's")
    return tuple(found)
