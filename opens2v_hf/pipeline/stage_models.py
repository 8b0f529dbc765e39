"""The models of stages: named by their role, or given as objects; in one process each is loaded once."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from opens2v_hf._util.console import hide_bars
from opens2v_hf.errors import ArgumentError
from opens2v_hf.models.endpoint.budget import Budget
from opens2v_hf.models.info import ModelInfo
from opens2v_hf.models.roles import ModelChoice, check_models, load_model

_shared: dict[str, Any] = {}
_hides_bars = False


def hide_bars_of_weights() -> None:
    """Show no progress bars while stages load weights, from now on in this process."""
    global _hides_bars
    _hides_bars = True
    # else before a model is loaded: a build without models need not wait half a second for the import
    if "transformers" in sys.modules:
        hide_bars(downloads=False)


class StageModel:
    """A model of a stage, loaded at its first use.

    Stages that name the same model with the same arguments share it. What is named can be sent to another process.

    Args:
        role: of `opens2v_hf.models.roles.ROLES`.
        given: a name (Hub id, folder, "embedded", and what else the role knows), a dict of "name" and loading arguments
            (revision, device, dtype ...), a `ModelChoice`, or the model itself.

    Raises:
        ArgumentError: a dict without a name.
    """

    def __init__(self, role: str, given: Any) -> None:
        self._role = role
        self._model: Any = None
        self._choice: ModelChoice | None = None
        if isinstance(given, str | os.PathLike):
            self._choice = ModelChoice(given)
        elif isinstance(given, ModelChoice):
            self._choice = given
        elif isinstance(given, Mapping):
            if not isinstance(given.get("name"), str | os.PathLike):
                raise ArgumentError(f"the {role} is named by a dict with a 'name' (got the keys {sorted(given)})")
            self._choice = ModelChoice(given["name"], {key: given[key] for key in given if key != "name"})
        else:
            self._model = given

    def get(self) -> Any:
        """The model.

        Raises:
            ArgumentError: an argument of loading has a value that cannot be used.
            ModelError: it cannot be loaded.
        """
        if self._model is None and self._choice is not None:
            arguments = json.dumps(dict(self._choice.arguments), sort_keys=True, default=str)
            key = f"{self._role} {os.fspath(self._choice.name)} {arguments}"
            if key not in _shared:
                if _hides_bars:
                    hide_bars(downloads=False)
                _shared[key] = load_model(self._role, self._choice)
            self._model = _shared[key]
        return self._model

    @property
    def to_load(self) -> tuple[str, ModelChoice] | None:
        """Role and choice of a model that is named and not loaded yet."""
        return None if self._choice is None or self._model is not None else (self._role, self._choice)

    @property
    def wants_gpu(self) -> bool:
        """Whether it is to be loaded on a GPU."""
        return self._choice is not None and str(self._choice.arguments.get("device", "")).startswith("cuda")

    def facts(self) -> dict[str, Any]:
        """Which model it is, JSON-compatible: by its name before it is loaded, and by its weights after."""
        info = getattr(self._model, "info", None)
        if isinstance(info, ModelInfo):
            found = {key: value for key, value in info.to_dict().items() if key not in ("role", "device")}
            options = getattr(self._model, "options", None)
            return found | ({"options": dict(options)} if isinstance(options, Mapping) else {})
        if self._choice is not None:
            return {"name": os.fspath(self._choice.name)}
        return {"name": type(self._model).__name__}

    def usage(self) -> dict[str, int]:
        """Requests and tokens of its endpoint in this process, see `Budget.usage`; empty for a model that runs here."""
        budget = getattr(self._model, "budget", None)
        return budget.usage if isinstance(budget, Budget) else {}

    def __getstate__(self) -> dict[str, Any]:
        """Without the loaded model, where it can be loaded again."""
        return self.__dict__ | ({} if self._choice is None else {"_model": None})


def forget_endpoints() -> None:
    """Let the next build in this process make new clients: those of the last may have stopped, or hold another key."""
    for key in [key for key, model in _shared.items() if isinstance(getattr(model, "budget", None), Budget)]:
        del _shared[key]


def check_stage_models(stages: Iterable[object]) -> None:
    """Check that the models that stages name can be loaded, before the first is: it may take minutes.

    Raises:
        OpenS2VError: see `check_models`.
    """
    named: dict[str, ModelChoice] = {}
    for stage in stages:
        for model in getattr(stage, "__dict__", {}).values():
            if isinstance(model, StageModel) and model.to_load is not None:
                named.setdefault(*model.to_load)
    check_models(named)


def on_gpu(*models: StageModel | None) -> float:
    """The devices that one worker with these models takes, for `Resources.gpus`."""
    return float(any(model is not None and model.wants_gpu for model in models))
