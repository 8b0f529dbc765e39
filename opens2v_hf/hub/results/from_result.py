"""A submission made of a scoring run's result."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from opens2v_hf.data.eval_ids import split_ids
from opens2v_hf.errors import ResultError
from opens2v_hf.hub.comparability import public_caveats, public_name
from opens2v_hf.hub.results.record import Provenance, Submission
from opens2v_hf.models.info import ModelInfo
from opens2v_hf.run.result import PARTIAL_NOTE, MetricResult, RunResult
from opens2v_hf.run.result_columns import column_metrics, column_values
from opens2v_hf.scores.scorecard import RELEASED, SPLITS

_INTERNAL_OPTION = "url"
"""The address of somebody's own endpoint is nobody else's business."""

_BENCHMARK_FIELDS = ("source", "prompt_file", "sha256")


def make_submission(
    result: RunResult,
    *,
    model: str,
    team: str,
    venue: str,
    submitted_by: str,
    model_id: str = "",
    link: str = "",
    version: str = "v1.1",
    scoring: str = RELEASED,
    now: datetime | None = None,
) -> Submission:
    """The record of a result, with all per-video values and without anything of the machine that it was made on.

    Args:
        result: of a scoring run.
        model: display name.
        team: who evaluated it.
        venue: "Open-Source" or "Closed-Source".
        submitted_by: name on the Hub.
        model_id: "org/name" on the Hub, where there is one.
        link: the model's page.
        version: of the weights.
        scoring: "released" or "strict".
        now: the time of the submission, UTC; the present by default.

    Raises:
        ResultError: the split is none of the leaderboard's, or columns are missing, so that there is no total.
    """
    if result.split not in SPLITS:
        raise ResultError(f"the leaderboard has no split {result.split!r} (it has: {', '.join(SPLITS)})")
    card = result.scorecard(version=version, scoring=scoring)
    if card.total is None:
        missing = ", ".join(card.missing_columns)
        raise ResultError(f"the result of {result.model!r} lacks the columns {missing}; a submission needs all of them")
    if result.is_partial:
        raise ResultError(f"the result of {result.model!r} is not submitted: {PARTIAL_NOTE}; score the whole split")
    columns = {name: column for name, column in card.columns.items() if column.normalised is not None}
    values = column_values(result)
    metrics = {name: metric for name, metric in column_metrics(result).items() if name in columns}
    return Submission(
        model=model,
        model_id=model_id,
        link=link,
        team=team,
        venue=venue,
        split=result.split,
        version=version,
        scoring=scoring,
        columns={name: float(column.normalised or 0.0) for name, column in columns.items()},
        total=card.total,
        num_videos={name: column.num_videos for name, column in columns.items()},
        per_video={
            sample_id: {name: value for name in columns if (value := values.get(name, {}).get(sample_id)) is not None}
            for sample_id in split_ids(result.split)
        },
        provenance=_provenance(result, metrics),
        submitted_by=submitted_by,
        submitted_at=(now or datetime.now(UTC)).strftime("%Y-%m-%d %H:%M:%S"),
    )


def _provenance(result: RunResult, metrics: Mapping[str, MetricResult]) -> Provenance:
    benchmark = {name: str(result.benchmark[name]) for name in _BENCHMARK_FIELDS if result.benchmark.get(name)}
    if "://" not in benchmark.get("source", ""):
        benchmark.pop("source", None)  # a folder, whose name says nothing to others; the sha256 says all
    return Provenance(
        kind="measured",
        source=result.source if "://" in result.source else "",
        packages=dict(result.package),
        models={
            name: tuple(_public(model) for model in metric.models) for name, metric in metrics.items() if metric.models
        },
        options={name: _public_options(metric.options) for name, metric in metrics.items()},
        caveats={name: public_caveats(metric) for name, metric in metrics.items() if metric.caveats},
        benchmark=benchmark,
    )


def _public(model: ModelInfo) -> ModelInfo:
    return ModelInfo(**{**model.to_dict(), "name": public_name(model)})


def _public_options(options: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: _public_options(value) if isinstance(value, Mapping) else value
        for name, value in options.items()
        if name != _INTERNAL_OPTION
    }
