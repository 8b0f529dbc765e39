"""Which metrics look at the videos together: all of them, or one group after another where memory is short."""

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
        split: whose samples are scored.
        models: role to model.
        options: metric name to its own options.
        embedded: take the embedded model for every role that `models` does not name.
        memory: "keep" loads all models together and decodes each video once; "low" loads one group of models after
            another and decodes each video once for each group.

    Raises:
        ArgumentError: an unknown metric, role, option or way to use memory.
        OpenS2VError: a model cannot be had, see `check_models`.
    """
    if memory not in get_args(Memory):
        raise ArgumentError(f"memory is one of {', '.join(get_args(Memory))} (got {memory!r})")
    asked = tuple(dict.fromkeys(names))
    entries = check_request(asked, models=models, options=options)
    check_models(model_choices(entries, models or {}, embedded))
    groups = [asked] if memory == "keep" else groups_by_models({name: METRICS[name].roles for name in asked})
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
    """Metrics in the groups that share models; those that need none go with the first group, which decodes anyway.

    Args:
        roles_of: metric to the roles of its models.

    Example:
        >>> groups_by_models({"flow": (), "gme": ("embedder",), "judge": ("judge",), "nexus": ("detector", "embedder")})
        [('flow', 'gme', 'nexus'), ('judge',)]
    """
    groups: list[tuple[set[str], set[str]]] = []  # metrics, and the roles of their models
    for name, roles in roles_of.items():
        if not roles:
            continue
        names, shared = {name}, set(roles)
        apart = []
        for other_names, other_roles in groups:
            if shared & other_roles:
                names |= other_names
                shared |= other_roles
            else:
                apart.append((other_names, other_roles))
        groups = [*apart, (names, shared)]
    order = list(roles_of)
    without = {name for name, roles in roles_of.items() if not roles}
    sorted_groups = sorted(
        (sorted(names, key=order.index) for names, _ in groups), key=lambda names: order.index(names[0])
    )
    if not sorted_groups:
        return [tuple(order)]
    first = sorted(without | set(sorted_groups[0]), key=order.index)
    return [tuple(first), *(tuple(names) for names in sorted_groups[1:])]
