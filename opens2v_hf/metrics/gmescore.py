"""GmeScore of a clip: its frames and its prompt, embedded and compared."""

from __future__ import annotations

import copy
import hashlib
from typing import Any

import numpy as np

from opens2v_hf._util.text import is_unicode
from opens2v_hf.errors import ArgumentError, VideoError, short_repr
from opens2v_hf.models.embedder_loading import load_embedder
from opens2v_hf.models.gme import GmeEmbedder, edition_of, retrieval_instruction_of, similarities
from opens2v_hf.models.info import ModelInfo
from opens2v_hf.models.roles import RELEASED_NUM_FRAMES, ROLES, frame_caveats, model_caveats
from opens2v_hf.scores.gme import LOWEST, RELEASED, VARIANTS, check_rounding, gme_lowest, gme_score
from opens2v_hf.scores.outcome import VideoScore
from opens2v_hf.scores.variants import check_variant
from opens2v_hf.video.clip import Clip
from opens2v_hf.video.sampling import linspace

_RELEASED_OPTIONS = {"min_pixels": 256 * 28 * 28, "max_pixels": 1280 * 28 * 28, "max_length": 1800}


class GmeScore:
    """Text relevance of a clip: `opens2v_hf.scores.gme.gme_score` over `num_frames` frames.

    Args:
        embedder: a loaded embedder.
        num_frames: sampled evenly over the clip; released: 32.
        rounding: of the mean: "float64", or "float16" as in the released code on a GPU.
        variant: "released" (the leaderboard's: the mean over the frames) or "lowest" (of the frames' similarities).

    Raises:
        ArgumentError: the number of frames, the rounding or the variant cannot be used.
    """

    name = "gmescore"

    def __init__(
        self,
        embedder: GmeEmbedder,
        *,
        num_frames: int = RELEASED_NUM_FRAMES,
        rounding: str = "float64",
        variant: str = RELEASED,
    ) -> None:
        self.embedder = embedder
        self.variant = check_variant(variant, VARIANTS, "GmeScore")
        self.rounding = check_rounding(rounding)
        self.sampling = linspace(num_frames)

    @classmethod
    def from_pretrained(
        cls,
        embedder: str = ROLES["embedder"].released,
        *,
        num_frames: int = RELEASED_NUM_FRAMES,
        **embedder_arguments: Any,
    ) -> GmeScore:
        """Load the embedder; see `opens2v_hf.models.embedder_loading.load_embedder` for its arguments and errors."""
        sampling = linspace(num_frames)  # a bad count shows before a model of many gigabytes is loaded
        return cls(load_embedder(embedder, **embedder_arguments), num_frames=sampling.count)

    @property
    def companion(self) -> GmeScore | None:
        """For the variant "lowest" the released one, named "gmescore_released", so that its column is filled as well.

        Its value for a video is in `variants` of this metric's score, as that of "lowest" always is.
        """
        if self.variant == RELEASED:
            return None
        sibling = copy.copy(self)
        sibling.variant = RELEASED
        sibling.name = f"{self.name}_{RELEASED}"
        return sibling

    @property
    def models(self) -> tuple[ModelInfo, ...]:
        """The embedder."""
        return (self.embedder.info,)

    @property
    def options(self) -> dict[str, Any]:
        """Settings other than the embedder that affect the scores."""
        return {
            "num_frames": self.sampling.count,
            "instruction": retrieval_instruction_of(self.embedder),
            "rounding": self.rounding,
            **({} if self.variant == RELEASED else {"variant": self.variant}),
            **self.embedder.options,
        }

    @property
    def caveats(self) -> tuple[str, ...]:
        """Differences from how the leaderboard's numbers were made."""
        found = model_caveats(self.models) + frame_caveats(self.sampling.count)
        changed = [name for name, value in _RELEASED_OPTIONS.items() if self.embedder.options[name] != value]
        if self.variant != RELEASED:
            found.append(f"the variant {self.variant!r}; the leaderboard's is {RELEASED!r}")
        if edition := edition_of(self.embedder):
            return (*found, edition)
        if changed and not self.embedder.info.embedded:
            found.append(f"made with other values of {', '.join(changed)} than the leaderboard's")
        return tuple(found)

    def score(self, clip: Clip, reference: str) -> VideoScore:
        """Score a clip against its prompt.

        Returns:
            The score, with `variants` and the details `similarities` (one a sampled frame) and `frame_indices`;
            `FAILED` where the video cannot be read, the prompt is no Unicode or its embedding is no number.

        Raises:
            ArgumentError: the prompt is empty or no text.
        """
        prompt = checked_prompt(reference)
        if not is_unicode(prompt):
            return VideoScore.failed(f"the prompt has half of a surrogate pair: {short_repr(prompt)}; correct its file")
        try:
            frames = clip.frames(self.sampling)
        except VideoError as error:
            return VideoScore.failed(str(error))
        indices = self.sampling.indices(clip.num_frames)
        # Equal frames (of a still or looping clip, or of one with fewer frames than `num_frames`) are embedded once.
        distinct: dict[bytes, np.ndarray] = {}
        digests = [hashlib.sha256(np.ascontiguousarray(frame).data).digest() for frame in frames]
        for digest, frame in zip(digests, frames, strict=True):
            distinct.setdefault(digest, frame)
        order = {digest: number for number, digest in enumerate(distinct)}
        embedded = self.embedder.embed_images(list(distinct.values()))
        of_prompt = self.embedder.embed_texts([prompt], retrieval_instruction_of(self.embedder))
        compared = similarities(of_prompt, embedded).tolist()
        values = [compared[order[digest]] for digest in digests]
        try:
            by_variant = {RELEASED: gme_score(values, rounding=self.rounding), LOWEST: gme_lowest(values)}
        except ArgumentError as error:
            return VideoScore.failed(f"{clip.name}: {error}; try dtype='float32'")
        return VideoScore.scored(
            by_variant[self.variant], similarities=values, frame_indices=list(indices), variants=by_variant
        )


def checked_prompt(prompt: object) -> str:
    """The prompt as it was given.

    Raises:
        ArgumentError: it is empty or no text.
    """
    if not isinstance(prompt, str):
        raise ArgumentError(f"GmeScore compares a video with its prompt, a text (got {type(prompt).__name__})")
    if not prompt.strip():
        raise ArgumentError("GmeScore compares a video with its prompt, and this one is empty (got ''); give its text")
    return prompt
