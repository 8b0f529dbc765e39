"""Apply stages to the clips of a unit; an error with one clip drops that clip alone."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from opens2v_hf._util.foreign_code import ends_as_errors
from opens2v_hf.pipeline.faults import raise_what_concerns_all, rule_of
from opens2v_hf.pipeline.records import ClipRecord
from opens2v_hf.pipeline.stage import Dropped, Stage, StageOutput, usage_of

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class StageStep:
    """Counts and time of one stage for the clips of a unit.

    Attributes:
        name: of the stage.
        taken: clips that it was given.
        kept: clips that remained.
        seconds: it took.
        usage: what it asked an endpoint for: "calls", "input_tokens", "output_tokens"; empty where it asks none.
    """

    name: str
    taken: int
    kept: int
    seconds: float
    usage: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class UnitResult:
    """The clips of a unit after some stages.

    Attributes:
        clips: that remain, in the order of the files.
        dropped: clips, subjects and tags that do not remain.
        steps: one a stage.
    """

    clips: tuple[ClipRecord, ...]
    dropped: tuple[Dropped, ...] = ()
    steps: tuple[StageStep, ...] = field(default=())

    @property
    def seconds(self) -> Mapping[str, float]:
        """Seconds by stage."""
        return {step.name: step.seconds for step in self.steps}


def apply_stages(clips: Sequence[ClipRecord], stages: Sequence[Stage], before: UnitResult | None = None) -> UnitResult:
    """Apply loaded stages one after another.

    A stage that raises for a batch is called again for each clip, and a clip for which it raises again is dropped with
    the rule "error".

    Args:
        clips: e.g. one record a file.
        stages: loaded, in their order.
        before: result of earlier stages; its clips are taken instead.

    Raises:
        ModelError: likewise MissingDependencyError, ServiceUnavailableError, ResultError: what concerns all clips.
    """
    result = before or UnitResult(tuple(clips))
    for stage in stages:
        result = _apply(stage, result)
    return result


def _apply(stage: Stage, result: UnitResult) -> UnitResult:
    begin, before = time.perf_counter(), usage_of(stage)
    kept: list[ClipRecord] = []
    dropped: list[Dropped] = []
    batch = max(1, stage.resources.batch)
    for start in range(0, len(result.clips), batch):
        output = _outcome(stage, result.clips[start : start + batch])
        kept += output.kept
        dropped += output.dropped
    usage = {name: count - before.get(name, 0) for name, count in usage_of(stage).items()}
    step = StageStep(stage.name, len(result.clips), len(kept), time.perf_counter() - begin, usage)
    return UnitResult(tuple(kept), (*result.dropped, *dropped), (*result.steps, step))


def _outcome(stage: Stage, clips: Sequence[ClipRecord]) -> StageOutput:
    try:
        with ends_as_errors():
            return stage(clips)
    except Exception as error:
        raise_what_concerns_all(error)
        if len(clips) == 1:
            _LOGGER.debug("the stage %s failed with %s", stage.name, clips[0].id, exc_info=error)
            reason = f"{type(error).__name__}: {error}"
            return StageOutput((), (Dropped(clips[0].id, stage.name, rule_of(error), reason, record=clips[0]),))
    outputs = [_outcome(stage, (clip,)) for clip in clips]
    return StageOutput(
        [clip for output in outputs for clip in output.kept],
        [dropped for output in outputs for dropped in output.dropped],
    )
