"""What a user asks of models and metrics, in the form that the registry takes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

from opens2v_hf.errors import ArgumentError
from opens2v_hf.models.info import EMBEDDED
from opens2v_hf.run.registry import METRICS, ROLES, ModelChoice

MetricModels = str | Mapping[str, str | os.PathLike[str] | ModelChoice] | None
"""`metric_models=`: "embedded", or role to model."""

_ENDPOINT = "openai:"


def model_choices(
    metrics: Iterable[str], models: MetricModels, *, device: str | None = None, dtype: str | None = None
) -> dict[str, ModelChoice]:
    """Role to model, with a device and a dtype for those that take one and were not given another.

    Args:
        metrics: names of the metrics that are asked for.
        models: see `opens2v_hf.score`.
        device: for every model.
        dtype: for every network that takes one.

    Raises:
        ArgumentError: a model is neither named nor chosen.
    """
    if models is not None and models != EMBEDDED and not isinstance(models, Mapping):
        raise ArgumentError(f"metric_models is 'embedded' or a mapping of role to model (got {models!r})")
    named = models if isinstance(models, Mapping) else {}
    for role, choice in named.items():
        if not isinstance(choice, str | os.PathLike | ModelChoice):
            raise ArgumentError(f"the model of {role!r} is named, or given as a ModelChoice (got {choice!r})")
    chosen = {
        role: choice if isinstance(choice, ModelChoice) else ModelChoice(choice) for role, choice in named.items()
    }
    common = {name: value for name, value in (("device", device), ("dtype", dtype)) if value is not None}
    if not common:
        return chosen
    for role in dict.fromkeys(role for name in metrics if name in METRICS for role in METRICS[name].roles):
        choice = chosen.get(role, ModelChoice(EMBEDDED if models == EMBEDDED else ROLES[role].released))
        if not str(choice.name).startswith(_ENDPOINT):
            fitting = {name: value for name, value in common.items() if name in ROLES[role].arguments}
            chosen[role] = ModelChoice(choice.name, {**fitting, **choice.arguments})
    return chosen


def metric_options(
    metrics: Iterable[str], options: Mapping[str, Mapping[str, Any]] | None, *, num_frames: int | None = None
) -> Mapping[str, Mapping[str, Any]] | None:
    """Metric to its options, with a number of frames for those that sample them and were not given another."""
    if num_frames is None or (options is not None and not isinstance(options, Mapping)):
        return options
    found = dict(options or {})
    for name in metrics:
        if name in METRICS and "num_frames" in METRICS[name].options:
            found[name] = {"num_frames": num_frames, **found.get(name, {})}
    return found
