"""Whether a value from outside is a number; a truth value is none, though Python counts it among the integers."""

from __future__ import annotations

import math
import sys
from typing import Any, TypeGuard


def is_whole(value: Any, least: float = -math.inf, most: float = math.inf) -> TypeGuard[int]:
    """Whether a value is an integer within bounds, both included.

    Example:
        >>> is_whole(1, 1), is_whole(0, 1), is_whole(1.0), is_whole(True)
        (True, False, False, False)
    """
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def is_number(value: Any, least: float = -math.inf, most: float = math.inf) -> TypeGuard[float]:
    """Whether a value is a number within bounds, both included; NaN is within none.

    Example:
        >>> is_number(1), is_number(2.5, 0, 1), is_number(math.nan), is_number("1")
        (True, False, False, False)
    """
    return isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= most


def is_finite(value: Any) -> TypeGuard[float]:
    """Whether a value is a number that a float can hold, and neither infinite nor NaN.

    Example:
        >>> is_finite(1), is_finite(math.inf), is_finite(10**400)
        (True, False, False)
    """
    return is_number(value, -sys.float_info.max, sys.float_info.max)
