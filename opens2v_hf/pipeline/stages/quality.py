"""Technical quality, motion and aesthetic score of clips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from PIL import Image

from opens2v_hf.errors import ArgumentError
from opens2v_hf.models.roles import ROLES
from opens2v_hf.pipeline import media
from opens2v_hf.pipeline.records import ClipRecord
from opens2v_hf.pipeline.stage import Dropped, Resources, StageOutput
from opens2v_hf.pipeline.stage_models import StageModel, on_gpu
from opens2v_hf.pipeline.stages.each_clip import ClipDroppedError, each_clip
from opens2v_hf.scores.motion_amplitude import reduced_size
from opens2v_hf.video.flow import farneback_flow

SHARPNESS = "sharpness"
"""The technical measure that needs no model, see `sharpness`."""

_SHORT_SIDE = 480  # at which sharpness is measured, so that it does not grow with the size of the picture


class Quality:
    """Measures clips, and drops those below the thresholds (none by default).

    - technical: `sharpness` of the frames at 5, 50 and 95 %, or a model's rating of them;
    - motion: mean length of the optical flow (Farneback's, with the settings of the released MotionAmplitude, its maps
      reduced to 16 columns as there) over pairs of consecutive frames spread over the clip, in pixels a frame; None for
      a clip of one frame;
    - aesthetic: mean rating of the same three frames.

    Rules: "low_technical", "low_motion", "high_motion", "low_aesthetic".

    Args:
        technical: "sharpness", or a model of the role "quality_scorer" (0..1), see `StageModel`.
        aesthetic_encoder: of the role, see `StageModel`; None for no aesthetic score.
        aesthetic_head: likewise; the one that was trained with the encoder.
        motion_pairs: pairs of frames at most.
        min_technical: inclusive; likewise the other bounds. None for no bound.
        min_motion: pixels a frame.
        max_motion: likewise.
        min_aesthetic: about 1..10.

    Raises:
        ArgumentError: `motion_pairs` is below 1, or a bound is given on a score that is not made.
    """

    name = "quality"

    def __init__(
        self,
        *,
        technical: Any = SHARPNESS,
        aesthetic_encoder: Any = ROLES["aesthetic_encoder"].released,
        aesthetic_head: Any = ROLES["aesthetic_head"].released,
        motion_pairs: int = 8,
        min_technical: float | None = None,
        min_motion: float | None = None,
        max_motion: float | None = None,
        min_aesthetic: float | None = None,
    ) -> None:
        if motion_pairs < 1:
            raise ArgumentError(f"motion is measured between at least two frames (got {motion_pairs=})")
        if aesthetic_encoder is None and min_aesthetic is not None:
            raise ArgumentError(f"min_aesthetic needs an aesthetic_encoder (got {min_aesthetic=})")
        self.technical = None if technical == SHARPNESS else StageModel("quality_scorer", technical)
        has_looks = aesthetic_encoder is not None
        self.encoder = StageModel("aesthetic_encoder", aesthetic_encoder) if has_looks else None
        self.head = StageModel("aesthetic_head", aesthetic_head) if has_looks else None
        self.motion_pairs = motion_pairs
        self.bounds = {
            "low_technical": ("technical", min_technical),
            "low_motion": ("motion", min_motion),
            "high_motion": ("motion", max_motion),
            "low_aesthetic": ("aesthetic", min_aesthetic),
        }
        self.resources = Resources(gpus=on_gpu(self.technical, self.encoder))

    def load(self) -> None:
        """Load the models.

        Raises:
            ModelError: one cannot be loaded.
        """
        for model in (self.technical, self.encoder, self.head):
            if model is not None:
                model.get()

    def facts(self) -> Mapping[str, Any]:
        """Models, settings and bounds."""
        return {
            "technical": SHARPNESS if self.technical is None else self.technical.facts(),
            "aesthetic_encoder": self.encoder.facts() if self.encoder else None,
            "aesthetic_head": self.head.facts() if self.head else None,
            "motion_pairs": self.motion_pairs,
            "bounds": {rule: bound for rule, (_, bound) in self.bounds.items() if bound is not None},
        }

    def __call__(self, clips: Sequence[ClipRecord]) -> StageOutput:
        """Measure some clips."""
        self.load()
        return each_clip(self.name, clips, self._apply)

    def _apply(self, clip: ClipRecord, lost: list[Dropped]) -> list[ClipRecord]:
        motion = self._motion(clip)  # decodes the frames for the others on its way
        frames = media.sampled(clip)
        ratings = aesthetic_scores(frames, self.encoder, self.head)
        scores = {
            "technical": self._technical(frames),
            "motion": motion,
            "aesthetic": None if ratings is None else float(np.mean(ratings)),
        }
        for rule, (name, bound) in self.bounds.items():
            value = scores[name]
            above = rule.startswith("high")
            if bound is None or value is None or (value <= bound if above else value >= bound):
                continue
            raise ClipDroppedError(rule, f"{name} {value:.3f}, at {'most' if above else 'least'} {bound:g}")
        return [clip.made_by(self.name, self.facts(), **scores)]

    def _technical(self, frames: np.ndarray) -> float:
        if self.technical is None:
            return sharpness(frames)
        return float(np.mean(self.technical.get().score_frames(list(frames))))

    def _motion(self, clip: ClipRecord) -> float | None:
        if clip.num_frames < 2:
            return None
        starts = {int(start) for start in np.linspace(0, clip.num_frames - 2, self.motion_pairs)}
        indices = sorted(starts | {start + 1 for start in starts})
        lengths = []
        previous: np.ndarray | None = None
        for index, frame in zip(indices, media.stream(clip, indices), strict=True):
            if previous is not None and index - 1 in starts:
                lengths.append(_flow_length(previous, frame))
            previous = frame
        return float(np.mean(lengths))


def sharpness(frames: np.ndarray) -> float:
    """Logarithm of the variance of the Laplacian: how much fine detail a picture has.

    Each frame is made grey and, if its short side has more than 480 pixels, scaled down to that; the mean over the
    frames of log10(1 + variance) is taken. Blur lowers it; noise raises it, too.

    Args:
        frames: uint8 [n, H, W, 3] RGB.

    Returns:
        0 (of one colour) to 6.02 (a chessboard of single pixels); photos have some 1 to 3.5.
    """
    values = []
    for frame in frames:
        grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
        scale = _SHORT_SIDE / min(grey.shape)
        if scale < 1:
            grey = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        values.append(np.log10(1 + cv2.Laplacian(grey, cv2.CV_64F).var()))
    return float(np.mean(values))


def aesthetic_scores(
    pictures: Sequence[np.ndarray] | np.ndarray, encoder: StageModel | None, head: StageModel | None
) -> list[float] | None:
    """Ratings of pictures, about 1..10 each; None without models.

    Args:
        pictures: uint8 [H, W, 3] RGB each.
        encoder: of the role "aesthetic_encoder".
        head: of the role "aesthetic_head".
    """
    if encoder is None or head is None:
        return None
    if len(pictures) == 0:
        return []
    ratings: list[float] = head.get().rate(encoder.get().embed([Image.fromarray(picture) for picture in pictures]))
    return ratings


def _flow_length(first: np.ndarray, second: np.ndarray) -> float:
    size = reduced_size(first.shape[1], first.shape[0])

    def mean_length(flow: np.ndarray) -> float:
        reduced = cv2.resize(flow, size, interpolation=cv2.INTER_AREA).astype(np.float64)
        return float(np.sqrt((reduced**2).sum(axis=-1)).mean())

    (length,) = farneback_flow([first, second], mean_length)
    return length
