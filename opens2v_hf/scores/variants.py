"""The variants of a metric: several definitions under one name."""

from __future__ import annotations

from collections.abc import Collection

from opens2v_hf.errors import ArgumentError


def check_variant(variant: str, known: Collection[str], metric: str) -> str:
    """A variant's name as it was given.

    Raises:
        ArgumentError: it is none of them.
    """
    if variant not in known:
        raise ArgumentError(f"{metric} has the variants {', '.join(known)} (got {variant=})")
    return variant
