"""How sure a mean is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_CHUNK_VALUES = 4_000_000  # resampled values held at a time: 32 MB


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
    if len(values) == 0:
        raise ValueError("a confidence interval needs at least one value")
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"confidence lies between 0 and 1 (got {confidence=})")
    sample = np.asarray(values, dtype=np.float64)
    generator = np.random.default_rng(seed)
    rows = max(1, _CHUNK_VALUES // sample.size)
    means = np.concatenate(
        [
            sample[generator.integers(0, sample.size, size=(min(rows, num_resamples - start), sample.size))].mean(
                axis=1
            )
            for start in range(0, num_resamples, rows)
        ]
    )
    tail = (1.0 - confidence) / 2.0
    low, high = np.quantile(means, [tail, 1.0 - tail])
    return float(low), float(high)
