"""Loading of judges by name."""

from __future__ import annotations

import os
import time
import warnings
from typing import Any

from opens2v_hf.errors import ArgumentError
from opens2v_hf.models.endpoint.engine_names import ENDPOINT_PREFIX, EngineName, check_vllm, engine_name
from opens2v_hf.models.endpoint.lifetimes import ShutdownWarning
from opens2v_hf.models.endpoint.options import known_options
from opens2v_hf.models.judge.base import Judge
from opens2v_hf.models.judge.batched import BatchedJudge
from opens2v_hf.models.judge.editions import SHA256, judge_edition, load_edition
from opens2v_hf.models.judge.endpoint import EndpointJudge
from opens2v_hf.models.judge.served import ServedJudge
from opens2v_hf.models.roles import ROLES


def load_judge(
    judge: str | os.PathLike[str] = ROLES["judge"].released,
    *,
    revision: str | None = None,
    batch: str | os.PathLike[str] | None = None,
    **options: Any,
) -> Judge:
    """Load a judge by name.

    Args:
        judge: "openai:<model>" for an OpenAI-compatible endpoint; "naturalscore-open-1" for a frozen judge, which runs
            here or, with `base_url`, behind a server; "vllm:http://host:port/<model>" or "sglang:http://host:port/<model>"
            for a model that such a server runs, and "vllm:<model>" for one in vLLM in this process, where <model> is a
            Hub id, a folder or "naturalscore-open-1"; else a vision-language model to run here: a Hub id, a folder, or
            "embedded".
        revision: of a Hub repo; see `load_edition` for that of a frozen judge.
        batch: folder for batches: an endpoint is then asked for all videos at once, for half the price and within a
            day, where whole runs are scored (`opens2v score`).
        **options: of `EndpointOptions` or of `LocalJudge.from_pretrained`; of vLLM in this process also those of
            `vllm.LLM`.

    Raises:
        ArgumentError: an option does not belong to this kind of judge, or has no usable value.
        ModelError: a local model cannot be loaded, or a model's maker has shut it down.
        MissingDependencyError: vLLM is not installed.
    """
    name = os.fspath(judge)
    if name.startswith(ENDPOINT_PREFIX):
        endpoint = _endpoint_judge(name, revision, options)
        return endpoint if batch is None else BatchedJudge(endpoint, batch, sleep=time.sleep)
    if batch is not None:
        raise ArgumentError(
            f"batches are for a judge behind an endpoint ({ENDPOINT_PREFIX}<model>), not {name!r}; leave `batch` out"
        )
    if engine := engine_name(name):
        return _judge_in_engine(engine, revision, options)
    if name in SHA256:
        return load_edition(judge_edition(name), revision=revision, **options)
    # imported here, so that asking an endpoint needs no torch
    from opens2v_hf.models.judge.local import LocalJudge

    _refuse_options_of_endpoints(name, options)
    return LocalJudge.from_pretrained(name, revision=revision, **options)


def check_judge(
    judge: str | os.PathLike[str] = ROLES["judge"].released,
    *,
    revision: str | None = None,
    batch: str | os.PathLike[str] | None = None,
    **options: Any,
) -> None:
    """Raise what `load_judge` would raise for a judge behind an endpoint or in an engine; nothing is asked or loaded.

    Raises:
        ArgumentError: an option has no usable value, or the key is missing.
        ModelError: the model's maker has shut it down.
        MissingDependencyError: vLLM is not installed.
    """
    name = os.fspath(judge)
    if engine := engine_name(name):
        if engine.server is not None:
            _judge_in_engine(engine, revision, options)
            return
        _refuse_options_of_endpoints(name, options)
        check_vllm(name)
    if name.startswith(ENDPOINT_PREFIX):
        with warnings.catch_warnings():  # the judge that is loaded afterwards warns
            warnings.simplefilter("ignore", ShutdownWarning)
            _endpoint_judge(name, revision, options)
    if name in SHA256 and options.get("base_url") is not None:
        load_edition(judge_edition(name), revision=revision, **options)


def _judge_in_engine(name: EngineName, revision: str | None, options: dict[str, Any]) -> Judge:
    if name.server is not None:
        if revision is not None:
            raise ArgumentError(f"a judge on a server has no revision (got {revision=}); name it when you start it")
        return ServedJudge(name, **options)
    shown = f"{name.engine}:{name.model}"
    _refuse_options_of_endpoints(shown, options)
    check_vllm(shown)
    if name.model in SHA256:
        return load_edition(judge_edition(name.model), revision=revision, engine=name.engine, **options)
    from opens2v_hf.models.judge.vllm import load_vllm_judge

    return load_vllm_judge(name, revision=revision, **options)


def _refuse_options_of_endpoints(name: str, options: dict[str, Any]) -> None:
    if foreign := sorted(set(options) & set(known_options())):
        raise ArgumentError(
            f"{', '.join(foreign)} belong to a judge behind an endpoint ({ENDPOINT_PREFIX}<model>), and {name!r} runs "
            "here"
        )


def _endpoint_judge(name: str, revision: str | None, options: dict[str, Any]) -> EndpointJudge:
    if revision is not None:
        raise ArgumentError(f"a judge behind an endpoint has no revision (got {revision=}); name the model's version")
    return EndpointJudge(name, **options)
