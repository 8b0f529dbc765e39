"""One clip at a time: what goes wrong with one costs none of the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from opens2v_hf.errors import MissingDependencyError, ModelError, OpenS2VError, ServiceUnavailableError
from opens2v_hf.pipeline.records import ClipRecord
from opens2v_hf.pipeline.stage import Dropped, StageOutput

ERROR = "error"
"""The rule by which clips are dropped with which something went wrong."""

_CONCERNS_ALL = (MissingDependencyError, ModelError, ServiceUnavailableError)


class ClipDroppedError(Exception):
    """A clip does not go on.

    Args:
        rule: a short word to count by.
        reason: a sentence with the value and the threshold.
    """

    def __init__(self, rule: str, reason: str) -> None:
        super().__init__(reason)
        self.rule = rule
        self.reason = reason


def each_clip(
    stage: str, clips: Sequence[ClipRecord], apply: Callable[[ClipRecord, list[Dropped]], Sequence[ClipRecord]]
) -> StageOutput:
    """Apply a function to every clip.

    Args:
        stage: its name.
        clips: the batch.
        apply: from a clip to the clips that it becomes; it appends what it drops of a clip that goes on, and raises
            `ClipDroppedError`, or an `OpenS2VError` for what went wrong.

    Raises:
        MissingDependencyError: likewise what concerns all clips: a `ModelError`, a `ServiceUnavailableError`.
    """
    kept: list[ClipRecord] = []
    dropped: list[Dropped] = []
    for clip in clips:
        lost: list[Dropped] = []
        try:
            kept += apply(clip, lost)
        except ClipDroppedError as left_out:
            lost.append(Dropped(clip.id, stage, left_out.rule, left_out.reason, record=clip))
        except _CONCERNS_ALL:
            raise
        except OpenS2VError as error:
            lost.append(Dropped(clip.id, stage, ERROR, str(error), record=clip))
        dropped += lost
    return StageOutput(kept, dropped)
