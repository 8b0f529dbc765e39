"""Batches bounded by the tokens in them, so that memory depends on the budget and not on the number of items."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from opens2v_hf._util.numbers import is_whole
from opens2v_hf.errors import ArgumentError

MAX_PADDING = 0.05
"""Of a batch, as a share of its tokens, once it has a quarter of the budget."""


def check_count(name: str, value: object) -> None:
    """Check an argument such as the size of a batch.

    Raises:
        ArgumentError: it is no whole number from 1.
    """
    if not is_whole(value, 1):
        raise ArgumentError(f"{name} must be a whole number from 1 (got {value!r:.80})")


def token_batches(lengths: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Group items of like length, so that a padded batch stays within a budget and holds little padding.

    Args:
        lengths: tokens of each item.
        budget: upper bound of (longest item) * (number of items) in a batch; an item beyond it comes alone. From a
            quarter of it, a batch ends before an item that would bring its padding above `MAX_PADDING`.

    Yields:
        The indices of a batch, every index once, shortest items first.

    Example:
        >>> list(token_batches([7, 2, 3, 9, 2], budget=8))
        [[1, 4], [2], [0], [3]]
    """
    batch: list[int] = []
    num_tokens = 0
    for index in sorted(range(len(lengths)), key=lambda item: lengths[item]):
        # In this order the newest item is the longest of its batch.
        padded = lengths[index] * (len(batch) + 1)
        is_loose = num_tokens >= budget / 4 and padded > (1 + MAX_PADDING) * (num_tokens + lengths[index])
        if batch and (padded > budget or is_loose):
            yield batch
            batch, num_tokens = [], 0
        batch.append(index)
        num_tokens += lengths[index]
    if batch:
        yield batch
