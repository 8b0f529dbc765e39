"""From a generator's name to a generator."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from opens2v_hf.errors import ArgumentError, GenerationError
from opens2v_hf.generators.endpoint import EndpointGenerator
from opens2v_hf.generators.function import as_generator, load_function
from opens2v_hf.generators.plan import PipelinePlan, References, plan_pipeline
from opens2v_hf.generators.provider import PREFIX, ProviderGenerator, plan_provider
from opens2v_hf.generators.request import Generated, Generator, Progress, Request
from opens2v_hf.models.info import EMBEDDED


@dataclass(frozen=True)
class PlannedGenerator:
    """A generator that is checked and not yet loaded.

    Attributes:
        name: as the user gave it.
        kind: "diffusers", "python", "http", "provider" or "object".
        load: loads it.
        plan: of a pipeline; None for other kinds.
    """

    name: str
    kind: str
    load: Callable[[], Generator]
    plan: PipelinePlan | None = None


class NotLoaded:
    """Replaces a generator in a run whose videos all exist.

    Args:
        plan: of the generator.
    """

    def __init__(self, plan: PipelinePlan) -> None:
        self.info = plan.info
        self.recipe = plan.recipe
        self.max_references = plan.max_references
        self.check_recipe = plan.check_recipe

    def generate(self, request: Request, progress: Progress | None = None) -> Generated:
        """Raise.

        Raises:
            GenerationError: always.
        """
        raise GenerationError(
            f"the video of {request.id} was removed during the run; run the same command again",
            transient=True,
        )

    def close(self) -> None:
        """Nothing to free."""


def plan_generator(
    model: Any,
    *,
    revision: str | None = None,
    references: References = "given",
    accept_license: bool = False,
    device: str | None = None,
    dtype: str | None = None,
    lora: str | None = None,
) -> PlannedGenerator:
    """Find the generator of a name, and check all that can be checked before anything large is downloaded.

    Args:
        model: a Hub id or folder of a diffusers pipeline, "python:module:function" or "python:file.py:function",
            "http://..." or "https://...", "hf:provider/org/model", "embedded"; or a function or an object with the
            methods of `Generator`.
        revision: of a Hub repo.
        references: "none" makes videos from the text alone.
        accept_license: see `plan_pipeline`.
        device: of a pipeline.
        dtype: of its weights.
        lora: on top of a pipeline; see `find_lora`.

    Raises:
        ArgumentError: the name has no generator, or an argument does not apply to its kind.
        MissingDependencyError: a package is missing.
        ModelError: the model is not supported.
    """
    given = {"revision": revision, "lora": lora, "device": device, "dtype": dtype}
    given["references"] = None if references == "given" else references
    if not isinstance(model, str):
        _refuse_others(given, (), "a function or an object")
        made = as_generator(model)
        return PlannedGenerator(made.info.name, "object", lambda: made)
    if not model.strip():
        raise ArgumentError("the name of the model is empty; give a Hub id, a folder or one of the other names")
    kind, _, rest = model.partition(":")
    if kind in ("python", "http", "https"):
        _refuse_others(given, (), repr(model))
        generator = load_function(rest) if kind == "python" else EndpointGenerator(model)
        return PlannedGenerator(model, "python" if kind == "python" else "http", lambda: generator)
    if model.startswith(PREFIX):
        _refuse_others(given, ("references",), repr(model))
        served = plan_provider(model, references=references)
        return PlannedGenerator(model, "provider", lambda: ProviderGenerator(served))
    if model == EMBEDDED:
        _refuse_others(given, ("device",), "the embedded pipeline")
        return PlannedGenerator(model, "diffusers", lambda: _load_embedded(device))
    plan = plan_pipeline(
        model,
        revision=revision,
        references=references,
        accept_license=accept_license,
        device=device,
        dtype=dtype,
        lora=lora,
    )
    return PlannedGenerator(model, "diffusers", lambda: _load(plan), plan)


def _refuse_others(given: Mapping[str, str | None], allowed: Collection[str], what: str) -> None:
    """Refuse arguments that are given and that a kind of generator does not use."""
    if unused := [name for name, value in given.items() if value is not None and name not in allowed]:
        raise ArgumentError(f"{' and '.join(unused)} of a generator cannot be set for {what}; leave it out")


def _load(plan: PipelinePlan) -> Generator:
    from opens2v_hf.generators.diffusers_pipeline import PipelineGenerator

    return PipelineGenerator(plan)


def _load_embedded(device: str | None) -> Generator:
    from opens2v_hf.generators.embedded import load_embedded

    return load_embedded(device)
