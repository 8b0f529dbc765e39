"""Interface of captioners."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from opens2v_hf.models.info import ModelInfo


class Captioner(Protocol):
    """Answers a question about frames of a clip, or about a text alone."""

    @property
    def info(self) -> ModelInfo:
        """Provenance of the model."""
        ...

    @property
    def options(self) -> dict[str, Any]:
        """Settings that change the text, JSON-compatible, without a secret."""
        ...

    def caption(self, frames: Sequence[np.ndarray], prompt: str) -> str:
        """The answer, without white space around it.

        Args:
            frames: uint8 [H, W, 3] RGB each, in the order of time; none for a question about the prompt's text.
            prompt: what is asked.

        Raises:
            CaptionError: there is no answer for this clip: an empty one, one that was cut off, a refusal.
            ServiceUnavailableError: an endpoint answers no further call.
            ArgumentError: a frame has another form.
        """
        ...
