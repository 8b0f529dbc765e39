"""Apply a function to one clip at a time; an error with one costs none of the others."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from opens2v_hf._util.foreign_code import ends_as_errors
from opens2v_hf.errors import OpenS2VError
from opens2v_hf.pipeline.faults import raise_what_concerns_all, rule_of
from opens2v_hf.pipeline.records import ClipRecord
from opens2v_hf.pipeline.stage import Dropped, StageOutput

_LOGGER = logging.getLogger(__name__)


class ClipDroppedError(Exception):
    """A clip is dropped by a rule of a stage.

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
        apply: from a clip to the clips that it becomes; it appends the subjects and tags that it drops, and raises
            `ClipDroppedError`, or anything else for what went wrong.

    Raises:
        OpenS2VError: what concerns all clips, see `raise_what_concerns_all`.
    """
    kept: list[ClipRecord] = []
    dropped: list[Dropped] = []
    for clip in clips:
        lost: list[Dropped] = []
        try:
            with ends_as_errors():
                kept += apply(clip, lost)
        except Exception as error:  # any error costs this clip only
            raise_what_concerns_all(error)
            if isinstance(error, ClipDroppedError):
                rule, reason = error.rule, error.reason
            else:
                _LOGGER.debug("the stage %s failed with %s", stage, clip.id, exc_info=error)
                rule, reason = rule_of(error), str(error)
                if not isinstance(error, OpenS2VError):
                    reason = f"{type(error).__name__}: {reason}"
            lost.append(Dropped(clip.id, stage, rule, reason, record=clip))
        dropped += lost
    return StageOutput(kept, dropped)
