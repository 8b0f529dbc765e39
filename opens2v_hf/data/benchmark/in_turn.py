"""The order in which samples are drawn for a trial."""

from __future__ import annotations

from collections.abc import Sequence

from opens2v_hf.data.benchmark.sample import EvalSample


def in_turn(samples: Sequence[EvalSample]) -> list[EvalSample]:
    """One of each category after another, so that a few samples concern as many metrics as they can."""
    by_category: dict[str, list[EvalSample]] = {}
    for sample in samples:
        by_category.setdefault(sample.category, []).append(sample)
    longest = max(map(len, by_category.values()), default=0)
    return [group[row] for row in range(longest) for group in by_category.values() if row < len(group)]
