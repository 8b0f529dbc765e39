"""The stages, one a module, in the order in which a build applies them.

Each works alone:

    >>> from opens2v_hf.pipeline.stages.scenes import Scenes
    >>> Scenes(detector="none", min_seconds=1).facts()["min_seconds"]
    1
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import Any

from opens2v_hf.errors import ArgumentError
from opens2v_hf.pipeline.stage import Stage
from opens2v_hf.pipeline.stages.background import Background
from opens2v_hf.pipeline.stages.caption import Caption
from opens2v_hf.pipeline.stages.crop import Crop
from opens2v_hf.pipeline.stages.deduplicate import Deduplicate
from opens2v_hf.pipeline.stages.detect import Detect
from opens2v_hf.pipeline.stages.filters import Filters
from opens2v_hf.pipeline.stages.probe import Probe
from opens2v_hf.pipeline.stages.quality import Quality
from opens2v_hf.pipeline.stages.scenes import Scenes
from opens2v_hf.pipeline.stages.scores import Scores
from opens2v_hf.pipeline.stages.segment import Segment
from opens2v_hf.pipeline.stages.tags import Tags

_IN_ORDER: tuple[Callable[..., Stage], ...] = (
    Probe, Scenes, Crop, Quality, Caption, Tags, Detect, Segment, Deduplicate, Background, Scores, Filters,
)  # fmt: skip

STAGES: Mapping[str, Callable[..., Stage]] = MappingProxyType({stage.name: stage for stage in _IN_ORDER})  # type: ignore[attr-defined]
"""Name of a stage -> its class, in the order in which they are applied."""


def make_stages(
    arguments: Mapping[str, Mapping[str, Any]] | None = None, only: Collection[str] | None = None
) -> list[Stage]:
    """The stages of a build, none loaded yet.

    Args:
        arguments: stage -> the arguments of its class; what is left out keeps its default.
        only: names of the stages to make; by default all. Their order does not matter.

    Raises:
        ArgumentError: there is no such stage, or an argument has a value that cannot be used.
    """
    arguments = arguments or {}
    unknown = sorted({*arguments, *(only or ())} - set(STAGES))
    if unknown:
        raise ArgumentError(f"the stages are {', '.join(STAGES)} (got {', '.join(unknown)})")
    # stages with arguments are made also where they were not chosen, so that a wrong argument is never ignored
    made = [_made(name, arguments.get(name, {})) for name in STAGES if only is None or name in {*only, *arguments}]
    return [stage for stage in made if only is None or stage.name in only]


def _made(name: str, arguments: Mapping[str, Any]) -> Stage:
    known = inspect.signature(STAGES[name]).parameters
    if unknown := sorted(set(arguments) - set(known)):
        raise ArgumentError(f"the stage {name} has no option {unknown[0]!r}; its options: {', '.join(known) or 'none'}")
    try:
        return STAGES[name](**arguments)
    except TypeError as error:
        shown = ", ".join(f"{key}={value!r}" for key, value in arguments.items())
        raise ArgumentError(f"the stage {name} cannot use the types of its options {shown}: {error}") from error
