"""Python of pages that is not run: whether its imports resolve and its calls fit what they call."""

from __future__ import annotations

import ast
import importlib
import inspect
import types
import typing
from pathlib import Path
from typing import Any

from opens2v_hf.metrics.arguments import NEEDS, arguments_of, judge_arguments

_UNKNOWN = object()


class Checker:
    """Follows names through a piece of code as far as they lead to things that can be imported.

    Args:
        root: of the project, where the scripts of the metrics lie.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._names: dict[str, Any] = {}
        self.num_calls = 0

    def check(self, code: str) -> None:
        """Raise where something named does not exist, or a call has arguments that its function does not take.

        Raises:
            SyntaxError: it is no Python.
            ImportError, AttributeError: a name does not exist.
            TypeError: a call does not fit.
        """
        for node in ast.parse(code).body:
            self._statement(node)

    def _statement(self, node: ast.stmt) -> None:
        for part in ast.walk(node):
            if isinstance(part, ast.Import):
                for alias in part.names:
                    module = importlib.import_module(alias.name)
                    top = alias.name.split(".")[0]
                    self._names[alias.asname or top] = module if alias.asname else importlib.import_module(top)
            elif isinstance(part, ast.ImportFrom):
                module = importlib.import_module(str(part.module))
                for alias in part.names:
                    self._names[alias.asname or alias.name] = getattr(module, alias.name)
        for part in ast.walk(node):
            if isinstance(part, ast.Call):
                self._check_call(part)
            elif isinstance(part, ast.Attribute):
                self._value(part)
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            self._names[node.targets[0].id] = self._value(node.value)

    def _check_call(self, call: ast.Call) -> None:
        function = self._value(call.func)
        if function is _UNKNOWN or any(isinstance(a, ast.Starred) for a in call.args):
            return
        given = [keyword.arg for keyword in call.keywords]
        if None in given:
            return
        try:
            signature = inspect.signature(function)
        except ValueError:  # written in C
            return
        positional = [None for a in call.args if not (isinstance(a, ast.Constant) and a.value is ...)]  # "and so on"
        try:
            signature.bind_partial(*positional, **dict.fromkeys(map(str, given)))
        except TypeError as error:
            raise TypeError(f"{ast.unparse(call.func)}: {error}") from error
        self.num_calls += 1

    def _value(self, node: ast.expr) -> Any:
        """What an expression is; an instance is stood for by its class in a one-tuple."""
        if isinstance(node, ast.Name):
            return self._names.get(node.id, _UNKNOWN)
        if isinstance(node, ast.Attribute):
            return self._attribute(self._value(node.value), node.attr)
        if isinstance(node, ast.Call):
            return self._result(self._value(node.func), node)
        return _UNKNOWN

    def _attribute(self, owner: Any, name: str) -> Any:
        if owner is _UNKNOWN:
            return _UNKNOWN
        if not isinstance(owner, tuple):
            return getattr(owner, name)
        (cls,) = owner
        if not hasattr(cls, name):
            if any(name in inspect.get_annotations(base) for base in cls.__mro__):
                return _UNKNOWN
            raise AttributeError(f"{cls.__name__} has no {name}")
        found = inspect.getattr_static(cls, name)
        return found.__get__(object(), cls) if isinstance(found, types.FunctionType) else _UNKNOWN

    def _result(self, function: Any, call: ast.Call) -> Any:
        if function is _UNKNOWN:
            return _UNKNOWN
        if getattr(function, "__module__", "").startswith("evaluate") and getattr(function, "__name__", "") == "load":
            return self._metric(call)
        if inspect.isclass(function):
            return (function,)
        try:
            hint = typing.get_type_hints(function).get("return")
        except (NameError, TypeError):
            return _UNKNOWN
        return (hint,) if inspect.isclass(hint) and hint.__module__.startswith("opens2v_hf") else _UNKNOWN

    def _metric(self, call: ast.Call) -> Any:
        """A metric of this project, with the arguments that its script computes with."""
        (name,) = (argument.value for argument in call.args if isinstance(argument, ast.Constant))
        name = str(name).rsplit("/", 1)[-1]
        names = ["predictions", *(["references"] if name in NEEDS else []), *arguments_of(name)]
        names += sorted(judge_arguments() - set(names)) if name == "naturalscore" else []
        parameters = [inspect.Parameter(each, inspect.Parameter.KEYWORD_ONLY, default=None) for each in names]

        def compute_of_script(self: Any, **given: Any) -> dict[str, Any]:
            raise NotImplementedError(given)

        compute_of_script.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD), *parameters]
        )
        return (type(name, (), {"compute": compute_of_script}),)
