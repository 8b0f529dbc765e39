"""Common base of the metrics of faces."""

from __future__ import annotations

from typing import Any

from opens2v_hf.metrics.face_reader import shared_reader
from opens2v_hf.metrics.face_reference import FaceReference
from opens2v_hf.models.faces.face import FaceDetector, FaceEmbedder
from opens2v_hf.models.info import ModelInfo
from opens2v_hf.models.roles import RELEASED_NUM_FRAMES, frame_caveats, model_caveats
from opens2v_hf.video.sampling import linspace

_RELEASED_DETECTOR = {"input_px": 320, "score_threshold": 0.5}


class FaceMetric:
    """A metric that embeds the faces of sampled frames.

    Args:
        face_detector: finds faces.
        face_embedder: embeds them.
        num_frames: sampled evenly over the clip; released: 32.
    """

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
        """Settings other than the models that affect the scores."""
        return {
            "num_frames": self.sampling.count,
            "face_detector": dict(self.reader.detector.options),
            "face_embedder": dict(self.reader.embedder.options),
        }

    @property
    def caveats(self) -> tuple[str, ...]:
        """Differences from how the leaderboard's FaceSim-Cur is made."""
        found = model_caveats(self.models) + frame_caveats(self.sampling.count)
        detector = self.reader.detector
        changed = [name for name, value in _RELEASED_DETECTOR.items() if detector.options.get(name) != value]
        if changed and not detector.info.embedded:
            found.append(f"made with another {' and '.join(changed)} of the face detector than the leaderboard's")
        return tuple(found)


def no_face_in(reference: FaceReference, index: int) -> str:
    """The reason for a reference picture without a face."""
    picture = reference.images[index]
    name = picture if isinstance(picture, str) else getattr(picture, "name", None) or reference.picture_name(index)
    return f"no face was found in the reference picture {name}, nor in the same with grey around it"
