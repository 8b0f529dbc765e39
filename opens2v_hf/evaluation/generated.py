"""Making the videos that are scored next."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opens2v_hf._util.public_names import generator_name
from opens2v_hf._util.text import as_line
from opens2v_hf.errors import ArgumentError, ModelError
from opens2v_hf.evaluation.videos import FoundVideos
from opens2v_hf.generators.outcome import GenerationRun
from opens2v_hf.generators.recipe import SEED, Recipe
from opens2v_hf.results.generation import Generation


@dataclass(frozen=True)
class GenerationOptions:
    """Arguments of `score(model=...)` that `opens2v_hf.generate` documents."""

    recipe: Recipe | None = None
    seed: int = SEED
    too_many_references: Any = "fail"
    references: Any = "given"
    model_revision: str | None = None
    accept_license: bool = False
    device: str | None = None
    dtype: str | None = None
    seeds: Sequence[int] | None = None
    lora: str | None = None


def check_source(videos: object, model: object, options: GenerationOptions, out: object) -> None:
    """Check that videos are either given or made.

    Raises:
        ArgumentError: both or neither are given; or options of making videos without a model, or a model without `out`.
    """
    if (videos is None) == (model is None):
        got = "neither" if model is None else "both"
        raise ArgumentError(
            "give either the videos of a model, a folder or a Hub dataset, or `model=`, whose videos are made first "
            f"(got {got})"
        )
    if model is None and options != GenerationOptions():
        changed = [name for name, value in vars(options).items() if value != getattr(GenerationOptions(), name)]
        raise ArgumentError(f"{', '.join(changed)} must not be given with videos, only with `model=`, which makes them")
    if model is not None and out is None:
        raise ArgumentError("a model needs a folder for its videos; give `out=`")


def make_videos(
    model: Any,
    out: str | os.PathLike[str],
    options: GenerationOptions,
    *,
    split: str,
    data_dir: str | None,
    revision: str | None,
    ids: list[str],
    retry_failed: bool,
    distributed: bool,
) -> GenerationRun:
    """Make the videos of some samples in `out`/videos, and release the model.

    Raises:
        ModelError: the model cannot be loaded, or made no video.
        OpenS2VError: see `opens2v_hf.generate`.
    """
    from opens2v_hf.generators.api import generate

    run = generate(
        model,
        out=out,
        split=split,
        data_dir=data_dir,
        revision=revision,
        ids=ids,
        retry_failed=retry_failed,
        distributed=distributed,
        **vars(options),
    )
    for each in (run, *run.others.values()):
        if not each.made:
            sample_id, reason = next(iter(each.failed.items()))
            of_seed = f" with seed {each.settings.seed}" if run.others else ""
            raise ModelError(f"none of {len(each.failed)} videos could be made{of_seed}; {sample_id}: {reason}")
    return run


def only_made(found: FoundVideos, run: GenerationRun) -> FoundVideos:
    """The videos that this run made or found finished; a sample that failed has none."""
    return found.only(run.made, [*found.missing, *run.failed])


def described(run: GenerationRun) -> Generation:
    """The record of the run for the result."""
    info = run.generator
    return Generation(
        kind=info.kind,
        name=as_line(generator_name(info.kind, info.name, info.revision)),  # results are published
        revision=info.revision,
        family=info.family,
        dtype=info.dtype,
        versions=dict(info.versions),
        subject_driven=info.subject_driven,
        notes=tuple(map(as_line, info.notes)),
        recipe=run.settings.recipe.to_dict(),
        seed=run.settings.seed,
        seeds=run.settings.seeds,
        too_many_references=run.settings.too_many_references,
        references_changed=run.references_changed,
        prompts_cut=tuple(run.prompts_cut),
        prompts_rewritten=tuple(run.prompts_rewritten),
        failed={sample_id: as_line(reason) for sample_id, reason in run.failed.items()},
    )


def name_of_model(model: Any, lora: str | None = None) -> str:
    """The name of a model for tables, e.g. "Wan2.1-VACE-1.3B-diffusers" or "my_model.py:generate"."""
    if lora is not None:
        return f"{name_of_model(model)} + {name_of_model(lora)}"
    if not isinstance(model, str):
        return as_line(getattr(model, "__name__", type(model).__name__))
    if model.startswith(("http://", "https://")):
        return as_line(model.partition("://")[2].strip("/"))
    return as_line(Path(os.path.expanduser(model)).name or Path(os.path.realpath(model)).name)
