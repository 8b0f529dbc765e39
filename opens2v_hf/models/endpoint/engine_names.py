"""Names of models that an inference engine runs, such as "vllm:http://host:8000/org/model" and "vllm:org/model".

Importing this module imports no network.
"""

from __future__ import annotations

import importlib.util
import os
from dataclasses import dataclass
from typing import Any

from opens2v_hf._util import processes as launcher
from opens2v_hf.errors import ArgumentError, MissingDependencyError
from opens2v_hf.models.endpoint.address import endpoint_key, endpoint_url

ENDPOINT_PREFIX = "openai:"
"""Starts the name of a model behind an OpenAI-compatible endpoint."""

ENGINES = ("vllm", "sglang")
VLLM_ARGUMENTS = ("gpu_memory_utilization", "max_model_len", "tensor_parallel_size")
"""Arguments of `vllm.LLM` that decide no number; the command line and the metrics' modules take them."""
_SCHEMES = ("http://", "https://")
_OTHER_EMBEDDERS = ("qwen3-vl", "qwen3vl")


@dataclass(frozen=True)
class EngineName:
    """A model, and the engine that runs it.

    Attributes:
        engine: "vllm" or "sglang".
        model: as the engine names it: of a server the name that it serves, else a Hub id or folder.
        server: up to and without "/v1"; None for an engine in this process.
    """

    engine: str
    model: str
    server: str | None = None


def engine_name(name: str | os.PathLike[str]) -> EngineName | None:
    """Read the name of a model; None for one without an engine.

    Raises:
        ArgumentError: it names an engine and has not the form of such a name.

    Example:
        >>> engine_name("vllm:http://127.0.0.1:8000/v1/org/gme")
        EngineName(engine='vllm', model='org/gme', server='http://127.0.0.1:8000')
        >>> engine_name("vllm:org/gme"), engine_name("org/gme")
        (EngineName(engine='vllm', model='org/gme', server=None), None)
    """
    engine, colon, rest = os.fspath(name).partition(":")
    if not colon or engine not in ENGINES:
        return None
    if not rest.lower().startswith(_SCHEMES):
        if engine == "sglang" or not rest.strip():
            raise ArgumentError(
                f"a model of {engine} must be {engine}:http://host:port/<model>"
                f"{' or vllm:<Hub id or folder>' if engine == 'vllm' else ''} (got {os.fspath(name)!r})"
            )
        return EngineName(engine, rest.strip())
    scheme, _, address = rest.partition("://")
    # the part before the last /v1/ may be the path of a proxy
    before, versioned, model = (f"{address}/" if address.endswith("/v1") else address).rpartition("/v1/")
    host, _, path = address.partition("/")
    server, model = (before, model) if versioned else (host, path)
    endpoint_url(f"{scheme}://{server}", "/v1")  # no message shows a URL with credentials
    if not model.strip("/ "):
        raise ArgumentError(f"the name of the model is missing: {engine}:http://host:port/<model> (got {rest!r})")
    return EngineName(engine, model.strip().rstrip("/"), f"{scheme}://{server}")


def runs_elsewhere(name: str | os.PathLike[str]) -> bool:
    """Whether a model runs on a server, which takes neither device nor dtype: an endpoint's or an engine's."""
    if os.fspath(name).startswith(ENDPOINT_PREFIX):
        return True
    found = engine_name(name)
    return found is not None and found.server is not None


def engine_key(engine: str, given: str | None) -> str:
    """The key for an engine's server: the one that is given, else VLLM_API_KEY or SGLANG_API_KEY; "" without one.

    OPENAI_API_KEY is never sent to an engine.
    """
    return endpoint_key(os.environ.get(f"{engine.upper()}_API_KEY", "") if given is None else given)


def check_embedder(model: str | os.PathLike[str], **arguments: Any) -> None:
    """Raise what loading an embedder in an engine would raise before anything is loaded or asked.

    Raises:
        ArgumentError: the engine cannot run it, the key has characters that no key has, or several processes were
            launched for an engine in one.
        MissingDependencyError: vLLM is not installed.
    """
    found = engine_name(model)
    if found is None:
        return
    if any(part in found.model.lower() for part in _OTHER_EMBEDDERS):
        raise ArgumentError(
            f"engines embed by GME's prompt, which {found.model!r} does not have; give {found.model!r} as it is, "
            "to run it through transformers"
        )
    if found.server is not None:
        engine_key(found.engine, arguments.get("api_key"))
    else:
        check_vllm(model)


def check_vllm(model: str | os.PathLike[str]) -> None:
    """Check that vLLM can run in this process.

    Raises:
        ArgumentError: several processes were launched together, and each would start vLLM on the first GPU.
        MissingDependencyError: vLLM is not installed.
    """
    if (count := launcher.num_processes()) > 1:
        raise ArgumentError(
            f"{os.fspath(model)!r} runs in one process, which may use several GPUs (tensor_parallel_size), and {count} "
            "were launched; launch one, or start a server and name it (vllm:http://host:port/<model>)"
        )
    if importlib.util.find_spec("vllm") is None:
        raise MissingDependencyError(
            f"{os.fspath(model)!r} runs in vLLM, which is not installed: pip install vllm; or name a server that runs "
            "it (vllm:http://host:port/<model>)"
        )
