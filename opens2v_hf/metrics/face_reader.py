"""Embedded faces of frames and of reference pictures; each is computed once for all metrics."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from opens2v_hf._util.recent import Recent, shared_by
from opens2v_hf.metrics.pictures import load_picture
from opens2v_hf.models.faces.align import align_face
from opens2v_hf.models.faces.face import Face, FaceDetector, FaceEmbedder, find_faces, largest
from opens2v_hf.video.clip import Clip
from opens2v_hf.video.sampling import SamplingRule

_CLIPS_CACHED = 4
_PICTURES_CACHED = 512
_CROPS_HELD = 256  # as pixels at a time: 38 MB


@dataclass(frozen=True, eq=False)
class FrameFaces:
    """The faces of one frame; F may be 0.

    Attributes:
        boxes: float32 [F, 4], left, top, right, bottom in px.
        scores: float32 [F], the detector's.
        embeds: float32 [F, D], L2-normalised.
        largest: which one has the largest box; None without a face.
    """

    boxes: np.ndarray
    scores: np.ndarray
    embeds: np.ndarray
    largest: int | None


class FaceReader:
    """Finds, aligns and embeds faces; caches those of the last few clips and reference pictures.

    Args:
        detector: finds faces.
        embedder: makes vectors of them.
    """

    def __init__(self, detector: FaceDetector, embedder: FaceEmbedder) -> None:
        self.detector = detector
        self.embedder = embedder
        self._clips: Recent[tuple[str, SamplingRule], tuple[FrameFaces, ...]] = Recent(_CLIPS_CACHED)
        self._pictures: Recent[str, np.ndarray | None] = Recent(_PICTURES_CACHED)

    def clip_faces(self, clip: Clip, rule: SamplingRule) -> tuple[FrameFaces, ...]:
        """The faces of the sampled frames, one item a frame; a frame that is sampled twice is read once.

        Raises:
            ArgumentError: the clip was not opened for the rule.
            VideoError: the video is broken.
        """
        return self._clips.get((clip.sha256, rule), lambda: self._read(clip, rule))

    def picture_embed(self, picture: Any, *, name: str) -> np.ndarray | None:
        """The vector of the largest face in a reference picture, float32 [D]; None where no face is found.

        Raises:
            ImageError: the picture is missing or broken.
            ArgumentError: it is no picture.
        """
        image = np.asarray(load_picture(picture, name=name))
        key = hashlib.sha256(repr(image.shape).encode() + image.tobytes()).hexdigest()
        return self._pictures.get(key, lambda: self._embed_largest(image))

    def _embed_largest(self, image: np.ndarray) -> np.ndarray | None:
        faces = find_faces(self.detector, image)
        chosen = largest(faces)
        return None if chosen is None else self.embedder.embed([align_face(image, faces[chosen].landmarks)])[0]

    def _read(self, clip: Clip, rule: SamplingRule) -> tuple[FrameFaces, ...]:
        frames = clip.frames(rule)
        indices = rule.indices(clip.num_frames)
        distinct = dict(zip(indices, frames, strict=True))
        faces = {index: find_faces(self.detector, frame) for index, frame in distinct.items()}
        embeds = iter(self._embed([(distinct[index], face) for index, found in faces.items() for face in found]))
        by_index = {index: _of_frame(found, [next(embeds) for _ in found]) for index, found in faces.items()}
        return tuple(by_index[index] for index in indices)

    def _embed(self, found: Sequence[tuple[np.ndarray, Face]]) -> list[np.ndarray]:
        """A vector for each face; few crops are held as pixels at a time."""
        vectors: list[np.ndarray] = []
        for start in range(0, len(found), _CROPS_HELD):
            crops = [align_face(frame, face.landmarks) for frame, face in found[start : start + _CROPS_HELD]]
            vectors.extend(self.embedder.embed(crops))
        return vectors


def _of_frame(faces: Sequence[Face], embeds: Sequence[np.ndarray]) -> FrameFaces:
    return FrameFaces(
        boxes=np.array([face.box for face in faces], np.float32).reshape(-1, 4),
        scores=np.array([face.score for face in faces], np.float32),
        embeds=np.stack(embeds) if embeds else np.zeros((0, 0), np.float32),
        largest=largest(faces),
    )


shared_reader = shared_by(FaceReader)
"""The reader of detector and embedder, shared by all metrics that use these."""
