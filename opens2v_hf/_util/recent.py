"""Caches: of the values that were made last, and of what is made of the same objects."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar
from weakref import WeakValueDictionary

_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value")


class Recent(Generic[_Key, _Value]):
    """A cache of the last values that were requested.

    Args:
        most: number of values in the cache.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: OrderedDict[_Key, _Value] = OrderedDict()

    def get(self, key: _Key, make: Callable[[], _Value]) -> _Value:
        """The value of a key, made where it is not in the cache."""
        if key not in self._values:
            self._values[key] = make()
            if len(self._values) > self._most:
                self._values.popitem(last=False)
        self._values.move_to_end(key)
        return self._values[key]


def shared_by(kind: Callable[..., _Value]) -> Callable[..., _Value]:
    """A function that makes a `kind` of its arguments, the same for the same objects; it is freed with its last user.

    The made object must hold its arguments.
    """
    # while it lives no other objects have the ids of those that it holds
    made: WeakValueDictionary[tuple[int, ...], Any] = WeakValueDictionary()

    def shared(*parts: Any) -> _Value:
        key = tuple(map(id, parts))
        found = made.get(key)
        if found is None:
            found = made[key] = kind(*parts)
        return found

    return shared
