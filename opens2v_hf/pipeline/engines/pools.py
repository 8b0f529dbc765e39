"""Assignment of stages to workers, and the number of workers of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from opens2v_hf.errors import ArgumentError
from opens2v_hf.pipeline.stage import Stage

SCHEDULER_CPUS = 1.0
"""Reading and writing rows are tasks of Ray Data, and wait for ever where its actors take every CPU."""


@dataclass(frozen=True)
class Segment:
    """Stages that one worker applies one after another.

    Attributes:
        stages: in their order.
        cpus: of one worker.
        gpus: of one worker, may be a fraction.
    """

    stages: tuple[Stage, ...]
    cpus: float
    gpus: float

    @property
    def name(self) -> str:
        """For messages."""
        return "+".join(stage.name for stage in self.stages)


def segments_of(stages: Sequence[Stage]) -> list[Segment]:
    """Stages without a GPU that follow each other share a worker, which decodes a clip once; others have their own.

    Example:
        >>> from opens2v_hf.pipeline.stages.probe import Probe
        >>> [segment.name for segment in segments_of([Probe(), Probe()])]
        ['probe+probe']
    """
    segments: list[Segment] = []
    for stage in stages:
        needs = stage.resources
        last = segments[-1] if segments else None
        if last is not None and last.gpus == needs.gpus == 0:
            segments[-1] = Segment((*last.stages, stage), max(last.cpus, needs.cpus), 0.0)
        else:
            segments.append(Segment((stage,), needs.cpus, needs.gpus))
    return segments


def pool_sizes(
    segments: Sequence[Segment], cpus: float, gpus: float, *, seconds: Mapping[str, float], most: int | None = None
) -> list[int]:
    """Number of workers of each segment: one, then one more for the slowest as long as there is room.

    Args:
        segments: of the pipeline.
        cpus: of the cluster.
        gpus: of the cluster.
        seconds: stage -> seconds that it takes for the same input, measured; a stage that is missing counts as one.
        most: workers of a segment at most.

    Raises:
        ArgumentError: there is not room for one worker of each.
    """
    sizes = [1] * len(segments)
    check_room(segments, sizes, cpus, gpus)
    load = [sum(seconds.get(stage.name, 1.0) for stage in segment.stages) for segment in segments]
    while True:
        room = [
            index
            for index, segment in enumerate(segments)
            if (most is None or sizes[index] < most)
            and _needed(segments, sizes, "cpus") + segment.cpus + SCHEDULER_CPUS <= cpus
            and _needed(segments, sizes, "gpus") + segment.gpus <= gpus
        ]
        if not room:
            return sizes
        sizes[max(room, key=lambda index: load[index] / sizes[index])] += 1


def check_room(segments: Sequence[Segment], sizes: Sequence[int], cpus: float, gpus: float) -> None:
    """Refuse pools for which there are too few CPUs or GPUs; Ray would wait for ever.

    Raises:
        ArgumentError: names what is needed and what is there.
    """
    pools = ", ".join(f"{size} x {segment.name}" for size, segment in zip(sizes, segments, strict=True))
    needed = _needed(segments, sizes, "cpus") + SCHEDULER_CPUS
    if needed > cpus:
        raise ArgumentError(
            f"the cluster has {cpus:g} CPUs, and {needed:g} are needed: {pools}, and one for Ray's own tasks; ask for "
            "fewer workers, or add machines"
        )
    devices = _needed(segments, sizes, "gpus")
    if devices > gpus:
        raise ArgumentError(
            f"the cluster has {gpus:g} GPUs, and {devices:g} are needed: {pools}; ask for fewer workers, add machines, "
            "or let models share a device"
        )


def _needed(segments: Sequence[Segment], sizes: Sequence[int], what: str) -> float:
    return float(sum(size * getattr(segment, what) for size, segment in zip(sizes, segments, strict=True)))
