"""Bootstrap over prompts: ids are drawn anew, jointly for all columns, and every column is averaged again."""

from __future__ import annotations

import numpy as np


def draw_counts(num_ids: int, *, num_resamples: int, seed: int) -> np.ndarray:
    """How often each id is drawn in each resample, with replacement.

    Returns:
        float64 [R, N] of whole numbers; every row sums to N. The same arguments give the same counts.

    Example:
        >>> draw_counts(3, num_resamples=2, seed=0).sum(axis=1)
        array([3., 3.])
    """
    generator = np.random.default_rng(seed)
    drawn = generator.integers(0, num_ids, size=(num_resamples, num_ids))
    drawn += np.arange(num_resamples)[:, None] * num_ids  # one count over all rows is one pass
    return np.bincount(drawn.ravel(), minlength=num_resamples * num_ids).reshape(num_resamples, num_ids).astype(float)


def resampled_means(table: np.ndarray, *, num_resamples: int, seed: int) -> np.ndarray:
    """Means of the columns of a table over resampled rows.

    Args:
        table: float [N, K]; NaN where a row has no value in a column.
        num_resamples: R.
        seed: of the draws.

    Returns:
        float64 [R, K]; NaN where no row with a value was drawn.

    Example:
        >>> resampled_means(np.array([[0.5, np.nan], [0.5, np.nan]]), num_resamples=1, seed=0)
        array([[0.5, nan]])
    """
    rows, columns = table.shape
    if rows == 0:
        return np.full((num_resamples, columns), np.nan)
    has = np.isfinite(table)
    stacked = np.concatenate([np.where(has, table, 0.0), has.astype(float)], axis=1)
    counts = draw_counts(rows, num_resamples=num_resamples, seed=seed)
    # einsum without BLAS: the same bits whatever the number of threads
    sums = np.einsum("rn,nk->rk", counts, stacked, optimize=False)
    with np.errstate(invalid="ignore", divide="ignore"):
        return sums[:, :columns] / sums[:, columns:]


def interval_of(means: np.ndarray, *, confidence: float = 0.95) -> tuple[float, float] | None:
    """Percentile interval over resamples; those without a mean (NaN) are left out. None where all are.

    Example:
        >>> interval_of(np.arange(101.0), confidence=0.5)
        (25.0, 75.0)
    """
    found = means[np.isfinite(means)]
    if found.size == 0:
        return None
    tail = (1.0 - confidence) / 2.0
    low, high = np.quantile(found, [tail, 1.0 - tail])
    return float(low), float(high)
