"""Acceptance of pictures as views: they show the subject and are no copy of the model's input."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

from opens2v_hf.errors import ArgumentError
from opens2v_hf.pipeline.pairs.thresholds import known_thresholds
from opens2v_hf.pipeline.views.options import ViewOptions
from opens2v_hf.video.phash import phash, phash_distance


class Acceptance:
    """Compares pictures with the subjects that they show.

    Args:
        embedder: of the role "embedder".
        options: thresholds.

    Raises:
        ArgumentError: no threshold is given, and none is known for the embedder.
    """

    def __init__(self, embedder: Any, options: ViewOptions) -> None:
        known = known_thresholds(options.embedder, "source")
        least = options.min_similarity
        if least is None and known is not None:
            least = known.image
        if least is None:
            raise ArgumentError(
                f"no threshold is known for the embedder {options.embedder!r}; give min_similarity, e.g. 0.6 for "
                "GME-7B, measured on pictures of your own"
            )
        self.min_similarity = least
        self._near_copy = options.near_copy
        self._embedder = embedder

    def judge(self, view: Image.Image, subject: np.ndarray, crop: np.ndarray) -> dict[str, Any]:
        """Measure a view, and decide whether it is refused.

        Args:
            view: that was made.
            subject: uint8 [h, w, 3], the subject's cut-out.
            crop: uint8 [h, w, 3], what the model was given.

        Returns:
            `similarity` of the embeddings, `copy_distance` in bits, and `refused_for`, empty where it is accepted.
        """
        vectors = self._embedder.embed_images([view, Image.fromarray(subject)])
        similarity = round(float((vectors[0].double() * vectors[1].double()).sum()), 4)
        distance = phash_distance(phash(view), phash(crop))
        refused = ""
        if not similarity > self.min_similarity:
            refused = "another subject"
        elif distance <= self._near_copy:
            refused = "a copy of the crop"
        return {"similarity": similarity, "copy_distance": distance, "refused_for": refused}
