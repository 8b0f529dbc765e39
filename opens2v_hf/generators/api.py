"""Public entry point `opens2v_hf.generate`: the videos of a model for a split of OpenS2V-Eval."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from opens2v_hf._util import processes
from opens2v_hf._util.argument_types import checked
from opens2v_hf._util.console import remark
from opens2v_hf._util.files import check_no_url
from opens2v_hf._util.foreign_code import ends_as_errors
from opens2v_hf.data.benchmark.in_turn import in_turn
from opens2v_hf.data.benchmark.split import open_split
from opens2v_hf.errors import ArgumentError
from opens2v_hf.generators.files import seed_folder
from opens2v_hf.generators.load import NotLoaded, plan_generator
from opens2v_hf.generators.outcome import GenerationRun
from opens2v_hf.generators.plan import References
from opens2v_hf.generators.recipe import SEED, Recipe
from opens2v_hf.generators.references import TooMany
from opens2v_hf.generators.run import chosen_seeds, complete_settings, generate_videos
from opens2v_hf.generators.run_plan import plan_run


@checked
def generate(
    model: Any,
    *,
    split: str = "open-domain",
    out: str | os.PathLike[str],
    recipe: Recipe | None = None,
    seed: int = SEED,
    seeds: Sequence[int] | None = None,
    lora: str | None = None,
    too_many_references: TooMany = "fail",
    references: References = "given",
    model_revision: str | None = None,
    accept_license: bool = False,
    device: str | None = None,
    dtype: str | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    revision: str | None = None,
    ids: Collection[str] | None = None,
    limit: int | None = None,
    retry_failed: bool = False,
    distributed: bool = True,
) -> GenerationRun:
    """Make the videos of a model for a split of OpenS2V-Eval.

    Under `accelerate launch` with several processes they share the samples. The same call resumes a run that crashed.

    Args:
        model: see `plan_generator`.
        split: "open-domain", "human-domain" or "single-domain".
        out: folder; the videos go to `out`/videos as `<id>.mp4`, each with its record `<id>.json`.
        recipe: settings; one that is None gets the model's default.
        seed: of every video.
        seeds: in place of `seed`: a video of each sample is made with each of them. Videos of the first seed go to
            `out`/videos, those of another one to `out`/seed-<n>/videos.
        lora: on top of a diffusers pipeline: "org/name", "org/name/file.safetensors", "org/name@revision", a file or a
            folder.
        too_many_references: how samples are treated that have more references than the model takes; see `TooMany`.
        references: "none" makes videos from the text alone, as an ablation.
        model_revision: branch, tag or commit of the model's Hub repo.
        accept_license: the model's licence was read and allows the use.
        device: of the model.
        dtype: of its weights.
        data_dir: folder or hf:// URL of the benchmark; upstream's Hub repo by default.
        revision: of the benchmark's Hub repo.
        ids: of the samples; all of them by default.
        limit: maximum number of samples, drawn from the categories in turn.
        retry_failed: repeat also requests that failed for a permanent reason.
        distributed: False to make all videos in this process, also under a launcher.

    Raises:
        ArgumentError: an argument has a value that cannot be used.
        MissingDependencyError: a package is missing.
        ModelError: the model cannot be loaded, or is not supported.
        ResultError: another run uses `out`, or it cannot be written; finished videos are saved.
        SampleError: the benchmark's files are missing or malformed.
    """
    check_no_url(out)
    if limit is not None and limit < 1:
        raise ArgumentError(f"limit must be a whole number of at least 1 (got {limit!r})")
    all_seeds = chosen_seeds(seed, seeds)
    planned = plan_generator(
        model,
        revision=model_revision,
        references=references,
        accept_license=accept_license,
        device=device,
        dtype=dtype,
        lora=lora,
    )
    opened = open_split(split, data_dir=None if data_dir is None else os.fspath(data_dir), revision=revision)
    if ids is not None and (unknown := sorted(set(ids) - {sample.id for sample in opened.samples})):
        raise ArgumentError(f"{split} has no sample {', '.join(unknown[:5])}")
    chosen = [sample for sample in opened.samples if ids is None or sample.id in ids]
    if limit is not None:
        chosen = in_turn(chosen)[:limit]
    generator = planned.load() if planned.plan is None else NotLoaded(planned.plan)
    try:
        all_settings = [
            complete_settings(
                generator,
                recipe,
                seed=each,
                too_many_references=too_many_references,
                seeds=all_seeds if len(all_seeds) > 1 else (),
            )
            for each in all_seeds
        ]
        folders = {each: seed_folder(out, each, all_seeds) / "videos" for each in all_seeds}
        plan = plan_run(generator, opened, chosen, all_settings, folders)
        if not distributed or processes.is_main_process():
            for line in [*(() if planned.plan is None else planned.plan.describe()), *plan.describe()]:
                remark(line)
        if plan.num_to_make and planned.plan is not None:
            # loading may download many gigabytes, and videos of an earlier run need no model
            generator = planned.load()
        if callable(set_shift := getattr(generator, "set_flow_shift", None)):
            set_shift(all_settings[0].recipe.flow_shift)
        first, *others = [
            generate_videos(
                generator,
                opened,
                folders[settings.seed],
                settings,
                ids={sample.id for sample in chosen},
                retry_failed=retry_failed,
                distributed=distributed,
                num_later=(len(all_settings) - number) * len(chosen),
            )
            for number, settings in enumerate(all_settings, start=1)
        ]
        return replace(first, others={run.settings.seed: run for run in others})
    finally:
        _close(generator)


def _close(generator: Any) -> None:
    """Free what a generator holds; that this fails takes no video away."""
    try:
        with ends_as_errors():
            generator.close()
    except Exception as error:
        remark(f"{generator.info.name} could not be closed ({type(error).__name__}: {error})")
