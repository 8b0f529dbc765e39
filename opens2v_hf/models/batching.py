"""Batches bounded by the tokens in them, so that memory depends on the budget and not on the number of items."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from opens2v_hf.errors import ArgumentError


def check_count(name: str, value: object) -> None:
    """Check an argument such as the size of a batch.

    Raises:
        ArgumentError: it is no whole number from 1.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ArgumentError(f"{name} must be a whole number from 1 (got {value!r:.80})")


def token_batches(lengths: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Group items of like length, so that a padded batch stays within a budget.

    Args:
        lengths: tokens of each item.
        budget: upper bound of (longest item) * (number of items) in a batch; an item beyond it comes alone.

    Yields:
        The indices of a batch, every index once, shortest items first.

    Example:
        >>> list(token_batches([7, 2, 3, 9, 2], budget=8))
        [[1, 4], [2], [0], [3]]
    """
    batch: list[int] = []
    for index in sorted(range(len(lengths)), key=lambda item: lengths[item]):
        # In this order the newest item is the longest of its batch.
        if batch and lengths[index] * (len(batch) + 1) > budget:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch
