"""Aesthetics of a clip: its frames, embedded by CLIP and rated."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Protocol

import torch
from PIL import Image

from opens2v_hf.errors import ArgumentError, VideoError
from opens2v_hf.models.aesthetic import (
    AestheticEncoder,
    AestheticHead,
)
from opens2v_hf.models.info import ModelInfo
from opens2v_hf.models.roles import RELEASED_NUM_FRAMES, ROLES, frame_caveats, model_caveats
from opens2v_hf.scores.aesthetics import aesthetics_score
from opens2v_hf.scores.outcome import VideoScore
from opens2v_hf.video.clip import Clip
from opens2v_hf.video.sampling import linspace


class Encoder(Protocol):
    """Interface of an encoder; see `AestheticEncoder`."""

    info: ModelInfo

    def embed(self, images: Sequence[Image.Image]) -> torch.Tensor:
        """Picture embeddings [N, D]."""
        ...


class Head(Protocol):
    """Interface of a head; see `AestheticHead`."""

    info: ModelInfo

    def rate(self, embeds: torch.Tensor) -> list[float]:
        """Ratings of N embeddings [N, D]."""
        ...


class Aesthetics:
    """Beauty of a clip: `opens2v_hf.scores.aesthetics.aesthetics_score` over `num_frames` frames.

    Args:
        encoder: embeds frames.
        head: rates embeddings of that encoder.
        num_frames: sampled evenly over the clip; released: 32.
    """

    name = "aesthetics"

    def __init__(self, encoder: Encoder, head: Head, *, num_frames: int = RELEASED_NUM_FRAMES) -> None:
        self.encoder = encoder
        self.head = head
        self.sampling = linspace(num_frames)

    @classmethod
    def from_pretrained(
        cls,
        encoder: str | os.PathLike[str] = ROLES["aesthetic_encoder"].released,
        head: str | os.PathLike[str] = ROLES["aesthetic_head"].released,
        *,
        num_frames: int = RELEASED_NUM_FRAMES,
        device: str | None = None,
    ) -> Aesthetics:
        """Load both models; see their `from_pretrained` for names, further arguments and errors."""
        sampling = linspace(num_frames)  # a bad count shows before a model is loaded
        return cls(
            AestheticEncoder.from_pretrained(encoder, device=device),
            AestheticHead.from_pretrained(head, device=device),
            num_frames=sampling.count,
        )

    @property
    def models(self) -> tuple[ModelInfo, ...]:
        """Encoder and head."""
        return (self.encoder.info, self.head.info)

    @property
    def options(self) -> dict[str, Any]:
        """Settings other than the models that affect the scores."""
        return {"num_frames": self.sampling.count}

    @property
    def caveats(self) -> tuple[str, ...]:
        """Differences from how the leaderboard's numbers were made."""
        return (*model_caveats(self.models), *frame_caveats(self.sampling.count))

    def score(self, clip: Clip, reference: object = None) -> VideoScore:
        """Score one clip; nothing but the clip is needed.

        Returns:
            The score, with `ratings` (one a sampled frame) and `frame_indices` among its details; `FAILED` where the
            video cannot be read or a rating is no number.

        Raises:
            ArgumentError: encoder and head do not belong together.
        """
        try:
            frames = clip.frames(self.sampling)
        except VideoError as error:
            return VideoScore.failed(str(error))
        indices = self.sampling.indices(clip.num_frames)
        # A clip with fewer frames than `num_frames` is sampled with repeats; each frame is rated once.
        positions = {index: position for position, index in enumerate(indices)}
        distinct = [Image.fromarray(frames[position]) for position in positions.values()]
        rated = dict(zip(positions, self.head.rate(self.encoder.embed(distinct)), strict=True))
        ratings = [rated[index] for index in indices]
        try:
            value = aesthetics_score(ratings)
        except ArgumentError as error:
            return VideoScore.failed(f"{clip.name}: {error}; load the encoder in float32")
        return VideoScore.scored(value, ratings=ratings, frame_indices=list(indices))
