"""Tests of the differences between two models: a paired bootstrap over the prompts that both have values for.

Both models' means are taken anew over the same drawn prompts, so that what makes a prompt hard for both cancels. Where
a model has several videos of a prompt, made with different seeds, the prompt's value is their mean: videos of one
prompt resemble each other and are no independent sample, so the bootstrap draws prompts, not videos.

The difference has a percentile interval, and p is twice the share of resamples on the rarer side of 0 (both counts
raised by one, as a resample never proves that something is impossible), but at least 2^(1 - n): with n prompts no test
that uses the signs of differences can have less. Columns are several questions at once, so their p are corrected by
Holm's method; the total is one question and is not corrected.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from opens2v_hf.scores.resampling import interval_of, resampled_means
from opens2v_hf.scores.scorecard import (
    COLUMNS,
    NUM_RESAMPLES,
    RELEASED,
    STRICT,
    counted_value,
    weighted_total,
    weights,
)
from opens2v_hf.scores.seeds import SeedValues

ALPHA = 0.05
"""Level below which a difference is significant."""

FEW_PROMPTS = 20
"""With fewer the bootstrap calls more differences significant than it should: of equal models 9 % with 8 prompts, 7 %
with 15, 5 % from 30 on (simulated with normally distributed differences)."""


@dataclass(frozen=True)
class Difference:
    """One column, the total, or a companion metric of two models, over the prompts that both have.

    Attributes:
        name: of the column's metric, or "total".
        title: as the published tables spell it; the name of a companion metric.
        a: the first model's normalised mean over the common prompts, in 0..1; in its own units for a companion
            metric.
        b: the second one's.
        difference: `a - b`.
        interval: 95 % bootstrap interval of `difference`; None below two prompts.
        p: two-sided; None as above.
        p_adjusted: `p` by Holm's method over the columns, or over the companion metrics; `p` itself for the total.
        num_prompts: that both have a value for; for the total, for any column.
    """

    name: str
    title: str
    a: float
    b: float
    difference: float
    interval: tuple[float, float] | None
    p: float | None
    p_adjusted: float | None
    num_prompts: int

    @property
    def real(self) -> bool:
        """Whether the difference is significant at 5 % after the correction."""
        return self.p_adjusted is not None and self.p_adjusted < ALPHA

    def to_dict(self) -> dict[str, Any]:
        """A JSON-compatible dict of the attributes, and `real`."""
        record = asdict(self)
        return {**record, "interval": list(self.interval) if self.interval else None, "real": self.real}


@dataclass(frozen=True)
class PairedComparison:
    """Two models, column by column.

    Attributes:
        columns: by name, those that both have a value in; in the order of the published tables.
        total: weighted over `columns`; a difference of totals only where `missing_columns` is empty, else of the means
            of the columns both have. None where there is no column.
        missing_columns: that count, and that not both have.
    """

    columns: Mapping[str, Difference]
    total: Difference | None
    missing_columns: tuple[str, ...]

    @property
    def partial(self) -> bool:
        """Whether a column that counts is missing, so that `total` is none of the whole scorecard."""
        return bool(self.missing_columns)


def compare_values(
    a: SeedValues | Sequence[SeedValues],
    b: SeedValues | Sequence[SeedValues],
    *,
    split: str,
    version: str = "v1.1",
    scoring: str = RELEASED,
    num_resamples: int = NUM_RESAMPLES,
    seed: int = 0,
) -> PairedComparison:
    """Compare two models' raw values. Exchanging `a` and `b` changes the sign of every difference and nothing else.

    Args:
        a: column to sample id to raw value, None for a video that should have one and has none; or one such mapping for
            each seed.
        b: the same of the other model.
        split: "open-domain", "human-domain" or "single-domain".
        version: of the weights.
        scoring: "released": over the prompts for which both have a value of some seed; each mean leaves out what
            released scoring does. "strict": over the prompts that should have one in both; what is missing counts as
            the worst.
        num_resamples: of the bootstrap.
        seed: of the bootstrap.

    Raises:
        ArgumentError: an unknown split or version.

    Example:
        >>> model = {"gmescore": {"x": 0.75, "y": 0.5, "z": 0.25}}
        >>> compare_values(model, model, split="open-domain").columns["gmescore"].p
        1.0
    """
    counted = weights(version, split)
    names = [name for name in COLUMNS if name in weights("v1.1", split)]
    seeds = [[values] if isinstance(values, Mapping) else values for values in (a, b)]
    common = {name: set.intersection(*(_prompts(values, name, scoring) for values in seeds)) for name in names}
    ids = sorted(set().union(*common.values()))
    tables = [_table(values, common, names, ids, scoring) for values in seeds]
    # a column is there if both means are: released NexusScore may have nothing left on one side
    present = [index for index in range(len(names)) if all(np.isfinite(table[:, index]).any() for table in tables)]
    means = [{names[i]: _mean(table[:, i]) for i in present} for table in tables]
    drawn = [resampled_means(table, num_resamples=num_resamples, seed=seed) for table in tables]
    found = {
        names[i]: _difference(
            names[i],
            COLUMNS[names[i]].title,
            means[0][names[i]],
            means[1][names[i]],
            drawn[0][:, i] - drawn[1][:, i],
            len(common[names[i]]),
        )
        for i in present
    }
    weight_of = {name: counted[name] for name in found if name in counted}
    total = None
    if weight_of:
        by_weight = np.array([weight_of[name] for name in weight_of]) / math.fsum(weight_of.values())
        counted_columns = [names.index(name) for name in weight_of]
        total = _difference(
            "total",
            "Total",
            weighted_total(means[0], weight_of),
            weighted_total(means[1], weight_of),
            (drawn[0][:, counted_columns] - drawn[1][:, counted_columns]) @ by_weight,
            len(set().union(*(common[name] for name in weight_of))),
        )
    return PairedComparison(
        columns=_corrected(found),
        total=total,
        missing_columns=tuple(name for name in counted if name not in found),
    )


def compare_companions(
    a: Mapping[str, Mapping[str, float | None]],
    b: Mapping[str, Mapping[str, float | None]],
    *,
    num_resamples: int = NUM_RESAMPLES,
    seed: int = 0,
) -> dict[str, Difference]:
    """Compare metrics that fill no column, in units of their own: no total has a part of them.

    They have no worst value that a failure could count as, so each is compared over the prompts for which both have a
    value, independent of the scoring of the columns.

    Args:
        a: metric to sample id to raw value, None for a video that has none.
        b: the same of the other model.
        num_resamples: of the bootstrap.
        seed: of the bootstrap.

    Returns:
        Those that both have a common prompt in, in the order of `a`.

    Example:
        >>> compare_companions({"own": {"x": 0.75, "y": 3.0}}, {"own": {"x": 0.5, "z": 1.0}})["own"].difference
        0.25
    """
    found = {}
    for name in a:
        ids = sorted(set.intersection(*(_prompts([values], name, RELEASED) for values in (a, b))))
        if not ids:
            continue
        tables = [np.array([[values[name][sample_id]] for sample_id in ids], dtype=float) for values in (a, b)]
        drawn = [resampled_means(table, num_resamples=num_resamples, seed=seed)[:, 0] for table in tables]
        mine, other = (_mean(table[:, 0]) for table in tables)
        found[name] = _difference(name, name, mine, other, drawn[0] - drawn[1], len(ids))
    return _corrected(found)


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p of several tests at once (Holm 1979): below a level, a difference is real at that level for all.

    Example:
        >>> holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]
    """
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = highest
    return adjusted


def _prompts(seeds: Sequence[SeedValues], name: str, scoring: str) -> set[str]:
    """Prompts that should have a value of a column (strict scoring), or that have one of some seed."""
    return {
        sample_id
        for values in seeds
        for sample_id, value in values.get(name, {}).items()
        if scoring == STRICT or value is not None
    }


def _table(
    seeds: Sequence[SeedValues],
    common: Mapping[str, set[str]],
    names: Sequence[str],
    ids: Sequence[str],
    scoring: str,
) -> np.ndarray:
    """Means over the seeds, float [ids, names]; NaN where no seed has a value that counts."""
    table = np.full((len(ids), len(names)), np.nan)
    for row, sample_id in enumerate(ids):
        for column, name in enumerate(names):
            if sample_id in common[name]:
                table[row, column] = _mean_over_seeds(seeds, name, sample_id, scoring)
    return table


def _mean_over_seeds(seeds: Sequence[SeedValues], name: str, sample_id: str, scoring: str) -> float:
    given = [values[name][sample_id] for values in seeds if sample_id in values.get(name, {})]
    counted = [value for raw in given if (value := counted_value(name, raw, scoring)) is not None]
    return math.fsum(counted) / len(counted) if counted else math.nan


def _mean(values: np.ndarray) -> float:
    found = values[np.isfinite(values)]
    return math.fsum(found) / found.size


def _difference(name: str, title: str, a: float, b: float, drawn: np.ndarray, num_prompts: int) -> Difference:
    found = drawn[np.isfinite(drawn)]
    if num_prompts < 2 or found.size == 0:
        return Difference(name, title, a, b, a - b, None, None, None, num_prompts)
    rarer = 1 + min(int((found <= 0).sum()), int((found >= 0).sum()))
    p = min(1.0, max(2 * rarer / (found.size + 1), 2.0 ** (1 - num_prompts)))
    return Difference(name, title, a, b, a - b, interval_of(found), p, p, num_prompts)


def _corrected(found: Mapping[str, Difference]) -> dict[str, Difference]:
    tested = [d for d in found.values() if d.p is not None]
    adjusted = dict(zip((d.name for d in tested), holm([d.p for d in tested if d.p is not None]), strict=True))
    return {name: Difference(**{**asdict(d), "p_adjusted": adjusted.get(name)}) for name, d in found.items()}
