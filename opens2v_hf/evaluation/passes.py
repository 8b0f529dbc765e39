"""Passes over the videos: all metrics together, or one group after another to save memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Literal, get_args

from opens2v_hf.data.benchmark.split import EvalSplit
from opens2v_hf.errors import ArgumentError
from opens2v_hf.evaluation.run import MetricPass
from opens2v_hf.metrics.registry import METRICS, check_request, load_tasks, model_choices
from opens2v_hf.models.roles import ModelChoice, check_models

Memory = Literal["keep", "low"]


def plan_passes(
    names: Sequence[str],
    split: EvalSplit,
    *,
    models: Mapping[str, ModelChoice] | None = None,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    embedded: bool = False,
    memory: Memory = "keep",
) -> list[MetricPass]:
    """Plan the passes of a run; see `opens2v_hf.metrics.registry.load_metrics` for the other arguments.

    Args:
        names: of the metrics.
        split: of the samples.
        models: role to model.
        options: metric name to its own options.
        embedded: use the embedded model for every role that `models` does not name.
        memory: "keep" loads all models together and decodes each video once; "low" loads one group of models after
            another and decodes each video once for each group.

    Raises:
        ArgumentError: an unknown metric, role, option or value of `memory`.
        OpenS2VError: a model is not available, see `check_models`.
    """
    if memory not in get_args(Memory):
        raise ArgumentError(f"memory must be one of {', '.join(get_args(Memory))} (got {memory!r})")
    unique = tuple(dict.fromkeys(names))
    entries = check_request(unique, models=models, options=options)
    check_models(model_choices(entries, models or {}, embedded))
    groups = [unique] if memory == "keep" else groups_by_models({name: METRICS[name].roles for name in unique})
    passes = []
    for group in groups:
        roles = {role for name in group for role in METRICS[name].roles}
        load = partial(
            load_tasks,
            group,
            split,
            models={role: choice for role, choice in (models or {}).items() if role in roles},
            options={name: chosen for name, chosen in (options or {}).items() if name in group},
            embedded=embedded,
        )
        passes.append(MetricPass(group, load))
    return passes


def groups_by_models(roles_of: Mapping[str, Sequence[str]]) -> list[tuple[str, ...]]:
    """Group the metrics that share models; those without a model join the first group, which decodes anyway.

    Args:
        roles_of: metric to the roles of its models.

    Example:
        >>> groups_by_models({"flow": (), "gme": ("embedder",), "judge": ("judge",), "nexus": ("detector", "embedder")})
        [('flow', 'gme', 'nexus'), ('judge',)]
    """
    groups: list[set[str]] = []
    for name, roles in roles_of.items():
        sharing = [group for group in groups if any(set(roles) & set(roles_of[other]) for other in group)]
        if roles:
            groups = [group for group in groups if group not in sharing] + [{name}.union(*sharing)]
    order = list(roles_of)
    first, *rest = sorted(groups, key=lambda group: min(map(order.index, group))) or [set()]
    first |= {name for name, roles in roles_of.items() if not roles}
    return [tuple(sorted(group, key=order.index)) for group in (first, *rest)]
