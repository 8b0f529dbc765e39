"""Agreement of scores with human ratings, and of raters with each other.

All functions take numbers and return numbers. Correlations are NaN where they are not defined (fewer than two rows, or
one side is constant).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np

_KENDALL_ROWS = 512  # compared with all others at a time, so that memory grows with N and not with its square

Level = Literal["nominal", "ordinal", "interval"]
"""Distances of two ratings: equal or not, by their ranks, or by their values."""


def spearman(a: np.ndarray, b: np.ndarray) -> float:
    """Spearman's rank correlation, ties given their mean rank.

    Args:
        a: float [N], finite.
        b: float [N], finite.

    Returns:
        In [-1, 1], or NaN.

    Example:
        >>> round(spearman(np.array([1.0, 2.0, 3.0]), np.array([10.0, 30.0, 20.0])), 6)
        0.5
    """
    return _pearson(mean_ranks(a), mean_ranks(b))


def kendall_tau_b(a: np.ndarray, b: np.ndarray, counts: np.ndarray | None = None) -> np.ndarray:
    """Kendall's tau-b: concordant minus discordant pairs, over the pairs that are not tied on either side.

    Args:
        a: float [N].
        b: float [N].
        counts: float [R, N], how often each row counts in each of R resamples; once each in one if not given.

    Returns:
        float64 [R], each in [-1, 1] or NaN.
    """
    counts = np.ones((1, len(a))) if counts is None else counts
    concordant, untied_a, untied_b = (np.zeros(len(counts)) for _ in range(3))
    for start in range(0, len(a), _KENDALL_ROWS):
        part = slice(start, start + _KENDALL_ROWS)
        order_a = np.sign(a[:, None] - a[None, part])
        order_b = np.sign(b[:, None] - b[None, part])
        # Sums of whole numbers: float64 adds them without rounding, in any order that BLAS takes.
        for signs, total in ((order_a * order_b, concordant), (abs(order_a), untied_a), (abs(order_b), untied_b)):
            total += ((counts @ signs) * counts[:, part]).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return concordant / np.sqrt(untied_a * untied_b)


@dataclass(frozen=True)
class PairCounts:
    """Pairs of rows of the same item, for each item.

    Attributes:
        agreeing: float [I], pairs that the scores order as the ratings do; a tie of the scores counts one half.
        compared: int [I], pairs whose ratings differ.
        tied: int [I], pairs whose ratings are equal. They are not compared.
    """

    agreeing: np.ndarray
    compared: np.ndarray
    tied: np.ndarray

    @property
    def accuracy(self) -> float:
        """Share of the compared pairs that agree; NaN without any."""
        return float(self.agreeing.sum() / self.compared.sum()) if self.compared.sum() else float("nan")


def pair_counts(scores: np.ndarray, ratings: np.ndarray, items: np.ndarray) -> PairCounts:
    """Compare the rows of each item (the videos of one prompt) two by two.

    Args:
        scores: float [N].
        ratings: float [N].
        items: int [N], in 0..I-1.
    """
    num_items = int(items.max()) + 1 if len(items) else 0
    agreeing = np.zeros(num_items)
    compared, tied = np.zeros(num_items, dtype=int), np.zeros(num_items, dtype=int)
    for item in range(num_items):
        rows = np.flatnonzero(items == item)
        first, second = np.triu_indices(len(rows), k=1)
        by_rating = np.sign(ratings[rows[first]] - ratings[rows[second]])
        by_score = np.sign(scores[rows[first]] - scores[rows[second]])
        differs = by_rating != 0
        compared[item], tied[item] = differs.sum(), (~differs).sum()
        agreeing[item] = ((by_score == by_rating) + 0.5 * (by_score == 0))[differs].sum()
    return PairCounts(agreeing, compared, tied)


def partial_spearman(a: np.ndarray, b: np.ndarray, given: np.ndarray) -> float:
    """Spearman's correlation of `a` and `b` with the ranks of `given` held fixed.

    What a metric adds to another one: near 0 where it says nothing that the other does not say.

    Args:
        a: float [N], finite; also `b` and `given`.
        b: float [N].
        given: float [N].
    """
    ab, ag, bg = spearman(a, b), spearman(a, given), spearman(b, given)
    with np.errstate(invalid="ignore", divide="ignore"):
        return float(np.float64(ab - ag * bg) / np.sqrt(np.float64((1 - ag**2) * (1 - bg**2))))


def fisher_mean(correlations: np.ndarray) -> float:
    """Mean of correlations after Fisher's z-transformation, `tanh(mean(arctanh(r)))`; NaN are left out.

    A correlation of exactly 1 or -1 has no finite z: it makes the mean 1 or -1, and both together make it NaN.

    Example:
        >>> round(fisher_mean(np.array([0.5, 0.5])), 6)
        0.5
    """
    finite = correlations[~np.isnan(correlations)]
    if not len(finite):
        return float("nan")
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.tanh(np.mean(np.arctanh(finite))))


def rater_correlation(ratings: np.ndarray) -> float:
    """Mean of Spearman's correlation over all pairs of raters, each on the rows that both rated.

    Args:
        ratings: float [R, N], NaN where a rater did not rate a row.
    """
    return _nan_mean([_spearman_of_shared(a, b) for a, b in combinations(ratings, 2)])


def leave_one_out(ratings: np.ndarray) -> float:
    """Mean over raters of Spearman's correlation of one rater with the mean of the others: the human ceiling.

    Args:
        ratings: float [R, N], NaN where a rater did not rate a row.
    """
    if len(ratings) < 2:
        return float("nan")
    return _nan_mean(
        [
            _spearman_of_shared(rater, mean_rating(np.delete(ratings, number, axis=0)))
            for number, rater in enumerate(ratings)
        ]
    )


def mean_rating(ratings: np.ndarray) -> np.ndarray:
    """Mean over the raters of each row: float [R, N] -> float [N]; NaN for a row without ratings."""
    rated = np.isfinite(ratings)
    with np.errstate(invalid="ignore"):
        return np.where(rated, ratings, 0.0).sum(axis=0) / rated.sum(axis=0)


def krippendorff_alpha(ratings: np.ndarray, level: Level = "ordinal") -> float:
    """Krippendorff's alpha: 1 minus the observed disagreement over that expected by chance.

    Klaus Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011), by the matrix of coincidences.

    Args:
        ratings: float [R, N], NaN where a rater did not rate a row. Rows with fewer than two ratings do not count.
        level: of measurement.

    Returns:
        At most 1; NaN where fewer than two different values were given.
    """
    values, codes = np.unique(ratings[np.isfinite(ratings)], return_inverse=True)
    coded = np.full(ratings.shape, -1)
    coded[np.isfinite(ratings)] = codes
    # by row and value: how many raters gave it
    given = np.stack([(coded == code).sum(axis=0) for code in range(len(values))], axis=1).astype(float)
    given = given[given.sum(axis=1) >= 2]
    if len(values) < 2 or not len(given):
        return float("nan")
    weights = 1.0 / (given.sum(axis=1) - 1.0)
    coincidences = np.einsum("nv,nw,n->vw", given, given, weights) - np.diag(np.einsum("nv,n->v", given, weights))
    totals = coincidences.sum(axis=1)
    expected = (np.outer(totals, totals) - np.diag(totals)) / (totals.sum() - 1.0)
    distances = _squared_distances(values, totals, level)
    chance = (expected * distances).sum()
    return float(1.0 - (coincidences * distances).sum() / chance) if chance else float("nan")


def _squared_distances(values: np.ndarray, totals: np.ndarray, level: Level) -> np.ndarray:
    if level == "nominal":
        return 1.0 - np.eye(len(values))
    # ordinal: a value lies in the middle of the ratings that are equal to it
    positions = values if level == "interval" else np.cumsum(totals) - totals / 2.0
    return (positions[:, None] - positions[None, :]) ** 2


def mean_ranks(values: np.ndarray) -> np.ndarray:
    """From 1 for the smallest; equal values have the mean of their ranks."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2.0)[inverse]


def _pearson(a: np.ndarray, b: np.ndarray) -> float:
    if len(a) < 2:
        return float("nan")
    a, b = a - a.mean(), b - b.mean()
    norm = np.sqrt((a @ a) * (b @ b))
    return float(np.clip(a @ b / norm, -1.0, 1.0)) if norm else float("nan")


def _spearman_of_shared(a: np.ndarray, b: np.ndarray) -> float:
    both = np.isfinite(a) & np.isfinite(b)
    return spearman(a[both], b[both])


def _nan_mean(values: list[float]) -> float:
    defined = [value for value in values if value == value]
    return sum(defined) / len(defined) if defined else float("nan")
