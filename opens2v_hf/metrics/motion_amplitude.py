"""MotionAmplitude of a clip: the optical flow between all of its frames."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from opens2v_hf.errors import ArgumentError, VideoError
from opens2v_hf.models.info import ModelInfo
from opens2v_hf.scores.motion_amplitude import (
    MAGNITUDE,
    RELEASED,
    VARIANTS,
    motion_amplitude,
    motion_magnitude,
    reduced_size,
)
from opens2v_hf.scores.outcome import VideoScore
from opens2v_hf.scores.variants import check_variant
from opens2v_hf.video.clip import Clip
from opens2v_hf.video.flow import FARNEBACK, farneback_flow
from opens2v_hf.video.sampling import every


class MotionAmplitude:
    """Amount of motion in a clip; the formulas are in `opens2v_hf.scores.motion_amplitude`.

    All frames are read, with two at a time in memory. There is no model.

    Args:
        variant: "released" (the leaderboard's: signed components, in pixels per frame, so that opposite motions cancel)
            or "magnitude" (mean length, in diagonals of the picture per second).

    Raises:
        ArgumentError: the variant is unknown.
    """

    sampling = every()
    models: tuple[ModelInfo, ...] = ()

    def __init__(self, *, variant: str = RELEASED) -> None:
        self.name = "motion_amplitude"
        self.variant = check_variant(variant, VARIANTS, "MotionAmplitude")

    @property
    def companion(self) -> MotionAmplitude:
        """The companion metric over the same flow: "magnitude", or "released" for that one.

        It is named after its variant, e.g. "motion_amplitude_magnitude"; its value for a video is in `variants` of this
        metric's score.
        """
        sibling = MotionAmplitude(variant=RELEASED if self.variant == MAGNITUDE else MAGNITUDE)
        sibling.name = f"{self.name}_{sibling.variant}"
        return sibling

    @property
    def options(self) -> dict[str, Any]:
        """Settings that affect the scores."""
        return {"variant": self.variant, "flow": {"method": "farneback", **FARNEBACK}}

    @property
    def caveats(self) -> tuple[str, ...]:
        """Differences from how the leaderboard's numbers were made."""
        if self.variant == RELEASED:
            return ()
        return (f"the variant {self.variant!r}; the leaderboard's is {RELEASED!r}",)

    def score(self, clip: Clip, reference: object = None) -> VideoScore:
        """Score one clip; nothing but the clip is needed.

        Returns:
            The score, with the details "pair_means" (signed, px per frame) and "pair_lengths" (px per frame), one for
            each two consecutive frames, and with `variants`; `FAILED` where the video cannot be read, has one frame
            only, or is too flat.
        """

        def mean_and_length(flow: np.ndarray) -> tuple[float, float]:
            reduced = cv2.resize(flow, size, interpolation=cv2.INTER_AREA)
            return float(reduced.mean(dtype=np.float64)), _mean_length(flow)

        try:
            size = reduced_size(clip.width, clip.height)
            measured = list(farneback_flow(clip.stream(), mean_and_length))
            means, lengths = [mean for mean, _ in measured], [length for _, length in measured]
            by_variant: dict[str, float | None] = {RELEASED: motion_amplitude(means), MAGNITUDE: None}
            if clip.fps is not None:
                by_variant[MAGNITUDE] = motion_magnitude(lengths, fps=clip.fps, width=clip.width, height=clip.height)
        except VideoError as error:
            return VideoScore.failed(str(error))
        except ArgumentError as error:
            return VideoScore.failed(f"{clip.name}: {error}")
        value = by_variant[self.variant]
        if value is None:
            return VideoScore.failed(f"{clip.name}: does not say how many frames it shows per second; re-encode it")
        return VideoScore.scored(value, pair_means=means, pair_lengths=lengths, variants=by_variant)


def _mean_length(flow: np.ndarray) -> float:
    # not cv2.magnitude: its last bits depend on the address of the array
    x, y = (flow[..., axis].astype(np.float64) for axis in range(2))
    return float(np.sqrt(x * x + y * y).mean())
