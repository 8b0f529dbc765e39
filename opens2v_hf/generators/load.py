"""From a generator's name to a generator."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from opens2v_hf.errors import ArgumentError
from opens2v_hf.generators.diffusers_pipeline import PipelineGenerator, PipelinePlan, References, plan_pipeline
from opens2v_hf.generators.endpoint import EndpointGenerator
from opens2v_hf.generators.function import as_generator, load_function
from opens2v_hf.generators.recipe import Recipe
from opens2v_hf.generators.request import Generator, GeneratorInfo

EMBEDDED = "embedded"


@dataclass(frozen=True)
class PlannedGenerator:
    """A generator that was checked and not loaded.

    Attributes:
        name: as the user gave it.
        kind: "diffusers", "python", "http" or "object".
        load: loads it.
        plan: of a pipeline; None for other kinds.
    """

    name: str
    kind: str
    load: Callable[[], Generator]
    plan: PipelinePlan | None = None


def plan_generator(
    model: Any,
    *,
    revision: str | None = None,
    references: References = "given",
    accept_license: bool = False,
    device: str | None = None,
    dtype: str | None = None,
) -> PlannedGenerator:
    """Find out what a name stands for, and check all that can be checked before anything large is downloaded.

    Args:
        model: a Hub id or folder of a diffusers pipeline, "python:module:function" or "python:file.py:function",
            "http://..." or "https://...", "embedded"; or a function or an object with the methods of `Generator`.
        revision: of a Hub repo.
        references: "none" makes videos from the text alone.
        accept_license: see `plan_pipeline`.
        device: of a pipeline.
        dtype: of its weights.

    Raises:
        ArgumentError: the name stands for nothing, or an argument does not belong to its kind.
        MissingDependencyError: a package is missing.
        ModelError: the model cannot be scored this way.
    """
    if not isinstance(model, str):
        if revision is not None or references == "none":
            raise ArgumentError("a model's revision and references='none' belong to a diffusers pipeline's name")
        made = as_generator(model)
        return PlannedGenerator(made.info.name, "object", lambda: made)
    kind, _, rest = model.partition(":")
    if kind in ("python", "http", "https"):
        if revision is not None or references == "none":
            raise ArgumentError(f"a revision and references='none' belong to a diffusers pipeline, not to {model!r}")
        generator = load_function(rest) if kind == "python" else EndpointGenerator(model)
        return PlannedGenerator(model, "python" if kind == "python" else "http", lambda: generator)
    if model == EMBEDDED:
        return PlannedGenerator(model, "diffusers", lambda: _EmbeddedGenerator(device))
    plan = plan_pipeline(model, revision=revision, references=references, accept_license=accept_license)
    return PlannedGenerator(model, "diffusers", lambda: PipelineGenerator(plan, device=device, dtype=dtype), plan)


class _EmbeddedGenerator(PipelineGenerator):
    """The tiny pipeline, built where it is used; its key does not depend on the folder."""

    def __init__(self, device: str | None) -> None:
        from diffusers.utils.logging import disable_progress_bar, enable_progress_bar

        from opens2v_hf.generators.embedded import build_embedded_pipeline

        disable_progress_bar()  # there is nothing to wait for
        try:
            with tempfile.TemporaryDirectory() as temporary:
                folder = build_embedded_pipeline(Path(temporary, "pipeline"))
                super().__init__(plan_pipeline(str(folder)), device=device, dtype="float32")
        finally:
            enable_progress_bar()

    @property
    def info(self) -> GeneratorInfo:
        notes = ("made by the embedded pipeline, whose weights are random: noise, which no reference decides",)
        return replace(super().info, name=EMBEDDED, notes=notes)

    @property
    def recipe(self) -> Recipe:
        from opens2v_hf.generators.embedded import RECIPE

        return RECIPE
