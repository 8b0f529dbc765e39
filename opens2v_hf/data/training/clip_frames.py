"""Which frames of a clip make up a training clip."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from opens2v_hf.data.training.problems import TooShort
from opens2v_hf.errors import ArgumentError

Start = Literal["random", "first"]


@dataclass(frozen=True)
class FrameRule:
    """Frames at equal distances within the bounds of a clip.

    Attributes:
        num_frames: how many, at least 1.
        stride: from one frame to the next, at least 1.
        start: "first" for the clip's first frame, "random" for any that leaves room.

    Raises:
        ArgumentError: a value is out of range.
    """

    num_frames: int
    stride: int = 1
    start: Start = "random"

    def __post_init__(self) -> None:
        if self.num_frames < 1 or self.stride < 1:
            raise ArgumentError(f"num_frames and stride are at least 1 (got {self.num_frames=}, {self.stride=})")
        if self.start not in get_args(Start):
            raise ArgumentError(f"start is one of {', '.join(get_args(Start))} (got {self.start=})")

    @property
    def span(self) -> int:
        """Frames from the first to the last, both included.

        >>> FrameRule(num_frames=4, stride=3).span
        10
        """
        return (self.num_frames - 1) * self.stride + 1

    def indices(self, start: int, end: int, rng: np.random.Generator) -> tuple[int, ...]:
        """Frame indices of the file.

        >>> FrameRule(num_frames=3, stride=2, start="first").indices(8, 20, np.random.default_rng())
        (8, 10, 12)

        Args:
            start: first frame of the clip.
            end: one past its last.
            rng: for a random start.

        Raises:
            BadSample: the clip is too short.
        """
        if end - start < self.span:
            raise TooShort(
                f"the clip must have at least {self.span} frames for num_frames={self.num_frames} and "
                f'stride={self.stride} (got {end - start}); lower them, or skip such clips with on_error="skip"',
            )
        latest = end - self.span
        first = start if self.start == "first" else int(rng.integers(start, latest + 1))
        return tuple(range(first, first + self.span, self.stride))
