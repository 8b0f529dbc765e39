"""Rules that choose the frames of a video for a metric.

The released code (v1.1) knows three rules: 32 frames spread evenly over the whole video, 16 frames at a whole stride
from the start, and all frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from opens2v_hf.errors import ArgumentError

_MAX_COUNT = 100_000  # the indices alone of a thousand million frames fill the memory


class _Kind(StrEnum):
    LINSPACE = "linspace"
    STRIDE = "stride"
    ALL = "all"


@dataclass(frozen=True)
class SamplingRule:
    """A rule that chooses frame indices for a video of a given length.

    Two rules are equal where they take the same frames of every video, and can be keys of a dict. Made by `linspace`,
    `stride` and `every`.

    Attributes:
        kind: of the rule.
        count: number of frames; 0 for all.
    """

    kind: _Kind
    count: int

    @property
    def name(self) -> str:
        """As it is written into results: "linspace-32", "stride-16" or "all"."""
        return self.kind.value if self.kind is _Kind.ALL else f"{self.kind.value}-{self.count}"

    @property
    def is_every(self) -> bool:
        """Whether all frames are taken, so that they are to be streamed and not held."""
        return self.kind is _Kind.ALL

    def indices(self, num_frames: int) -> tuple[int, ...]:
        """The indices taken from a video of `num_frames` frames, ascending, each in 0..num_frames - 1.

        A linspace over fewer frames than it asks for names some of them more than once, as the released code does; a
        stride then takes each frame once.

        Raises:
            ArgumentError: if `num_frames` is below 1.
        """
        if num_frames < 1:
            raise ArgumentError(f"frames are sampled from a video of at least one frame (got {num_frames=})")
        if self.kind is _Kind.LINSPACE:
            return tuple(int(index) for index in np.linspace(0, num_frames - 1, self.count).astype(int))
        if self.kind is _Kind.STRIDE:
            step = max(num_frames // self.count, 1)
            return tuple(range(0, num_frames, step)[: self.count])
        return tuple(range(num_frames))


def linspace(count: int = 32) -> SamplingRule:
    """`count` frames spread evenly from the first to the last, positions truncated to int (released code v1.1).

    Raises:
        ArgumentError: if `count` is no whole number from 1 to 100,000.

    Example:
        >>> linspace(4).indices(11)
        (0, 3, 6, 10)
        >>> linspace(4).indices(2)
        (0, 0, 0, 1)
    """
    return SamplingRule(_Kind.LINSPACE, _checked(count))


def stride(count: int = 16) -> SamplingRule:
    """`count` frames, each max(num_frames // count, 1) after the one before, from frame 0 (released code v1.1).

    The tail of a video whose length is no multiple of `count` is never seen.

    Raises:
        ArgumentError: if `count` is no whole number from 1 to 100,000.

    Example:
        >>> stride(4).indices(11)
        (0, 2, 4, 6)
        >>> stride(4).indices(3)
        (0, 1, 2)
    """
    return SamplingRule(_Kind.STRIDE, _checked(count))


def every() -> SamplingRule:
    """All frames.

    Example:
        >>> every().name, every().indices(3)
        ('all', (0, 1, 2))
    """
    return SamplingRule(_Kind.ALL, 0)


def rule_named(name: str) -> SamplingRule:
    """The rule of a `SamplingRule.name`.

    Raises:
        ArgumentError: there is no such rule.

    Example:
        >>> rule_named("linspace-16") == linspace(16), rule_named("all") == every()
        (True, True)
    """
    kind, _, count = name.partition("-")
    makers = {_Kind.LINSPACE.value: linspace, _Kind.STRIDE.value: stride}
    if name == every().name:
        return every()
    if kind not in makers or not count.isdecimal():
        raise ArgumentError(f"there is no sampling rule {name!r}; one is named all, linspace-<count> or stride-<count>")
    return makers[kind](int(count))


def _checked(count: int) -> int:
    is_whole = isinstance(count, (int, np.integer)) and not isinstance(count, bool)
    if not is_whole or not 1 <= count <= _MAX_COUNT:
        raise ArgumentError(
            f"the number of frames to sample must be a whole number from 1 to {_MAX_COUNT} (got {count=})"
        )
    return int(count)
