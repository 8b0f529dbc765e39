"""The evaluate module of the whole scorecard."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opens2v_hf.metrics import arguments as names
from opens2v_hf.metrics.module import MetricModule


class CompositeModule(MetricModule):
    """The module that computes several columns and the leaderboard's total."""

    metric = names.COMPOSITE

    def _answer(self, videos: list[Any], records: list[dict[str, Any]], given: dict[str, Any]) -> dict[str, Any]:
        from opens2v_hf.data.benchmark.given_sample import given_samples
        from opens2v_hf.evaluation.composite import check_choices, metric_names, score_composite
        from opens2v_hf.metrics.registry import METRICS, check_request, load_metrics

        defaults = {"split": "open-domain", "version": "v1.1", "scoring": "released"}
        choices: dict[str, Any] = {name: given.get(name) or default for name, default in defaults.items()}
        how = self._how(given)
        check_choices(**choices)
        metrics = metric_names(given.get("metrics"), choices["split"])
        options = given.get("options") or {}
        check_request(metrics, options=options)
        samples = given_samples(records, split=choices["split"], metrics=metrics)
        roles = dict.fromkeys(role for name in metrics for role in METRICS[name].roles)
        loaded = self._load(self._choices(tuple(roles), given), given)
        return score_composite(load_metrics(metrics, options=options, loaded=loaded), videos, samples, **choices, **how)

    def _loading(self, role: str, given: Mapping[str, Any]) -> dict[str, Any]:
        from opens2v_hf.models.roles import ROLES

        arguments = {*ROLES[role].arguments, *({"batch_size"} & set(names.LOADING.get(role, ())))}
        return {name: given[name] for name in arguments if given.get(name) is not None}
