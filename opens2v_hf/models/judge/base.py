"""Interface of judges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from opens2v_hf.errors import ArgumentError
from opens2v_hf.models.info import ModelInfo
from opens2v_hf.models.judge.rubric import Rubric

if TYPE_CHECKING:
    from PIL import Image


@dataclass(frozen=True)
class Rating:
    """Answer of a judge about one video in one run.

    Attributes:
        score: in [1, 5]; None where the judge gave none.
        reply: the raw reply that the score was read from, or the last one where none is a score.
        error: why there is no score; empty where there is one.
        replies: every raw reply of the run in order, `reply` included, those that were no score as well.
        problems: for each of `replies` why its text cannot be read (a refusal, a cut-off reply, no reply at all);
            empty where it can, whether or not it is a score.
        stopped: whether the judge will answer no further call (a wrong key, a spent budget), for whichever video.
        details: what else the judge says of its answer, e.g. the probability of each level; JSON-compatible.
    """

    score: float | None
    reply: str = ""
    error: str = ""
    replies: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    stopped: bool = False
    details: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if (self.score is None) != bool(self.error):
            raise ValueError(f"a rating has either a score or an error (got {self.score=}, {self.error=})")

    def to_dict(self) -> dict[str, Any]:
        """A JSON-compatible dict of the attributes; those that say nothing are left out."""
        record: dict[str, Any] = {"score": self.score, "reply": self.reply}
        if self.error:
            record["error"] = self.error
        if self.replies[:-1]:
            record["replies"] = list(self.replies)
        if any(self.problems):
            record["problems"] = list(self.problems)
        if self.stopped:
            record["stopped"] = True
        return record | dict(self.details)


class Judge(Protocol):
    """Rates the frames of a video by a rubric.

    Attributes:
        info: which model it is.
        deterministic: whether the same frames and rubric always get the same rating, so that one run says it all.
        options: JSON-compatible; how it is asked, as far as that decides its ratings.
    """

    @property
    def info(self) -> ModelInfo: ...  # noqa: D102
    @property
    def deterministic(self) -> bool: ...  # noqa: D102
    @property
    def options(self) -> Mapping[str, Any]: ...  # noqa: D102

    def rate(self, frames: Sequence[Image.Image], rubric: Rubric, *, runs: int = 1) -> list[Rating]:
        """Rate one video.

        Args:
            frames: RGB pictures in order of time, at least one.
            rubric: what to judge and how to answer.
            runs: how many times to ask.

        Returns:
            One rating for each run. A fault of this video or of its replies is in the rating, never raised.

        Raises:
            ArgumentError: no frame, or `runs` below 1.
        """
        ...


def check_request(frames: Sequence[Image.Image], runs: int) -> None:
    """Raise `ArgumentError` where there is nothing to rate."""
    if not frames or runs < 1:
        raise ArgumentError(f"a judge needs at least one frame and one run (got {len(frames)} frames, {runs=})")
