"""Bringing a face upright and to a size: the crop that face embedders are trained on."""

from __future__ import annotations

import cv2
import numpy as np

from opens2v_hf.errors import ArgumentError

TEMPLATE_PX = 112
"""Side of the picture that `TEMPLATE` lies in."""

TEMPLATE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]], np.float64
)
"""Positions of eyes, nose and corners of the mouth in ArcFace (arXiv 1801.07698) and later networks, in px."""

RELEASED_CROP_PX = 224
"""Side of the released code's crops (v1.1)."""


def similarity_transform(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The rotation, scale and shift that bring points closest to others, by the sum of squared distances.

    Points read as complex numbers, such a transform is z -> a z + b, and a, b follow from linear least squares (the
    result is that of Umeyama 1991 in the plane, wherever no reflection would fit better).

    Args:
        source: [N, 2], at least two different points, finite.
        target: [N, 2], finite.

    Returns:
        float64 [2, 3], the affine matrix.

    Raises:
        ArgumentError: shapes that differ, points that are not finite, or source points that all coincide.

    Example:
        >>> square = np.array([[0, 0], [1, 0], [1, 1], [0, 1]])
        >>> similarity_transform(square, square * 2 + 5).round(6) + 0.0
        array([[2., 0., 5.],
               [0., 2., 5.]])
    """
    source, target = np.asarray(source, np.float64), np.asarray(target, np.float64)
    if source.shape != target.shape or source.ndim != 2 or source.shape[1] != 2:
        raise ArgumentError(f"points are [N, 2], as many as targets (got {list(source.shape)}, {list(target.shape)})")
    if not (np.isfinite(source).all() and np.isfinite(target).all()):
        raise ArgumentError("points to align must be finite (got NaN or infinity)")
    z, w = source @ np.array([1, 1j]), target @ np.array([1, 1j])
    centred = z - z.mean()
    spread = float(np.sum(np.abs(centred) ** 2))
    if spread == 0.0:
        raise ArgumentError("points that coincide have no direction and no size; a face needs landmarks that differ")
    a = np.sum(np.conj(centred) * (w - w.mean())) / spread
    b = w.mean() - a * z.mean()
    return np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]])


def align_face(image: np.ndarray, landmarks: np.ndarray, *, size_px: int = RELEASED_CROP_PX) -> np.ndarray:
    """Cut a face out so that its landmarks lie where embedders expect them; black where the picture ends.

    Args:
        image: uint8 [H, W, 3].
        landmarks: [5, 2], see `Face`.
        size_px: side of the crop; the template is scaled to it.

    Returns:
        uint8 [size_px, size_px, 3], bilinear.
    """
    matrix = similarity_transform(landmarks, TEMPLATE * (size_px / TEMPLATE_PX))
    return cv2.warpAffine(image, matrix, (size_px, size_px), flags=cv2.INTER_LINEAR, borderValue=(0, 0, 0))
