"""Bootstrap over prompts: ids are drawn anew, jointly for all columns, and every column is averaged again.

Percentile intervals of few prompts are somewhat narrow: a nominal 95 % interval of a mean holds the true one in some
89 % of all cases with 8 prompts, 93 % with 30, 95 % with 180 (simulated with beta-distributed scores).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np

_CHUNK_DRAWS = 4_000_000  # held at a time: 32 MB, and as much again for their counts
_MAX_CACHED_ROWS = 255  # counts up to it fit into a byte: at most 4 MB for the draws of a chunk


def resampled_means(table: np.ndarray, *, num_resamples: int, seed: int) -> np.ndarray:
    """Means of the columns of a table over rows drawn with replacement, as many as there are.

    The same draws serve all columns; tables of as many rows and the same seed get the same draws.

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
    # einsum without BLAS: the same bits for any number of threads
    sums = np.concatenate(
        [
            np.einsum("rn,nk->rk", counts, stacked, optimize=False)
            for counts in _chunks_of_counts(seed, num_resamples, rows)
        ]
        or [np.empty((0, 2 * columns))]
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        return sums[:, :columns] / sums[:, columns:]


def bootstrap_interval(
    values: Sequence[float], *, confidence: float = 0.95, num_resamples: int = 10_000, seed: int = 0
) -> tuple[float, float]:
    """Percentile bootstrap confidence interval of a mean.

    Args:
        values: at least one finite number.
        confidence: coverage in (0, 1).
        num_resamples: how many times the values are drawn anew, with replacement.
        seed: of the generator, so that the same values give the same interval.

    Returns:
        Lower and upper bound.

    Raises:
        ValueError: no value, or `confidence` out of range.

    Example:
        >>> bootstrap_interval([0.5, 0.5, 0.5])
        (0.5, 0.5)
    """
    table = np.asarray(values, dtype=np.float64)[:, None]
    interval = interval_of(resampled_means(table, num_resamples=num_resamples, seed=seed), confidence=confidence)
    if interval is None:
        raise ValueError("a confidence interval needs at least one value")
    return interval


def interval_of(means: np.ndarray, *, confidence: float = 0.95) -> tuple[float, float] | None:
    """Percentile interval over resamples; those without a mean (NaN) are left out. None where all are.

    Raises:
        ValueError: `confidence` does not lie between 0 and 1.

    Example:
        >>> interval_of(np.arange(101.0), confidence=0.5)
        (25.0, 75.0)
    """
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"confidence lies between 0 and 1 (got {confidence=})")
    found = means[np.isfinite(means)]
    if found.size == 0:
        return None
    tail = (1.0 - confidence) / 2.0
    low, high = np.quantile(found, [tail, 1.0 - tail])
    return float(low), float(high)


def _chunks_of_counts(seed: int, num_resamples: int, num_rows: int) -> Iterator[np.ndarray]:
    """Number of times that each row is drawn in each resample: float64 [R, N] in chunks, each line sums to N."""
    step = max(1, _CHUNK_DRAWS // num_rows)
    if num_resamples <= step and num_rows <= _MAX_CACHED_ROWS:
        yield _cached_counts(seed, num_resamples, num_rows).astype(float)
        return
    generator = np.random.default_rng(seed)
    for done in range(0, num_resamples, step):
        yield _counts(generator, min(step, num_resamples - done), num_rows).astype(float)


@lru_cache(maxsize=8)
def _cached_counts(seed: int, num_resamples: int, num_rows: int) -> np.ndarray:
    """The counts as uint8: drawing them takes longer than all else, and a result has many intervals of as many rows."""
    return _counts(np.random.default_rng(seed), num_resamples, num_rows).astype(np.uint8)


def _counts(generator: np.random.Generator, num_resamples: int, num_rows: int) -> np.ndarray:
    drawn = generator.integers(0, num_rows, size=(num_resamples, num_rows))
    drawn += np.arange(num_resamples)[:, None] * num_rows  # one count over all lines is one pass
    counts = np.bincount(drawn.ravel(), minlength=num_resamples * num_rows)
    return counts.reshape(num_resamples, num_rows)
