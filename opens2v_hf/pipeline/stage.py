"""The one interface of all stages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from opens2v_hf.pipeline.records import ClipRecord


@dataclass(frozen=True)
class Resources:
    """Resources of one worker of a stage.

    Attributes:
        cpus: cores.
        gpus: devices, may be a fraction.
        batch: records a call.
    """

    cpus: float = 1.0
    gpus: float = 0.0
    batch: int = 1


@dataclass(frozen=True)
class Dropped:
    """A clip, subject or tag that a stage dropped.

    Attributes:
        clip_id: of the clip, or the name of the file where there is no clip yet.
        stage: that dropped it.
        rule: a short word to count by, e.g. "too_short", "unreadable", "low_motion".
        reason: a sentence with the value and the threshold.
        subject: the label of the subject or the tag, where only that was dropped and the clip remains.
        record: the clip as it was, for the report; None where there is none.
    """

    clip_id: str
    stage: str
    rule: str
    reason: str
    subject: str = ""
    record: ClipRecord | None = field(default=None, compare=False)


@dataclass(frozen=True)
class StageOutput:
    """Result of a stage for a batch.

    Attributes:
        kept: the records that remain, in the order of the input. A stage may make several of one (scenes).
        dropped: clips, subjects and tags that do not remain.
    """

    kept: Sequence[ClipRecord]
    dropped: Sequence[Dropped] = ()


class Stage(Protocol):
    """A step of the pipeline.

    A stage catches what goes wrong with one clip and drops that clip with the rule "error" (`OpenS2VError`s with their
    message). It raises only for what concerns all clips: a model that cannot be loaded, a key that is missing.

    Attributes:
        name: of the stage, e.g. "caption"; what `--stages` and provenance name it by.
        resources: of one worker.
    """

    name: str
    resources: Resources

    def load(self) -> None:
        """Load the models; called once in each worker, before the first batch."""
        ...

    def facts(self) -> Mapping[str, Any]:
        """Everything that affects its results: models with revisions, options, version. JSON-compatible, no secrets."""
        ...

    def __call__(self, clips: Sequence[ClipRecord]) -> StageOutput:
        """Apply the stage to a batch."""
        ...


@runtime_checkable
class MeteredStage(Protocol):
    """A stage that may ask an endpoint, whose cost the report counts."""

    def usage(self) -> Mapping[str, int]:
        """Of this process so far: "calls", "input_tokens" and "output_tokens"; empty without an endpoint."""
        ...


def usage_of(stage: Stage) -> Mapping[str, int]:
    """The usage of a stage; empty for one that asks no endpoint."""
    return stage.usage() if isinstance(stage, MeteredStage) else {}
