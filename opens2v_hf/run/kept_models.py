"""Models that an evaluate module keeps loaded from one `compute()` to the next."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from opens2v_hf.errors import ArgumentError
from opens2v_hf.run.registry import ROLES, ModelChoice, load_model


class KeptModels:
    """At most one model a role, kept while the name and the arguments that choose it stay the same.

    A judge behind an endpoint is made anew each time: its budget and its key are those of one computation.
    """

    def __init__(self) -> None:
        self._kept: dict[str, tuple[Any, Any]] = {}

    def get(self, role: str, model: Any, arguments: Mapping[str, Any], *, device: str | None = None) -> Any:
        """The model for a role, loaded where it is not there yet.

        Args:
            role: one of `opens2v_hf.run.registry.ROLES`.
            model: its name, see the role's loader; None for the released one; or a model that is loaded already.
            arguments: of loading; None stands for the default.
            device: of models that are loaded here; says nothing about one that is loaded already.

        Raises:
            ArgumentError: there are arguments of loading for a loaded model, or one has a value that cannot be used.
            ModelError: the model cannot be loaded.
        """
        given = {name: value for name, value in arguments.items() if value is not None}
        if model is not None and not isinstance(model, str | os.PathLike):
            if given:
                raise ArgumentError(f"a loaded {role} takes no {', '.join(sorted(given))}; leave them out")
            return model
        if device is not None:
            given["device"] = device
        chosen = (ROLES[role].released if model is None else os.fspath(model), given)
        if role not in self._kept or self._kept[role][0] != chosen:
            # two large models need not fit in memory at once, and one that fails to load leaves none behind
            self._kept.pop(role, None)
            loaded = load_model(role, ModelChoice(*chosen))
            if loaded.info.device is None:
                return loaded
            self._kept[role] = (chosen, loaded)
        return self._kept[role][1]
