"""`--option NAME.KEY=VALUE`: options of metrics and arguments of loading models."""

from __future__ import annotations

import difflib
import importlib
import inspect
import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

from opens2v_hf.errors import ArgumentError

_NOT_IN_WORDS = frozenset({"api_key"})
_FOR_CALLERS = frozenset({"role", "sleep", "batch"})  # of Python; the command line has --judge-batch

_EMBEDDERS = (
    ("opens2v_hf.models.gme", "GmeEmbedder.from_pretrained"),
    ("opens2v_hf.models.embedding_server", "ServerEngine"),
)
_BEHIND = {
    "judge": (("opens2v_hf.models.judge.local", "LocalJudge.from_pretrained"),),
    "embedder": _EMBEDDERS,
    "subject_embedder": _EMBEDDERS,
    "face_detector": (("opens2v_hf.models.faces.insightface_detector", "InsightFaceDetector.from_pretrained"),),
}
"""Role to further loaders that get the arguments of the role's own loader."""

_IN_VLLM = ("judge", "embedder", "subject_embedder")
"""Roles whose models vLLM can run in this process."""
_OF_TRANSFORMERS = ("attn_implementation", "device_map", "max_memory", "quantization_config")
"""Arguments of `from_pretrained` of transformers that can be given on a command line."""


def parse_options(
    words: Iterable[str], metrics: Sequence[str]
) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]]]:
    """The options of metrics and the loading arguments of roles.

    Args:
        words: of `--option`, each NAME.KEY=VALUE; a value that is JSON is parsed, any other is text.
        metrics: names of the metrics of the run.

    Returns:
        Metric to its options, and role to arguments of loading its model.

    Raises:
        ArgumentError: a word has another form, or a name is unknown; the message has the nearest names.
    """
    from opens2v_hf.metrics.registry import METRICS
    from opens2v_hf.models.roles import ROLES

    known = {name: METRICS[name] for name in metrics if name in METRICS}
    roles = list(dict.fromkeys(role for entry in known.values() for role in entry.roles))
    options: dict[str, dict[str, Any]] = {}
    loading: dict[str, dict[str, Any]] = {}
    for word in words:
        name, key, value = split_option(word, "NAME.KEY=VALUE, e.g. nexusscore.box_threshold=0.5 or judge.timeout_s=60")
        if key in options.get(name, {}) or key in loading.get(name, {}):
            raise ArgumentError(f"--option {name}.{key} is given twice")
        if key in _NOT_IN_WORDS:  # other users of a machine can read command lines
            raise ArgumentError(
                f"{key} does not belong on a command line; set the environment variable OPENAI_API_KEY, or "
                "VLLM_API_KEY or SGLANG_API_KEY of an engine"
            )
        if name in known:
            _check_key(word, name, key, known[name].options)
            options.setdefault(name, {})[key] = value
        elif name in roles:
            _check_key(word, name, key, _loading_arguments(name))
            loading.setdefault(name, {})[key] = value
        elif name in METRICS or name in ROLES:
            raise ArgumentError(f"--option {word}: no metric of this run uses {name} (metrics: {', '.join(metrics)})")
        else:
            raise ArgumentError(
                f"--option {word}: there is no metric or role {name!r}; {_near(name, [*known, *roles])}"
            )
    return options, loading


def split_option(word: str, form: str) -> tuple[str, str, Any]:
    """Name, key and value of an `--option`; a value that is JSON is parsed.

    Args:
        word: as the user gives it.
        form: that it must have, for the message.

    Raises:
        ArgumentError: it has another form.
    """
    left, equals, text = word.partition("=")
    name, dot, key = left.partition(".")
    if not (equals and dot and name and key):
        raise ArgumentError(f"--option must be {form} (got {word!r})")
    value: Any = text
    with suppress(ValueError, RecursionError):
        value = json.loads(text)
    return name.strip().replace("-", "_"), key.strip().replace("-", "_"), value


def _check_key(word: str, name: str, key: str, known: Sequence[str]) -> None:
    if key not in known:
        raise ArgumentError(f"--option {word}: {name} has no option {key!r}; {_near(key, known)}")


def _loading_arguments(role: str) -> list[str]:
    """Names of the arguments of loading a role's model, for all kinds of models of that role."""
    from opens2v_hf.models.endpoint.engine_names import VLLM_ARGUMENTS
    from opens2v_hf.models.endpoint.options import known_options
    from opens2v_hf.models.roles import ROLES

    names = dict.fromkeys(known_options() if role == "judge" else ())
    for module, attribute in (ROLES[role].loader, *_BEHIND.get(role, ())):
        function: Any = importlib.import_module(module)
        for part in attribute.split("."):
            function = getattr(function, part)
        for parameter in inspect.signature(function).parameters.values():
            if parameter.kind is parameter.KEYWORD_ONLY:
                names[parameter.name] = None
            elif parameter.kind is parameter.VAR_KEYWORD and parameter.name == "model_kwargs":
                names |= dict.fromkeys(_OF_TRANSFORMERS)
    if role in _IN_VLLM:
        names |= dict.fromkeys(VLLM_ARGUMENTS)
    return [name for name in names if name not in _NOT_IN_WORDS | _FOR_CALLERS]


def _near(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=3)
    return f"did you mean {' or '.join(near)}?" if near else f"there are: {', '.join(known) or 'none'}"
