"""Result of an engine, and its errors as other processes can read them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from opens2v_hf import errors
from opens2v_hf.errors import OpenS2VError


@dataclass(frozen=True)
class EngineResult:
    """Units that an engine processed.

    Attributes:
        done: names of the units that it finished.
        failed: name of a unit to the reason; the next run tries it again.
    """

    done: tuple[str, ...] = ()
    failed: Mapping[str, str] = field(default_factory=dict)


def plain_error(error: OpenS2VError) -> OpenS2VError:
    """The same message in the nearest class of `opens2v_hf.errors`, which other processes can make from its text alone.

    Example:
        >>> from opens2v_hf.models.hub_access import ModelUnavailableError
        >>> type(plain_error(ModelUnavailableError("embedder", "org/name", "there is no such repo"))).__name__
        'ModelError'
    """
    known: type[OpenS2VError] = next(kind for kind in type(error).__mro__ if kind.__module__ == errors.__name__)
    return known(str(error) or type(error).__name__)
