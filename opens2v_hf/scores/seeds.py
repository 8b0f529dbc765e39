"""Several videos of each prompt, made with different seeds: how much the numbers depend on the seed.

A column of one seed is what the leaderboard shows: one video a prompt. The mean is that of the columns of all seeds.
Videos of one prompt resemble each other, so they are no independent sample: the interval of the mean draws whole
prompts, each with the videos of all seeds (a bootstrap clustered by prompt). With as many videos of every prompt it is
the bootstrap of the prompts' means.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from opens2v_hf.errors import ArgumentError
from opens2v_hf.scores.resampling import interval_of, resampled_means
from opens2v_hf.scores.scorecard import COLUMNS, NUM_RESAMPLES, counted_value, weighted_total, weights

SeedValues = Mapping[str, Mapping[str, float | None]]
"""Of one seed: column to sample id to raw value, None for a video that should have one and has none."""


@dataclass(frozen=True)
class SeedSpread:
    """A column, or the total, over several seeds.

    Attributes:
        by_seed: seed to its normalised value in 0..1; None where no video of that seed has a value.
        mean: of `by_seed`; None where a seed has no value.
        deviation: sample standard deviation of `by_seed` (divisor: seeds - 1); None as above.
        interval: 95 % bootstrap interval of `mean`, clustered by prompt; None as above, and for a single prompt.
    """

    by_seed: Mapping[int, float | None]
    mean: float | None
    deviation: float | None
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class SeedScores:
    """Means and spread over several seeds of the same prompts.

    Attributes:
        seeds: the first is that of the scorecard which this belongs to.
        columns: by name, those of the split's leaderboard that some seed has a value of.
        total: over the columns that every seed has; the same as `Scorecard.partial_total` for each seed.
    """

    seeds: tuple[int, ...]
    columns: Mapping[str, SeedSpread]
    total: SeedSpread


def seed_scores(
    values: Mapping[int, SeedValues],
    *,
    split: str,
    version: str,
    scoring: str,
    num_resamples: int = NUM_RESAMPLES,
    seed: int = 0,
) -> SeedScores:
    """Compare the seeds of one model.

    Args:
        values: seed to what `scorecard` takes for its videos; at least two seeds.
        split: of the benchmark.
        version: of the weights.
        scoring: "released" or "strict".
        num_resamples: of the bootstrap; 0 for no intervals.
        seed: of the bootstrap's draws.

    Raises:
        ArgumentError: fewer than two seeds, an unknown split, version or column, or a value that is not finite.

    Example:
        >>> found = seed_scores({1: {"gmescore": {"a_1": 0.5, "a_2": 0.7}}, 2: {"gmescore": {"a_1": 0.7, "a_2": 0.9}}},
        ...                     split="open-domain", version="v1.1", scoring="released")
        >>> column = found.columns["gmescore"]
        >>> round(column.mean, 9), round(column.deviation, 9), tuple(round(edge, 9) for edge in column.interval)
        (0.7, 0.141421356, (0.6, 0.8))
    """
    if len(values) < 2:
        raise ArgumentError(f"a spread over seeds needs at least two (got {len(values)})")
    counted = weights(version, split)
    if unknown := sorted({name for of_seed in values.values() for name in of_seed} - set(COLUMNS)):
        raise ArgumentError(f"the leaderboard has no column {unknown[0]!r} (it has: {', '.join(COLUMNS)})")
    asked = {name for of_seed in values.values() for name in of_seed}
    names = [name for name in COLUMNS if name in weights("v1.1", split) and name in asked]
    ids = sorted({i for of_seed in values.values() for name in names for i in of_seed.get(name, {})})
    row_of = {sample_id: row for row, sample_id in enumerate(ids)}
    table = np.full((len(ids), len(values), len(names)), np.nan)
    for layer, of_seed in enumerate(values.values()):
        for index, name in enumerate(names):
            for sample_id, raw in of_seed.get(name, {}).items():
                if raw is not None and not math.isfinite(raw):
                    raise ArgumentError(f"{name}: the value of {sample_id} must be a finite number (got {raw!r})")
                value = counted_value(name, raw, scoring)
                table[row_of[sample_id], layer, index] = np.nan if value is None else value
    flat = table.reshape(len(ids), -1)
    means = resampled_means(flat, num_resamples=num_resamples, seed=seed).reshape(-1, len(values), len(names))
    by_column = {
        name: {each: _mean(table[:, layer, index]) for layer, each in enumerate(values)}
        for index, name in enumerate(names)
    }
    columns = {
        name: _spread(by_column[name], means[:, :, index].mean(axis=1), len(ids)) for index, name in enumerate(names)
    }
    everywhere = [name for name in names if name in counted and None not in by_column[name].values()]
    weight_of = {name: counted[name] for name in everywhere}
    totals: dict[int, float | None] = dict.fromkeys(values)
    drawn = np.full(means.shape[0], np.nan)
    if everywhere:
        for each in values:
            of_seed_columns = {name: value for name in everywhere if (value := by_column[name][each]) is not None}
            totals[each] = weighted_total(of_seed_columns, weight_of)
        chosen = means.mean(axis=1)[:, [names.index(name) for name in everywhere]]
        drawn = chosen @ np.array(list(weight_of.values())) / math.fsum(weight_of.values())
    return SeedScores(tuple(values), columns, _spread(totals, drawn, len(ids)))


def _spread(by_seed: Mapping[int, float | None], drawn: np.ndarray, num_prompts: int) -> SeedSpread:
    found = [value for value in by_seed.values() if value is not None]
    if len(found) < len(by_seed):
        return SeedSpread(by_seed, None, None, None)
    interval = interval_of(drawn) if num_prompts > 1 else None
    return SeedSpread(by_seed, float(np.mean(found)), float(np.std(found, ddof=1)), interval)


def _mean(values: np.ndarray) -> float | None:
    found = values[np.isfinite(values)]
    return math.fsum(found) / found.size if found.size else None
