"""A Python function or class as a generator: `python:module:name` or `python:file.py:name`."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from opens2v_hf._util.foreign_code import ends_as_errors
from opens2v_hf._util.numbers import is_whole
from opens2v_hf.errors import ArgumentError, GenerationError, OpenS2VError
from opens2v_hf.generators.recipe import Recipe
from opens2v_hf.generators.request import Generated, GeneratorInfo, Progress, Request


class FunctionGenerator:
    """Wraps a function of one `Request` that returns frames, the path of a video, or a `Generated`.

    Args:
        function: called once for each video.
        name: as results show it; the function's own by default.
        revision: of its code or weights, for the record and the key of the videos; by default the attribute `revision`
            of the function. Without one, changed code does not make new videos.
    """

    def __init__(self, function: Callable[[Request], Any], *, name: str | None = None, revision: str | None = None):
        self._function = function
        self._name = name or f"{function.__module__}:{getattr(function, '__qualname__', type(function).__qualname__)}"
        self._revision = revision

    @property
    def info(self) -> GeneratorInfo:
        """The generator of the videos."""
        return GeneratorInfo(kind="python", name=self._name, revision=self._revision)

    @property
    def recipe(self) -> Recipe:
        """The attribute `recipe` of the function; by default only a frame rate of 16."""
        found = getattr(self._function, "recipe", Recipe(fps=16))
        if not isinstance(found, Recipe):
            raise ArgumentError(f"recipe of {self._name} must be a Recipe (got {type(found).__name__})")
        return found

    @property
    def max_references(self) -> int | None:
        """The attribute `max_references` of the function; by default any number."""
        found = getattr(self._function, "max_references", None)
        _check_limit(found, self._name)
        return found

    def generate(self, request: Request, progress: Progress | None = None) -> Generated:
        """Call the function.

        Raises:
            GenerationError: the function raised, or returned neither frames nor a video.
        """
        try:
            with ends_as_errors():
                made = self._function(request)
        except OpenS2VError:
            raise
        except Exception as error:
            raise GenerationError(f"{self._name} raised {type(error).__name__}: {error}") from error
        if isinstance(made, Generated):
            return made
        if isinstance(made, str | Path):
            try:
                return Generated(video=Path(made).read_bytes())
            except OSError as error:
                raise GenerationError(f"{self._name} returned a path that cannot be read: {error}") from error
        if hasattr(made, "cpu"):
            made = made.cpu().numpy()
        try:
            return Generated(
                frames=np.asarray(made) if isinstance(made, np.ndarray) else np.stack(list(map(np.asarray, made)))
            )
        except (TypeError, ValueError) as error:
            raise GenerationError(
                f"{self._name} must return frames [T, H, W, 3], the path of a video, or a Generated "
                f"(got {type(made).__name__})"
            ) from error

    def close(self) -> None:
        """Call the `close` of the function, if it has one."""
        if callable(close := getattr(self._function, "close", None)):
            close()


def load_function(spec: str) -> Any:
    """The generator that `module:name` or `file.py:name` names; a class is called without arguments.

    Returns:
        An object with a method `generate` itself, a function wrapped in `FunctionGenerator`.

    Raises:
        ArgumentError: there is no such module, file or name, or it fails on import.
    """
    where, _, attribute = spec.rpartition(":")
    if not where or not attribute:
        raise ArgumentError(f"a Python generator is named module:function or file.py:function (got {spec!r})")
    module, revision = _import(where)
    found: Any = module
    for part in attribute.split("."):
        found = getattr(found, part, None)
    if found is None:
        raise ArgumentError(f"{where!r} has no {attribute!r}")
    return as_generator(found, name=spec, revision=revision)


def as_generator(found: Any, *, name: str | None = None, revision: str | None = None) -> Any:
    """An object, a function or a class as a generator.

    Args:
        found: a function of one `Request`; a generator; or a class of one, which is called without arguments.
        name: of a function, as results show it.
        revision: of its code.

    Raises:
        ArgumentError: it is none of these, or the class raises.
    """
    what = name or getattr(found, "__qualname__", type(found).__qualname__)
    if hasattr(found, "save_pretrained"):
        raise ArgumentError(
            f"a loaded {type(found).__name__} is not a generator: give the Hub id or folder that it was loaded from, "
            "or a function of one Request that calls it"
        )
    try:
        with ends_as_errors():
            made = found() if inspect.isclass(found) else found
    except Exception as error:
        raise ArgumentError(f"{what}() raised {type(error).__name__}: {error}") from error
    if hasattr(made, "generate"):
        _check_attributes(made, str(what))
        return made
    if not callable(made):
        raise ArgumentError(f"a model must be a name, a function or a generator (got {what} of {type(made).__name__})")
    revision = revision or getattr(made, "revision", None)
    if revision is not None and not isinstance(revision, str):
        raise ArgumentError(f"revision of {what} must be a text (got {revision!r:.80})")
    return FunctionGenerator(made, name=name, revision=revision)


def _check_attributes(made: Any, what: str) -> None:
    """Refuse an object that is not a `Generator`."""
    missing = [each for each in ("info", "recipe", "max_references", "close") if not hasattr(made, each)]
    if missing:
        raise ArgumentError(f"{what} has a method `generate` and lacks {', '.join(missing)}; see generators.Generator")
    if not callable(made.generate) or not callable(made.close):
        raise ArgumentError(f"`generate` and `close` of {what} must be methods; see generators.Generator")
    for name, kind in (("info", GeneratorInfo), ("recipe", Recipe)):
        if not isinstance(found := getattr(made, name), kind):
            raise ArgumentError(f"{name} of {what} must be a {kind.__name__} (got {type(found).__name__})")
    _check_limit(made.max_references, what)


def _check_limit(limit: Any, what: str) -> None:
    if limit is not None and not is_whole(limit, 1):
        raise ArgumentError(
            f"max_references of {what} must be a whole number of at least 1, or None (got {limit!r:.80})"
        )


def _import(where: str) -> tuple[Any, str | None]:
    try:
        with ends_as_errors():
            if not where.endswith(".py"):
                return importlib.import_module(where), None
            path = Path(where).resolve()
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            spec = importlib.util.spec_from_file_location(f"opens2v_generator_{digest[:12]}", path)
            if spec is None or spec.loader is None:
                raise ImportError(f"{where} is not a Python file")
            module = importlib.util.module_from_spec(spec)
            sys.modules[spec.name] = module
            spec.loader.exec_module(module)
    except Exception as error:
        hint = "" if where.endswith(".py") else "; name an installed module, or a file that ends in .py"
        raise ArgumentError(f"cannot import {where!r}: {type(error).__name__}: {error}{hint}") from error
    return module, f"sha256:{digest}"
