"""Make a submission from a result."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from opens2v_hf._util.argument_types import checked
from opens2v_hf.data.benchmark.ids import split_ids
from opens2v_hf.errors import ResultError
from opens2v_hf.leaderboard.submissions.record import FORMAT, GENERATION, Submission
from opens2v_hf.results.columns import column_metrics, column_values
from opens2v_hf.results.comparability import public_caveats, public_name
from opens2v_hf.results.editions import edition
from opens2v_hf.results.generation import Generation
from opens2v_hf.results.result import PARTIAL_NOTE, MetricResult, RunResult
from opens2v_hf.scores.scorecard import COLUMNS, RELEASED, SPLITS

_INTERNAL_OPTION = "url"
"""The address of a private endpoint is not published."""

_BENCHMARK_FIELDS = ("source", "prompt_file", "sha256")


@checked
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
        ResultError: the leaderboard does not have the split; columns are missing, so there is no total; or an
            argument is none that a record can hold.
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
    values = column_values(result, version)
    metrics = {name: metric for name, metric in column_metrics(result).items() if name in columns}
    record = {
        "format": FORMAT,
        "model": model,
        "model_id": model_id,
        "link": link,
        "team": team,
        "venue": venue,
        "split": result.split,
        "version": version,
        "edition": edition(version).sha256,
        "scoring": scoring,
        "total": card.total,
        "columns": {name: columns[name].normalised if name in columns else None for name in COLUMNS},
        "num_videos": {name: columns[name].num_videos if name in columns else None for name in COLUMNS},
        "per_video": [
            {"id": i, **{name: values.get(name, {}).get(i) if name in columns else None for name in COLUMNS}}
            for i in split_ids(result.split)
        ],
        "provenance": _provenance(result, metrics),
        "submitted_by": submitted_by,
        "submitted_at": (now or datetime.now(UTC)).strftime("%Y-%m-%d %H:%M:%S"),
    }
    return Submission.from_dict(record, source=f"the result of {result.model!r}")


def _provenance(result: RunResult, metrics: Mapping[str, MetricResult]) -> dict[str, Any]:
    benchmark = {name: str(result.benchmark.get(name) or "") for name in _BENCHMARK_FIELDS}
    if "://" not in benchmark["source"]:
        benchmark["source"] = ""  # a folder, whose name says nothing to others; the sha256 says all
    return {
        "kind": "measured",
        "source": result.source if "://" in result.source else "",
        "packages": [{"name": name, "version": version} for name, version in result.package.items()],
        "models": [
            {"metric": name, **model.to_dict(), "name": public_name(model)}
            for name, metric in metrics.items()
            for model in metric.models
        ],
        "options": [
            {"metric": name, "option": option, "value": json.dumps(value, ensure_ascii=False)}
            for name, metric in metrics.items()
            for option, value in _public_options(metric.options).items()
        ]
        + _generation_options(result.generation),
        "caveats": [
            {"metric": name, "caveat": caveat} for name, metric in metrics.items() for caveat in public_caveats(metric)
        ]
        + [
            {"metric": GENERATION, "caveat": caveat}
            for caveat in (() if result.generation is None else result.generation.caveats)
        ],
        "benchmark": benchmark,
    }


def _generation_options(made: Generation | None) -> list[dict[str, str]]:
    """The generator of the videos and its settings; empty for given videos."""
    if made is None:
        return []
    options = {
        "kind": made.kind,
        "name": made.public_name,
        "revision": made.revision,
        "family": made.family,
        "dtype": made.dtype,
        "versions": dict(made.versions),
        "subject_driven": made.subject_driven,
        "seed": made.seed,
        "seeds": list(made.seeds),
        "too_many_references": made.too_many_references,
        "num_prompts_cut": len(made.prompts_cut),
        **{f"recipe.{name}": value for name, value in made.recipe.items()},
    }
    return [
        {"metric": GENERATION, "option": name, "value": json.dumps(value, ensure_ascii=False)}
        for name, value in options.items()
    ]


def _public_options(options: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: _public_options(value) if isinstance(value, Mapping) else value
        for name, value in options.items()
        if name != _INTERNAL_OPTION
    }
