"""The user's choices of models and options, checked and in the form that the registry takes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from opens2v_hf._util.numbers import is_finite, is_whole
from opens2v_hf._util.text import A_LINE, is_line
from opens2v_hf.errors import ArgumentError
from opens2v_hf.metrics.registry import METRICS
from opens2v_hf.models.endpoint.engine_names import runs_elsewhere
from opens2v_hf.models.info import EMBEDDED
from opens2v_hf.models.roles import ROLES, ModelChoice

MetricModels = str | Mapping[str, str | os.PathLike[str] | ModelChoice] | None
"""`metric_models=`: "embedded", or role to model."""

_MOST = 100_000
_A_COUNT = f"a whole number from 1 to {_MOST}"


_KINDS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    **dict.fromkeys(("num_frames", "runs"), (_A_COUNT, lambda value: is_whole(value, 1, _MOST))),
    **dict.fromkeys(("box_threshold", "text_threshold"), ("a finite number", is_finite)),
    **dict.fromkeys(("allow_partial", "details"), ("true or false", lambda value: isinstance(value, bool))),
    **dict.fromkeys(("variant", "protocol", "label_instruction"), ("a text", lambda value: isinstance(value, str))),
    "reference_views": (
        "a folder, or a mapping of sample id to views",
        lambda value: isinstance(value, str | os.PathLike | Mapping),
    ),
    "rubric": ("a file or a Rubric", lambda value: isinstance(value, str | os.PathLike) or hasattr(value, "text")),
}
"""Option of a metric to its type in words, and the check."""


def model_choices(
    metrics: Iterable[str], models: MetricModels, *, device: str | None = None, dtype: str | None = None
) -> dict[str, ModelChoice]:
    """Role to model, with the common device and dtype for the models that take them and have no own.

    Args:
        metrics: names of the requested metrics.
        models: see `opens2v_hf.score`.
        device: for every model.
        dtype: for every network that takes one.

    Raises:
        ArgumentError: a choice has a wrong type, or a name has line breaks.
    """
    if models is not None and models != EMBEDDED and not isinstance(models, Mapping):
        raise ArgumentError(f"metric_models must be 'embedded' or a mapping of role to model (got {models!r})")
    named = models if isinstance(models, Mapping) else {}
    for role, choice in named.items():
        if not isinstance(choice, str | os.PathLike | ModelChoice):
            raise ArgumentError(
                f"the model of {role!r} must be a name, a path or a ModelChoice (got {type(choice).__name__})"
            )
        name = os.fspath(choice.name if isinstance(choice, ModelChoice) else choice)
        if not is_line(name):
            raise ArgumentError(f"the name of a model must be {A_LINE} (got {name!r:.80})")
    chosen = {
        role: choice if isinstance(choice, ModelChoice) else ModelChoice(choice) for role, choice in named.items()
    }
    common = {name: value for name, value in (("device", device), ("dtype", dtype)) if value is not None}
    if not common:
        return chosen
    for role in dict.fromkeys(role for name in metrics if name in METRICS for role in METRICS[name].roles):
        choice = chosen.get(role, ModelChoice(EMBEDDED if models == EMBEDDED else ROLES[role].released))
        if not runs_elsewhere(choice.name):
            fitting = {name: value for name, value in common.items() if name in ROLES[role].arguments}
            chosen[role] = ModelChoice(choice.name, {**fitting, **choice.arguments})
    return chosen


def metric_options(
    metrics: Iterable[str], options: Mapping[str, Mapping[str, Any]] | None, *, num_frames: int | None = None
) -> Mapping[str, Mapping[str, Any]] | None:
    """Metric to its options, with the common number of frames for the metrics that sample and have no own.

    Raises:
        ArgumentError: an option has a wrong type; raised before a model is loaded.
    """
    if options is not None and (
        not isinstance(options, Mapping) or not all(isinstance(chosen, Mapping) for chosen in options.values())
    ):
        return options  # `check_request` refuses it
    merged = dict(options or {})
    for name, chosen in merged.items():
        for key, value in chosen.items():
            what, is_usable = _KINDS.get(key, ("", lambda value: True))
            if not is_usable(value):
                raise ArgumentError(f"{name}'s {key} must be {what} (got {value!r:.80})")
    if num_frames is None:
        return merged
    if not is_whole(num_frames, 1, _MOST):
        raise ArgumentError(f"num_frames must be {_A_COUNT} (got {num_frames!r:.80})")
    for name in metrics:
        if name in METRICS and "num_frames" in METRICS[name].options:
            merged[name] = {"num_frames": num_frames, **merged.get(name, {})}
    return merged
