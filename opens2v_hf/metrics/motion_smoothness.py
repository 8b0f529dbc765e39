"""MotionSmoothness of a clip: the quality around every frame, and where it jumps."""

from __future__ import annotations

import os
from typing import Any

from opens2v_hf.errors import ArgumentError, VideoError
from opens2v_hf.models.info import ModelInfo
from opens2v_hf.models.q_align.prompt import VIDEO_PROMPT
from opens2v_hf.models.q_align.scorer import QAlignScorer
from opens2v_hf.models.roles import ROLES, model_caveats
from opens2v_hf.scores.motion_smoothness import JUMP_THRESHOLD, WINDOW_SIZE, jump_frames, motion_smoothness
from opens2v_hf.scores.outcome import VideoScore
from opens2v_hf.video.clip import Clip
from opens2v_hf.video.sampling import every


class MotionSmoothness:
    """Steadiness of a clip: `opens2v_hf.scores.motion_smoothness.motion_smoothness` over all its frames.

    Args:
        quality_scorer: a loaded scorer.
    """

    name = "motion_smoothness"

    def __init__(self, quality_scorer: QAlignScorer) -> None:
        self.quality_scorer = quality_scorer
        self.sampling = every()

    @classmethod
    def from_pretrained(
        cls, quality_scorer: str | os.PathLike[str] = ROLES["quality_scorer"].released, **scorer_arguments: Any
    ) -> MotionSmoothness:
        """Load the scorer; see `QAlignScorer.from_pretrained` for its arguments and errors."""
        return cls(QAlignScorer.from_pretrained(quality_scorer, **scorer_arguments))

    @property
    def models(self) -> tuple[ModelInfo, ...]:
        """The scorer."""
        return (self.quality_scorer.info,)

    @property
    def options(self) -> dict[str, Any]:
        """Settings other than the scorer that affect the scores."""
        return {
            "window_size": WINDOW_SIZE,
            "jump_threshold": JUMP_THRESHOLD,
            "prompt": VIDEO_PROMPT,
            **self.quality_scorer.options,
        }

    @property
    def caveats(self) -> tuple[str, ...]:
        """Differences from how the leaderboard's numbers were made."""
        return tuple(model_caveats(self.models))

    def score(self, clip: Clip, reference: object = None) -> VideoScore:
        """Score a clip; it needs no reference.

        Returns:
            The score, with `frame_scores` (the quality of the window around every frame) and `jump_frames` (indices of
            those next to a jump) among its details; `FAILED` where the video cannot be read or a quality is no number.
        """
        try:
            scores = self.quality_scorer.score_frames(clip.stream())
        except VideoError as error:
            return VideoScore.failed(str(error))
        except ArgumentError as error:
            return VideoScore.failed(f"{clip.name}: {error}; try dtype='float32'")
        return VideoScore.scored(motion_smoothness(scores), frame_scores=scores, jump_frames=list(jump_frames(scores)))
