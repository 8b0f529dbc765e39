"""FaceSim-Cur and its companion for several people: whether a video keeps the faces of its reference pictures.

Numbers only: how alike faces are (cosines of their embeddings) comes in, a score goes out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from opens2v_hf._util.argument_types import checked
from opens2v_hf.errors import ArgumentError
from opens2v_hf.scores.matching import best_matching


@dataclass(frozen=True)
class FaceSimCur:
    """FaceSim-Cur of a video with what it rests on.

    Attributes:
        value: in (0, 1] up to rounding; None where no frame counts.
        num_frames: frames that were searched.
        num_with_face: of those, frames in which a face was found.
        num_counted: of those, frames whose similarity is above 0: the ones that the mean is taken over.
    """

    value: float | None
    num_frames: int
    num_with_face: int
    num_counted: int


@checked
def facesim_cur(cosines: Sequence[float | None]) -> FaceSimCur:
    r"""Mean similarity of a video's face with the reference's, over the frames where there is any (released code v1.1).

    .. math:: \mathrm{FaceSim} = \frac{1}{|C|} \sum_{i \in C} c_i, \quad C = \{i : \max(0, c_i) \neq 0\}

    A frame without a face is left out, and so is one whose face has nothing of the reference (a cosine of 0 or below):
    neither costs anything, which is how the released score is defined.

    Args:
        cosines: one a frame, each in [-1, 1] up to rounding: of the embeddings of the frame's largest face and of the
            reference's; None for a frame without a face.

    Raises:
        ArgumentError: there is no frame, or a cosine is not a finite number.

    Example:
        >>> facesim_cur([0.5, None, -0.25, 0.75])
        FaceSimCur(value=0.625, num_frames=4, num_with_face=3, num_counted=2)
        >>> facesim_cur([None, 0.0]).value is None
        True
    """
    if len(cosines) == 0:
        raise ArgumentError("FaceSim-Cur needs at least one frame (got none)")
    found = [cosine for cosine in cosines if cosine is not None]
    if not all(math.isfinite(cosine) for cosine in found):
        raise ArgumentError(f"the cosine of two faces is a finite number (got {list(cosines)})")
    counted = [cosine for cosine in found if cosine > 0.0]
    value = math.fsum(counted) / len(counted) if counted else None
    return FaceSimCur(value, len(cosines), len(found), len(counted))


@dataclass(frozen=True)
class FaceSimMulti:
    """The identity score of several people in a video, with what it rests on.

    Attributes:
        value: in [0, 1] up to rounding: the mean of `by_reference`.
        by_reference: for each reference the mean over frames of its similarity.
        frames_found: for each reference the number of frames in which a face was assigned to it.
        assignments: for each frame, for each reference: which face of the frame, or None.
        similarities: for each frame, for each reference: that of its face, 0 without one.
    """

    value: float
    by_reference: tuple[float, ...]
    frames_found: tuple[int, ...]
    assignments: tuple[tuple[int | None, ...], ...]
    similarities: tuple[tuple[float, ...], ...]


@checked
def facesim_multi(cosines: Sequence[Sequence[Sequence[float]] | np.ndarray], num_references: int) -> FaceSimMulti:
    r"""Mean over frames and references of the similarity of the face that is taken for the reference in the frame.

    .. math:: \frac{1}{N K} \sum_{i=1}^{N} \max_{\pi} \sum_{k=1}^{K} \max(0, c_i(\pi(k), k))

    In every frame each face is given to at most one reference and each reference at most one face, such that the sum is
    the largest; a reference without a face has 0. So a video pays for everyone it leaves out, for every frame without
    them, and one person's face on everybody counts for one reference only. The released code measures no such thing: it
    compares one face with one reference and skips the samples of several people.

    Args:
        cosines: for each frame [F, K]: of each of its F faces (none, too) with each of the K references.
        num_references: K.

    Raises:
        ArgumentError: no frame, no reference, another shape, or a cosine that is not a finite number.

    Example:
        >>> score = facesim_multi([[[0.75, 0.5], [0.5, -0.1]], []], num_references=2)
        >>> score.assignments, score.by_reference, score.value
        (((1, 0), (None, None)), (0.25, 0.25), 0.25)
    """
    if len(cosines) == 0 or num_references < 1:
        raise ArgumentError(
            f"identity needs frames and references (got {len(cosines)} frames, {num_references} references)"
        )
    assignments, similarities = [], []
    for number, frame in enumerate(cosines):
        gains = _gains(frame, num_references, number)
        chosen = tuple(best_matching(gains.T, num_columns=len(gains)))
        assignments.append(chosen)
        similarities.append(tuple(0.0 if face is None else float(gains[face, k]) for k, face in enumerate(chosen)))
    by_reference = tuple(math.fsum(row[k] for row in similarities) / len(cosines) for k in range(num_references))
    return FaceSimMulti(
        value=math.fsum(by_reference) / num_references,
        by_reference=by_reference,
        frames_found=tuple(sum(row[k] is not None for row in assignments) for k in range(num_references)),
        assignments=tuple(assignments),
        similarities=tuple(similarities),
    )


def _gains(frame: Sequence[Sequence[float]] | np.ndarray, num_references: int, number: int) -> np.ndarray:
    """max(0, cosine), float64 [F, K]."""
    matrix = np.asarray(frame, dtype=np.float64)
    if matrix.size == 0:
        matrix = matrix.reshape(0, num_references)
    if matrix.ndim != 2 or matrix.shape[1] != num_references:
        raise ArgumentError(
            f"frame {number} has a cosine for each face and each of {num_references} references "
            f"(got shape {list(matrix.shape)})"
        )
    if not np.isfinite(matrix).all():
        raise ArgumentError(f"the cosine of two faces is a finite number (frame {number} has one that is not)")
    return np.maximum(matrix, 0.0)
