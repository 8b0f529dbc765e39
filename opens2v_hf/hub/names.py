"""Bare names: `load_dataset("opens2v-eval")` and `evaluate.load("gmescore")` once `opens2v_hf` is imported.

Neither library has a way for an installed package to serve names of its own, so the function with which each finds
the module behind a name is wrapped. Any other name, a local folder of the same name (it wins,
as in both libraries, with a warning) and a metric at a revision are left to the library.

Neither library is imported here: a module that is already imported is wrapped at once, others on import.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import re
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from opens2v_hf._version import __version__
from opens2v_hf.errors import ArgumentError
from opens2v_hf.hub.folders import hub_folder

DATASET_BUILDERS = {
    "opens2v-5m": "opens2v_hf.data.opens2v5m.builder",
    "opens2v-eval": "opens2v_hf.data.benchmark.builder",
}
"""Bare name of a dataset -> the module that holds its builder."""

METRICS_PACKAGE = "opens2v_hf.hub.metric_modules"

_METRIC_NAME = re.compile(r"[a-z][a-z0-9_]*")
_MARK = "_serves_names_of_opens2v_hf"


def install() -> None:
    """Make the bare names work, in any order of imports; calling it again changes nothing."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
    for name in _WRAPPERS:
        if name in sys.modules:
            _wrap(sys.modules[name])


def metric_script(name: str) -> Path | None:
    """The script of the metric with that bare name; None if this package has no such metric."""
    if not _METRIC_NAME.fullmatch(name):
        return None
    try:
        script = hub_folder("metrics", name) / f"{name}.py"
    except ArgumentError:
        return None
    return script if script.is_file() else None


def _serving_datasets(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def dataset_module_factory(path: str, revision: Any = None, *args: Any, **kwargs: Any) -> Any:
        if path not in DATASET_BUILDERS:
            return original(path, revision, *args, **kwargs)
        if os.path.isdir(path):
            _warn_of_folder(path, "dataset")
            try:
                return original(path, revision, *args, **kwargs)
            except Exception as error:
                raise ArgumentError(
                    f"{_shadowed(path, 'dataset')}. `datasets` finds no dataset in it: {error}"
                ) from error
        from datasets.load import DatasetModule

        builder_kwargs = {"dataset_name": path}
        if revision is not None:
            builder_kwargs["revision"] = str(revision)
        module = DATASET_BUILDERS[path]
        return DatasetModule(module, _hash_of_package_folder(module), builder_kwargs)

    return dataset_module_factory


def _serving_metrics(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def evaluation_module_factory(
        path: str, module_type: Any = None, revision: Any = None, *args: Any, **kwargs: Any
    ) -> Any:
        script = metric_script(path)
        if script is not None and revision is None and os.path.isfile(os.path.join(path, script.name)):
            _warn_of_folder(path, "metric")
            return original(path, module_type, revision, *args, **kwargs)
        if script is None or revision is not None:
            return original(path, module_type, revision, *args, **kwargs)
        from evaluate.loading import ImportableModule

        return ImportableModule(f"{METRICS_PACKAGE}.{path}.{path}", _hash_of_sources(script.parent))

    return evaluation_module_factory


def _shadowed(name: str, kind: str) -> str:
    return (
        f"the folder {os.path.abspath(name)} is taken for the {kind} {name!r}, because it has that name and is in "
        f"the working folder; rename it or run elsewhere to load the {kind} of opens2v-hf, or write './{name}' to say "
        "that it is meant"
    )


def _warn_of_folder(name: str, kind: str) -> None:
    warnings.warn(_shadowed(name, kind), UserWarning, stacklevel=4)


_WRAPPERS: dict[str, tuple[str, Callable[[Callable[..., Any]], Callable[..., Any]]]] = {
    "datasets.load": ("dataset_module_factory", _serving_datasets),
    "datasets.inspect": ("dataset_module_factory", _serving_datasets),
    "evaluate.loading": ("evaluation_module_factory", _serving_metrics),
    "evaluate.inspect": ("evaluation_module_factory", _serving_metrics),
    "evaluate.evaluation_suite": ("evaluation_module_factory", _serving_metrics),
}


def _wrap(module: ModuleType) -> None:
    attribute, serving = _WRAPPERS[module.__name__]
    original = getattr(module, attribute, None)
    if original is None:
        warnings.warn(
            f"opens2v_hf cannot serve its bare names through this release of {module.__name__.split('.')[0]} "
            f"({module.__name__} has no {attribute}); load datasets and metrics by path or Hub id instead",
            RuntimeWarning,
            stacklevel=2,
        )
    elif not hasattr(original, _MARK):
        wrapped = serving(original)
        setattr(wrapped, _MARK, True)
        setattr(module, attribute, wrapped)


class _Finder(importlib.abc.MetaPathFinder):
    """Delegates to the other finders, and wraps the modules of `_WRAPPERS` after their execution."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname not in _WRAPPERS:
            return None
        for finder in sys.meta_path:
            spec = None if isinstance(finder, _Finder) else finder.find_spec(fullname, path, target)
            if spec is not None:
                if spec.loader is not None:
                    spec.loader = _WrappingLoader(spec.loader)
                return spec
        return None


class _WrappingLoader(importlib.abc.Loader):
    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        # Restore the module's own loader, from which tools get sources and resources.
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        _wrap(module)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)


def _hash_of_package_folder(module: str) -> str:
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise ArgumentError(f"this installation of opens2v-hf lacks the module {module}")
    return _hash_of_sources(Path(spec.origin).parent)


@functools.cache
def _hash_of_sources(folder: Path) -> str:
    """For the names of caches, which must change with the code that fills them."""
    digest = hashlib.sha256(__version__.encode())
    for script in sorted(folder.glob("[!.]*.py")):
        digest.update(script.name.encode())
        digest.update(script.read_bytes())
    return digest.hexdigest()
