"""Arguments of a wrong type become an `ArgumentError` in words, for every public function in the same way."""

from __future__ import annotations

import functools
import inspect
import os
import types
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Literal, ParamSpec, TypeVar, Union, get_args, get_origin

from opens2v_hf.errors import ArgumentError, short_repr

P = ParamSpec("P")
R = TypeVar("R")

_WORDS: dict[Any, str] = {
    bool: "True or False",
    int: "a whole number",
    float: "a number",
    str: "a text",
    bytes: "bytes",
    None: "None",
    types.NoneType: "None",
    Callable: "a function",
    Any: "anything",
}
_PATH = "a path"


def checked(function: Callable[P, R]) -> Callable[P, R]:
    """A function whose arguments are compared with its annotations at each call.

    A whole number is also a number, and True is neither. Where several items are annotated, any collection of them
    will do, but a text and bytes are none, and a mapping is no sequence; an iterator is read into a tuple first, unless
    one is annotated. Single values of NumPy become those of Python, devices and dtypes of PyTorch their names where a
    text is annotated, and its tensors lists and numbers where several items are annotated and tensors do not fit.
    Not compared are protocols, and types that are imported for type checkers only.

    Args:
        function: or a method; of a class method, the function below `@classmethod`.

    Raises:
        ArgumentError: from the function, for the first argument of a wrong type.

    >>> @checked
    ... def first(names: Iterable[str], most: int | None = None) -> list[str]:
    ...     return list(names)[:most]
    >>> first("abc")
    Traceback (most recent call last):
    opens2v_hf.errors.ArgumentError: names must be a list (each a text) (got 'abc')
    """
    signature = inspect.signature(function)

    @functools.cache
    def hint_of(name: str) -> Any:
        annotation = signature.parameters[name].annotation
        if isinstance(annotation, str):
            try:
                annotation = eval(annotation, function.__globals__)  # noqa: S307 - the text of our own source
            except NameError:
                return Any
        return Any if annotation is inspect.Parameter.empty else annotation

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError:
            return function(*args, **kwargs)  # Python's own error names the function
        for name, value in bound.arguments.items():
            kind = signature.parameters[name].kind
            if kind in (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL):
                continue
            hint = hint_of(name)
            if hint is Any:
                continue
            value = bound.arguments[name] = _plain(value, hint)
            if isinstance(value, Iterator) and _wants_collection(hint) and not fits(value, hint):
                value = bound.arguments[name] = tuple(value)
            if not fits(value, hint):
                raise ArgumentError(f"{name} must be {words(hint)} (got {short_repr(value)})")
            if isinstance(value, str | os.PathLike) and _PATH in words(hint) and not _can_be_a_path(value):
                raise ArgumentError(f"{name} has characters that no path has (got {short_repr(value)})")
        return function(*bound.args, **bound.kwargs)

    return call


def fits(value: Any, hint: Any) -> bool:
    """Whether a value is of an annotated type.

    >>> fits(3, int | None), fits(True, int), fits(["a", 3], Iterable[str])
    (True, False, False)
    """
    origin, parameters = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return any(fits(value, each) for each in parameters)
    if origin is Literal:
        return any(isinstance(value, type(each)) and value == each for each in parameters)
    if hint is None or hint is types.NoneType:
        return value is None
    if hint is bool:
        return isinstance(value, bool)
    if hint in (int, float):
        return isinstance(value, Integral if hint is int else Real) and not isinstance(value, bool)
    kind = origin or hint
    if not isinstance(kind, type) or kind in (Any, object):  # or a type variable
        return True
    if kind is Callable:
        return callable(value)
    if issubclass(kind, Mapping):
        return isinstance(value, Mapping) and (
            not parameters or all(fits(k, parameters[0]) and fits(v, parameters[1]) for k, v in value.items())
        )
    if origin is not None and _is_several(kind):
        return _all_fit(value, kind, parameters)
    if getattr(kind, "_is_protocol", False) and not getattr(kind, "_is_runtime_protocol", False):
        return True
    return isinstance(value, kind)


def words(hint: Any) -> str:
    """An annotated type in words.

    >>> words(str | os.PathLike[str] | None), words(Mapping[str, int]), words(Literal["a", "b"])
    ('a path or None', 'a mapping of a text to a whole number', "'a' or 'b'")
    """
    origin, parameters = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        names = list(dict.fromkeys(words(each) for each in parameters))
        if _PATH in names and _WORDS[str] in names:
            names.remove(_WORDS[str])
        return _either(names)
    if origin is Literal:
        return _either([repr(each) for each in parameters])
    kind = origin or hint
    if kind in _WORDS:
        return _WORDS[kind]
    if not isinstance(kind, type):
        return str(hint)
    if issubclass(kind, Path):
        return "a pathlib.Path"
    if issubclass(kind, os.PathLike):
        return _PATH
    if issubclass(kind, Mapping):
        return f"a mapping of {words(parameters[0])} to {words(parameters[1])}" if parameters else "a mapping"
    if origin is not None and _is_several(kind):
        items = [each for each in parameters if each is not Ellipsis]
        if kind is tuple and Ellipsis not in parameters:
            return f"{len(items)} items: {', '.join(words(each) for each in items)}"
        return "a list" if not items or items[0] in (Any, object) else f"a list (each {words(items[0])})"
    return f"{'an' if kind.__name__[0] in 'AEIOU' else 'a'} {kind.__name__}"


def _plain(value: Any, hint: Any) -> Any:
    kind = type(value)
    if kind.__module__ == "numpy" and (isinstance(value, Real) or kind.__name__ in ("bool", "bool_")):
        return value.item()  # JSON has no values of NumPy
    if kind.__module__ == "torch" and kind.__name__ in ("device", "dtype") and not fits(value, hint) and fits("", hint):
        return str(value).removeprefix("torch.")
    if _wants_collection(hint) and not fits(value, hint):
        return _without_tensors(value)
    return value


def _without_tensors(value: Any) -> Any:
    """Lists and numbers in the place of tensors of PyTorch, which are no numbers for Python, however short."""
    if isinstance(value, list | tuple):
        return type(value)(map(_without_tensors, value)) if type(value) in (list, tuple) else value
    is_tensor = type(value).__module__.startswith("torch") and hasattr(value, "detach") and hasattr(value, "tolist")
    return value.tolist() if is_tensor else value


def _can_be_a_path(value: str | os.PathLike[str]) -> bool:
    """False for NUL and for half surrogates, except those that stand for bytes of a name that is no UTF-8."""
    try:
        return b"\0" not in os.fsencode(value)
    except UnicodeEncodeError:
        return False


def _either(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def _is_several(kind: type) -> bool:
    return issubclass(kind, Iterable) and not issubclass(kind, str | bytes | os.PathLike)


def _all_fit(value: Any, kind: type, parameters: tuple[Any, ...]) -> bool:
    if isinstance(value, str | bytes | bytearray) or not isinstance(value, Iterable):
        return False
    if isinstance(value, Mapping) and not isinstance(value, kind):  # its keys are an iterable, and no sequence
        return False
    if isinstance(value, Iterator):
        return isinstance(value, kind)  # nothing may be read of it here
    if not isinstance(value, Collection) or getattr(value, "ndim", 1) == 0:
        return kind is Iterable and not hasattr(value, "ndim")
    if kind is tuple and parameters and Ellipsis not in parameters:
        return len(value) == len(parameters) and all(map(fits, value, parameters))
    return not parameters or all(fits(item, parameters[0]) for item in value)


def _wants_collection(hint: Any) -> bool:
    return any(
        isinstance(kind := get_origin(each) or each, type) and issubclass(kind, Collection) and _is_several(kind)
        for each in (get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,))
    )
