"""Identity of every subject: whether each reference is in every frame, as a subject of its own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from opens2v_hf._util.argument_types import checked
from opens2v_hf.scores.faces import FaceSimMulti, facesim_multi

SubjectIdentity = FaceSimMulti
"""The score with what it rests on; a "face" of it is a crop."""


@checked
def subject_identity(cosines: Sequence[Sequence[Sequence[float]] | np.ndarray], num_references: int) -> SubjectIdentity:
    r"""Mean over frames and references of the similarity of the crop that is taken for the reference in the frame.

    .. math:: \frac{1}{N K} \sum_{i=1}^{N} \max_{\pi} \sum_{k=1}^{K} \max(0, c_i(\pi(k), k))

    The formula is that of `facesim_multi`, over crops of subjects of any kind: in every frame each crop is given to at
    most one reference and each reference at most one crop. So one subject that looks like two references counts for one
    of them, two that have changed looks count for what is left of each, and every frame without a subject costs.

    Args:
        cosines: for each frame [F, K]: of each of its F crops (none, too) with each of the K references.
        num_references: K.

    Returns:
        The score; `value` lies in [0, 1] up to rounding.

    Raises:
        ArgumentError: no frame, no reference, another shape, or a cosine that is not a finite number.

    Example:
        >>> subject_identity([[[0.75, 0.5]], [[0.75, 0.25], [0.0, 0.5]]], num_references=2).value
        0.5
    """
    return facesim_multi(cosines, num_references)
