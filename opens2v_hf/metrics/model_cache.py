"""Models that an evaluate module keeps loaded from one `compute()` to the next, and how they are chosen."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from opens2v_hf.errors import ArgumentError
from opens2v_hf.models.endpoint.engine_names import runs_elsewhere
from opens2v_hf.models.info import EMBEDDED
from opens2v_hf.models.roles import ROLES, ModelChoice, check_models, load_model


class ModelCache:
    """At most one model for each role, cached while the name and the arguments that choose it stay the same.

    A judge behind an endpoint is created for each computation, since its budget and its key belong to one.
    """

    def __init__(self) -> None:
        self._kept: dict[str, tuple[Any, Any]] = {}

    def get(self, role: str, model: Any, arguments: Mapping[str, Any], *, device: str | None = None) -> Any:
        """The model for a role, loaded where it is not there yet.

        Args:
            role: one of `opens2v_hf.models.roles.ROLES`.
            model: its name, see the role's loader; None for the released one; or a model that is loaded already.
            arguments: of loading; None for the default.
            device: of models that are loaded here; says nothing about one that is loaded already.

        Raises:
            ArgumentError: there are arguments of loading for a loaded model, or one has a value that cannot be used.
            ModelError: the model cannot be loaded.
        """
        given = {name: value for name, value in arguments.items() if value is not None}
        if model is not None and not isinstance(model, str | os.PathLike):
            if not hasattr(model, "info"):
                raise ArgumentError(f"{role} must be a Hub id, a folder or a loaded model (got {type(model).__name__})")
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


def choose(roles: Sequence[str], models: str | Mapping[str, Any] | None) -> dict[str, Any]:
    """The model for each role: the one that is named or given for it, or the released one.

    Args:
        roles: that are needed.
        models: "embedded" for the small models throughout, or role to model: a name, a `ModelChoice` with arguments of
            loading, or a loaded model.

    Raises:
        ArgumentError: `models` is neither, or names a role that is not needed.
    """
    if models is not None and models != EMBEDDED and not isinstance(models, Mapping):
        raise ArgumentError(f"metric_models must be 'embedded' or a mapping of role to model (got {models!r})")
    given = models if isinstance(models, Mapping) else {}
    if unknown := [role for role in given if role not in roles]:
        raise ArgumentError(f"none of the metrics uses a model {unknown[0]!r}; leave it out")
    default: dict[str, Any] = {role: EMBEDDED if models == EMBEDDED else ROLES[role].released for role in roles}
    return {role: default[role] if given.get(role) is None else given[role] for role in roles}


def load_models(
    kept: ModelCache, choices: Mapping[str, Any], loading: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """The models that were chosen, each loaded where it is not there yet.

    Args:
        kept: models that stay loaded from one call to the next.
        choices: see `choose`.
        loading: role to arguments of loading. Those of a `ModelChoice` go before them. A judge behind an endpoint is
            computed elsewhere and takes neither device nor dtype.

    Raises:
        ArgumentError: an argument of loading is meant for models that are loaded already, all of them; or see
            `ModelCache.get`.
        ModelError: a model cannot be loaded.
    """
    is_loaded = {role: not isinstance(model, str | os.PathLike | ModelChoice) for role, model in choices.items()}
    for role, arguments in loading.items():
        for argument in set(arguments) - {"device"}:
            if all(is_loaded[other] for other in choices if argument in loading.get(other, ())):
                raise ArgumentError(f"a loaded {role} takes no {argument}; leave it out")
    requested: dict[str, tuple[Any, dict[str, Any]]] = {}
    for role, choice in choices.items():
        name: Any = choice.name if isinstance(choice, ModelChoice) else choice
        own = choice.arguments if isinstance(choice, ModelChoice) else {}
        arguments = {} if is_loaded[role] else {**loading.get(role, {}), **own}
        if isinstance(name, str) and runs_elsewhere(name):
            arguments = {key: value for key, value in arguments.items() if key not in ("device", "dtype")}
        requested[role] = (name, arguments)
    check_models({role: ModelChoice(*requested[role]) for role in choices if not is_loaded[role]})
    return {
        role: kept.get(role, name, arguments, device=arguments.pop("device", None))
        for role, (name, arguments) in requested.items()
    }
