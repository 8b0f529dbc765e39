"""The leaderboard's scorecard: seven columns, each brought to 0..1, and their weighted total (released code v1.1).

A column is made of one value a video: clipped to the column's range, averaged over the videos that have one, scaled so
that the range becomes 0..1. NexusScore is averaged over the videos whose clipped value is not 0. That is `"released"`
scoring; a video that failed or was never made costs nothing there. `"strict"` scoring counts every video that should
have a value and has none with the worst value of the column, and a NexusScore of 0 as 0.

There is a total only where every column of the split has a value. Otherwise the scorecard is partial: `total` is None,
and `partial_total`, the mean of the columns that are there by their weights alone, is another quantity that must not
be compared with totals; `total_bounds` has the smallest and the largest possible total.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from opens2v_hf._util.argument_types import checked
from opens2v_hf._util.numbers import is_finite
from opens2v_hf.errors import ArgumentError
from opens2v_hf.scores.resampling import interval_of, resampled_means

if TYPE_CHECKING:
    from opens2v_hf.scores.seeds import SeedScores

RELEASED, STRICT = SCORINGS = ("released", "strict")
VERSIONS = ("v1.1", "v1.0", "v1.2-open")
"""Whose weights: v1.1 is the leaderboard's since October 2025; v1.2-open has its weights, and an open judge's
NaturalScore (`opens2v_hf.results.editions`)."""

SPLITS = ("open-domain", "human-domain", "single-domain")
NUM_RESAMPLES = 10_000


@dataclass(frozen=True)
class Column:
    """A column of the leaderboard.

    Attributes:
        name: of its metric.
        title: as the published tables spell it.
        submission_key: in the result file that the released code writes.
        low: the worst raw value; what is below counts as it.
        high: the best raw value; what is above counts as it.
        magnitude: whether the sign of a raw value is dropped.
        skips_zero: whether released scoring leaves videos out whose clipped value is 0.
    """

    name: str
    title: str
    submission_key: str
    low: float
    high: float
    magnitude: bool = False
    skips_zero: bool = False

    def clip(self, raw: float) -> float:
        """The raw value as it counts, in `low` to `high`."""
        value = abs(raw) if self.magnitude else raw
        return min(max(value, self.low), self.high)

    def normalise(self, raw: float) -> float:
        """The raw value in 0..1."""
        return (self.clip(raw) - self.low) / (self.high - self.low)


COLUMNS: Mapping[str, Column] = MappingProxyType(
    {
        column.name: column
        for column in (
            Column("aesthetics", "Aesthetics", "aes_score", 4.0, 7.0),
            Column("motion_smoothness", "MotionSmoothness", "motion_smoothness", 0.0, 1.0),
            Column("motion_amplitude", "MotionAmplitude", "motion_amplitude", 0.0, 1.0, magnitude=True),
            Column("facesim_cur", "FaceSim", "facesim_cur", 0.0, 1.0),
            Column("gmescore", "GmeScore", "gme_score", 0.0, 1.0),
            Column("nexusscore", "NexusScore", "nexus_score", 0.0, 0.05, skips_zero=True),
            Column("naturalscore", "NaturalScore", "natural_score", 1.0, 5.0),
        )
    }
)
"""The seven columns by the names of their metrics, in the order of the published tables."""

_NAMES = (
    "nexusscore",
    "naturalscore",
    "gmescore",
    "facesim_cur",
    "aesthetics",
    "motion_amplitude",
    "motion_smoothness",
)
_WEIGHTS = {
    ("v1.1", False): (0.20, 0.24, 0.12, 0.20, 0.16, 0.02, 0.06),
    ("v1.1", True): (0.0, 0.30, 0.15, 0.25, 0.18, 0.03, 0.09),
    ("v1.0", False): (0.20, 0.24, 0.12, 0.20, 0.12, 0.12, 0.0),
    ("v1.0", True): (0.0, 0.30, 0.15, 0.25, 0.15, 0.15, 0.0),
    ("v1.2-open", False): (0.20, 0.24, 0.12, 0.20, 0.16, 0.02, 0.06),
    ("v1.2-open", True): (0.0, 0.30, 0.15, 0.25, 0.18, 0.03, 0.09),
}  # by version, and whether the split is human-domain


@checked
def weights(version: str, split: str) -> dict[str, float]:
    """The weight of each column that counts towards the total, in the order of `COLUMNS`; they sum to 1.

    Args:
        version: "v1.1", "v1.0" or "v1.2-open".
        split: "open-domain", "human-domain" (which has no NexusScore) or "single-domain".

    Raises:
        ArgumentError: another version or split.

    Example:
        >>> weights("v1.1", "human-domain")["naturalscore"], "nexusscore" in weights("v1.1", "human-domain")
        (0.3, False)
        >>> "motion_smoothness" in weights("v1.0", "open-domain")
        False
    """
    _one_of("version", version, VERSIONS)
    _one_of("split", split, SPLITS)
    of = dict(zip(_NAMES, _WEIGHTS[version, split == "human-domain"], strict=True))
    return {name: of[name] for name in COLUMNS if of[name] > 0}


@checked
def normalise(column: str, raw: float) -> float:
    """A raw value of a column, clipped to its range and scaled to 0..1.

    Raises:
        ArgumentError: there is no such column, or the value is not a finite number.

    Example:
        >>> normalise("naturalscore", 4.0), normalise("aesthetics", 3.5), normalise("motion_amplitude", -0.25)
        (0.75, 0.0, 0.25)
    """
    return _column(column).normalise(_finite(column, "a raw value", raw))


@checked
def total_of(columns: Mapping[str, float], split: str, version: str = "v1.1") -> float:
    """The total of a published or submitted row.

    Args:
        columns: normalised value in 0..1 of (at least) every column that counts.
        split: see `weights`.
        version: see `weights`.

    Raises:
        ArgumentError: a column that counts is missing (named), or a value lies outside 0..1.

    Example:
        >>> round(total_of(dict.fromkeys(COLUMNS, 0.5), "open-domain"), 9)
        0.5
    """
    wanted = weights(version, split)
    if missing := [name for name in wanted if name not in columns]:
        raise ArgumentError(f"a total of {split} ({version}) needs every column; missing: {', '.join(missing)}")
    for name in wanted:
        if not 0.0 <= _finite(name, "a normalised value", columns[name]) <= 1.0:
            raise ArgumentError(f"a normalised value lies in 0..1 (got {name}={columns[name]!r})")
    return weighted_total(columns, wanted)


def weighted_total(columns: Mapping[str, float], weights: Mapping[str, float]) -> float:
    """The mean of columns by given weights, which need not sum to 1.

    Args:
        columns: normalised values; those without a weight do not count.
        weights: at least one, all positive; each names one of `columns`.

    Example:
        >>> weighted_total({"gmescore": 0.25, "naturalscore": 0.75}, {"gmescore": 1.0, "naturalscore": 3.0})
        0.625
    """
    whole = math.fsum(weights.values())
    return math.fsum(weight * columns[name] for name, weight in weights.items()) / whole


@dataclass(frozen=True)
class CategoryScore:
    """A column over the prompts of one category.

    Attributes:
        normalised: in 0..1; None where no video has a value.
        interval: 95 % bootstrap interval of `normalised` over prompts; None below two videos.
        num_videos: that the mean rests on.
        num_missing: that should have a value and have none.
    """

    normalised: float | None
    interval: tuple[float, float] | None
    num_videos: int
    num_missing: int


@dataclass(frozen=True)
class ColumnScore:
    """One column of a scorecard.

    Attributes:
        name: of the metric.
        title: as the published tables spell it.
        raw: mean of the clipped values in the metric's own units; None where no video has a value.
        normalised: `raw` scaled to 0..1; None as above.
        weight: in the total; 0 for a column that the version does not count.
        interval: 95 % bootstrap interval of `normalised` over prompts; None below two videos.
        num_videos: that the mean rests on.
        num_missing: videos that should have a value and have none; strict scoring counts them in `num_videos`.
        num_skipped: videos with a value of 0 that released scoring leaves out of the mean.
        by_category: category to the column over its prompts, for the categories that the column applies to.
    """

    name: str
    title: str
    raw: float | None
    normalised: float | None
    weight: float
    interval: tuple[float, float] | None
    num_videos: int
    num_missing: int
    num_skipped: int
    by_category: Mapping[str, CategoryScore]


@dataclass(frozen=True)
class Scorecard:
    """The columns of one model on one split, and their total.

    Attributes:
        split: of the benchmark.
        version: whose weights.
        scoring: "released" or "strict".
        columns: by name, in the order of `COLUMNS`; those of the split's leaderboard and no others.
        total: in 0..1; None where the scorecard is partial.
        interval: 95 % bootstrap interval of `total`, or of `partial_total` where the scorecard is partial, over prompts
            drawn jointly for all columns; None where a column rests on fewer than two videos.
        partial_total: weighted mean of the columns that have a value, by their weights alone; equals `total` where
            the scorecard is not partial. Not comparable between scorecards that lack different columns. None where no
            column has a value.
        total_bounds: the total if every missing column were 0, and if every one were 1.
        missing_columns: that count and have no value.
        seeds: how the numbers depend on the seed, where several videos of each prompt were scored; all else here is
            about one video of each prompt, those of the first seed.
    """

    split: str
    version: str
    scoring: str
    columns: Mapping[str, ColumnScore]
    total: float | None
    interval: tuple[float, float] | None
    partial_total: float | None
    total_bounds: tuple[float, float]
    missing_columns: tuple[str, ...]
    seeds: SeedScores | None = None

    @property
    def partial(self) -> bool:
        """Whether a column that counts has no value, so that there is no total."""
        return bool(self.missing_columns)

    @property
    def weight_present(self) -> float:
        """Sum of the weights of the columns that have a value, in 0..1."""
        return math.fsum(column.weight for column in self.columns.values() if column.normalised is not None)

    def to_dict(self) -> dict[str, Any]:
        """A JSON-compatible dict of the attributes, `partial` and `weight_present` with them."""
        record = asdict(self)
        return {**_jsonable(record), "partial": self.partial, "weight_present": self.weight_present}


@checked
def scorecard(
    values: Mapping[str, Mapping[str, Any]],
    *,
    split: str,
    category_of: Mapping[str, str],
    version: str = "v1.1",
    scoring: str = RELEASED,
    applicable: Mapping[str, Collection[str]] | None = None,
    num_resamples: int = NUM_RESAMPLES,
    seed: int = 0,
) -> Scorecard:
    """Clip, average, normalise and weigh the values of one model.

    Args:
        values: column to sample id to raw value (float), None for a video that should have one and has none. Columns
            that the split's leaderboard does not have (NexusScore of human-domain) are left out.
        split: "open-domain", "human-domain" or "single-domain".
        category_of: every id of the split, or at least all that are named in `values` and `applicable`, to its
            category, e.g. one of the paper's seven.
        version: of the weights, "v1.1" or "v1.0".
        scoring: "released" or "strict"; see the module.
        applicable: column to the ids that it should have a value for. A column that is not named should have one for
            the ids that `values` names; give it wherever videos may be missing altogether.
        num_resamples: of the bootstrap; 0 for no intervals.
        seed: of the bootstrap: the same input gives the same intervals.

    Raises:
        ArgumentError: an unknown split, version, scoring or column; a value that is no finite number; an id without a
            category, or with a value for a column that does not apply to it.

    Example:
        >>> card = scorecard({"gmescore": {"a_1": 0.5, "a_2": 0.7}, "naturalscore": {"a_1": 3.0, "a_2": None}},
        ...                  split="open-domain", category_of={"a_1": "a", "a_2": "a"})
        >>> round(card.columns["gmescore"].normalised, 9), card.columns["naturalscore"].num_missing
        (0.6, 1)
        >>> card.total is None, card.missing_columns[0]
        (True, 'aesthetics')
    """
    _one_of("scoring", scoring, SCORINGS)
    counted = weights(version, split)
    names = [name for name in COLUMNS if name in weights("v1.1", split)]
    expected = _expected(values, applicable or {}, category_of)
    ids = sorted(set().union(*(expected[name] for name in names if name in expected)))
    row_of = {sample_id: row for row, sample_id in enumerate(ids)}
    table = np.full((len(ids), len(names)), np.nan)
    missing = np.zeros(table.shape, dtype=bool)
    skipped = np.zeros(table.shape, dtype=bool)
    for index, name in enumerate(names):
        for sample_id in expected.get(name, ()):
            cell = (row_of[sample_id], index)
            given = values.get(name, {}).get(sample_id)
            counts = counted_value(name, given, scoring)
            table[cell] = np.nan if counts is None else counts
            missing[cell] = given is None
            skipped[cell] = given is not None and counts is None
    resample = _Resample(num_resamples, seed)
    means = resample(table)
    categories: dict[str, list[int]] = {}
    for sample_id in (i for i in category_of if i in row_of):
        categories.setdefault(category_of[sample_id], []).append(row_of[sample_id])
    within = {category: resample(table[rows]) for category, rows in categories.items()}
    columns = {
        name: ColumnScore(
            name=name,
            title=COLUMNS[name].title,
            raw=_raw(name, table[:, index]),
            normalised=_mean(table[:, index]),
            weight=counted.get(name, 0.0),
            interval=_interval(table[:, index], means[:, index]),
            num_videos=int(np.isfinite(table[:, index]).sum()),
            num_missing=int(missing[:, index].sum()),
            num_skipped=int(skipped[:, index].sum()),
            by_category={
                category: CategoryScore(
                    _mean(table[rows, index]),
                    _interval(table[rows, index], within[category][:, index]),
                    int(np.isfinite(table[rows, index]).sum()),
                    int(missing[rows, index].sum()),
                )
                for category, rows in categories.items()
                if expected.get(name, frozenset()) & {ids[row] for row in rows}
            },
        )
        for index, name in enumerate(names)
    }
    return _with_total(split, version, scoring, columns, counted, names, means)


def counted_value(column: str, raw: float | None, scoring: str) -> float | None:
    """Contribution of a video to the mean of a column: in 0..1, or None where it is left out.

    Example:
        >>> counted_value("nexusscore", 0.0, "released"), counted_value("nexusscore", 0.0, "strict")
        (None, 0.0)
        >>> counted_value("gmescore", None, "released"), counted_value("gmescore", None, "strict")
        (None, 0.0)
    """
    if raw is None:
        return 0.0 if scoring == STRICT else None
    value = COLUMNS[column].normalise(raw)
    return None if COLUMNS[column].skips_zero and value == 0.0 and scoring == RELEASED else value


def _with_total(
    split: str,
    version: str,
    scoring: str,
    columns: Mapping[str, ColumnScore],
    counted: Mapping[str, float],
    names: Sequence[str],
    means: np.ndarray,
) -> Scorecard:
    present = {name: c.normalised for name, c in columns.items() if c.normalised is not None and name in counted}
    weight_of = {name: counted[name] for name in present}
    missing = tuple(name for name in counted if name not in present)
    partial_total = weighted_total(present, weight_of) if present else None
    lower = math.fsum(weight_of[name] * value for name, value in present.items())
    interval = None
    if present and all(columns[name].num_videos > 1 for name in present):
        drawn = means[:, [names.index(name) for name in present]] @ np.array(list(weight_of.values()))
        interval = interval_of(drawn / math.fsum(weight_of.values()))
    return Scorecard(
        split=split,
        version=version,
        scoring=scoring,
        columns=columns,
        total=None if missing else partial_total,
        interval=interval,
        partial_total=partial_total,
        total_bounds=(lower, lower + math.fsum(counted[name] for name in missing)),
        missing_columns=missing,
    )


@dataclass(frozen=True)
class _Resample:
    num_resamples: int
    seed: int

    def __call__(self, table: np.ndarray) -> np.ndarray:
        return resampled_means(table, num_resamples=self.num_resamples, seed=self.seed)


def _expected(
    values: Mapping[str, Mapping[str, float | None]],
    applicable: Mapping[str, Collection[str]],
    category_of: Mapping[str, str],
) -> dict[str, frozenset[str]]:
    """Column to the ids that should have a value, checked."""
    expected = {}
    for name in {**applicable, **values}:
        _column(name)
        given = values.get(name, {})
        expected[name] = frozenset(applicable.get(name, given))
        for sample_id, value in given.items():
            if value is not None:
                _finite(name, f"the value of {sample_id}", value)
            if sample_id not in expected[name]:
                raise ArgumentError(f"{name} does not apply to {sample_id}, and a value is given for it")
        if strangers := sorted(expected[name] - set(category_of)):
            raise ArgumentError(f"{name} has ids of no known category: {', '.join(strangers[:5])}")
    return expected


def _mean(values: np.ndarray) -> float | None:
    found = values[np.isfinite(values)]
    return math.fsum(found) / found.size if found.size else None


def _raw(column: str, values: np.ndarray) -> float | None:
    mean = _mean(values)
    return None if mean is None else COLUMNS[column].low + mean * (COLUMNS[column].high - COLUMNS[column].low)


def _interval(values: np.ndarray, means: np.ndarray) -> tuple[float, float] | None:
    return interval_of(means) if np.isfinite(values).sum() > 1 else None


def _column(name: str) -> Column:
    if name not in COLUMNS:
        raise ArgumentError(f"the leaderboard has no column {name!r} (it has: {', '.join(COLUMNS)})")
    return COLUMNS[name]


def _finite(column: str, what: str, value: object) -> float:
    if not is_finite(value):
        raise ArgumentError(f"{column}: {what} is a finite number (got {value!r})")
    return float(value)


def _one_of(what: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise ArgumentError(f"there is no {what} {value!r} (known are: {', '.join(known)})")


def _jsonable(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _jsonable(item) for key, item in value.items()}
    return [_jsonable(item) for item in value] if isinstance(value, tuple) else value
