"""Input of the scorecard from a result: which metric fills a column, and which videos should have a value there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from opens2v_hf.data.benchmark.sample import HARD_CASE_CATEGORY, HARD_CASE_PREFIX, PAPER_CATEGORIES
from opens2v_hf.errors import ResultError
from opens2v_hf.results.editions import OPEN, fills_column
from opens2v_hf.scores.outcome import Status
from opens2v_hf.scores.scorecard import COLUMNS, RELEASED, SPLITS, STRICT, VERSIONS, Scorecard, scorecard, weights
from opens2v_hf.scores.seeds import SeedValues, seed_scores

if TYPE_CHECKING:
    from opens2v_hf.results.result import MetricResult, RunResult

_RELEASED_SUFFIX = "_released"
"""Ending of the name of a metric's released definition where another definition has the plain name."""


def column_metrics(result: RunResult) -> dict[str, MetricResult]:
    """Column of the scorecard to the metric that fills it.

    Of a metric with several definitions (its option "variant") only the released one fills the column, be it the metric
    itself or its companion.
    """
    found = {}
    for metric in result.metrics:
        column = metric.name.removesuffix(_RELEASED_SUFFIX)
        if column in COLUMNS and metric.options.get("variant", "released") == "released":
            found[column] = metric
    return found


def companion_metrics(result: RunResult) -> dict[str, MetricResult]:
    """Name to metric, for those that fill no column of the split's scorecard; in the result's order."""
    on_board = weights(VERSIONS[0], result.split) if result.split in SPLITS else {}
    filling = {metric.name for column, metric in column_metrics(result).items() if column in on_board}
    return {metric.name: metric for metric in result.metrics if metric.name not in filling}


def version_of(result: RunResult) -> str:
    """The version whose scorecard can hold all columns of a result: that of the edition of its judge."""
    natural = column_metrics(result).get("naturalscore")
    is_open = natural is not None and fills_column(OPEN, "naturalscore", natural.options)
    return OPEN if is_open else VERSIONS[0]


def column_values(result: RunResult, version: str | None = None) -> dict[str, dict[str, float | None]]:
    """Column to sample id to raw value, None for a video that should have one: failed, or never found.

    Columns filled by a judge of another edition than the version's are left out; without a version none is.
    Videos that a metric does not apply to are absent. Which metrics apply to a sample without a video is known where
    the result has `Coverage.applicable`.
    """
    values = {}
    for column, metric in column_metrics(result).items():
        if version is not None and not fills_column(version, column, metric.options):
            continue
        values[column] = {
            sample_id: score.value
            for sample_id, score in metric.scores.items()
            if score.status is not Status.NOT_APPLICABLE
        }
        applies = set(result.coverage.applicable.get(column, ()))
        values[column] |= {sample_id: None for sample_id in result.coverage.missing if sample_id in applies}
    return values


def paper_category_of(result: RunResult) -> dict[str, str]:
    """Every id of the result, with a video or without, to its category in the paper; in the paper's order."""
    categories = {video.id: video.category for video in result.videos}
    categories |= {sample_id: category_of_id(sample_id) or HARD_CASE_CATEGORY for sample_id in result.coverage.missing}
    named = {
        sample_id: PAPER_CATEGORIES.get(category, HARD_CASE_CATEGORY) for sample_id, category in categories.items()
    }
    order = {name: rank for rank, name in enumerate(dict.fromkeys(PAPER_CATEGORIES.values()))}
    return dict(sorted(named.items(), key=lambda item: order.get(item[1], len(order))))


def category_of_id(sample_id: str) -> str | None:
    """The category in an id of the benchmark; None for any other text.

    Example:
        >>> category_of_id("singleobj_12"), category_of_id("Hard-Case_Dev_3"), category_of_id("singleobj_x")
        ('singleobj', 'hardcase', None)
    """
    prefix, _, number = sample_id.rpartition("_")
    if not (number.isascii() and number.isdigit()):
        return None
    if prefix == HARD_CASE_PREFIX:
        return HARD_CASE_CATEGORY
    return prefix if prefix in PAPER_CATEGORIES else None


def result_scorecard(result: RunResult, *, version: str = "v1.1", scoring: str = RELEASED) -> Scorecard:
    """The scorecard of a result; see `RunResult.scorecard`."""
    if scoring == STRICT:
        require_known_missing(result)
    weights(version, result.split)  # an unknown version or split is refused before its edition is looked up
    first, *others = values_by_seed(result, version)
    card = scorecard(first, split=result.split, category_of=paper_category_of(result), version=version, scoring=scoring)
    seeds = seeds_of(result)
    if not others:
        return card
    by_seed = dict(zip(seeds, [first, *others], strict=True))
    return replace(card, seeds=seed_scores(by_seed, split=result.split, version=version, scoring=scoring))


def seeds_of(result: RunResult) -> tuple[int, ...]:
    """The seeds of a result's videos, the one of the result itself first; empty where it is unknown."""
    return () if result.generation is None else (result.generation.seed, *result.other_seeds)


def values_by_seed(result: RunResult, version: str | None = None) -> list[SeedValues]:
    """`column_values` for each of `seeds_of`, or for the videos of the unknown seed; never empty."""
    first = column_values(result, version)
    if result.generation is None:
        return [first]
    others = [{name: of_seed[name] for name in first if name in of_seed} for of_seed in result.other_seeds.values()]
    return [first, *others]


def knows_what_is_missing(result: RunResult) -> bool:
    """Whether the result says which metrics apply to the samples that have no video."""
    return not result.coverage.missing or bool(result.coverage.applicable)


def require_known_missing(result: RunResult) -> None:
    """Refuse a result by which videos that are missing cannot be counted.

    Raises:
        ResultError: samples have no video, and the result does not say which metrics apply to them.
    """
    if not knows_what_is_missing(result):
        raise ResultError(
            f"the result of {result.model!r} does not say which metrics apply to the {len(result.coverage.missing)} "
            "samples without a video, so that they cannot be counted as the worst; score the videos again"
        )


def applicable_ids(samples: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Metric to the ids that it applies to, from id to the metrics that apply to it.

    Example:
        >>> applicable_ids({"a_1": ("gmescore", "facesim_cur"), "a_2": ("gmescore",)})
        {'gmescore': ('a_1', 'a_2'), 'facesim_cur': ('a_1',)}
    """
    found: dict[str, tuple[str, ...]] = {}
    for sample_id, metrics in samples.items():
        for metric in metrics:
            found[metric] = (*found.get(metric, ()), sample_id)
    return found
