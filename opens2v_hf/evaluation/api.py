"""`opens2v_hf.score`: score the videos of a model, or make and score them, with all metrics in one call."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from opens2v_hf._util import processes
from opens2v_hf._util.argument_types import checked
from opens2v_hf._util.console import remark
from opens2v_hf.data.benchmark.sample import EvalSample
from opens2v_hf.data.benchmark.split import open_split
from opens2v_hf.errors import ArgumentError
from opens2v_hf.evaluation.generated import (
    GenerationOptions,
    check_source,
    described,
    make_videos,
    name_of_model,
    only_made,
)
from opens2v_hf.evaluation.passes import Memory, plan_passes
from opens2v_hf.evaluation.request import MetricModels, metric_options, model_choices
from opens2v_hf.evaluation.run import Run
from opens2v_hf.evaluation.scoring import score_passes
from opens2v_hf.evaluation.seeds import loaded_once, name_of_seed, outputs_of_seeds, score_other_seeds
from opens2v_hf.evaluation.selection import Selection
from opens2v_hf.evaluation.video_names import near_matches
from opens2v_hf.evaluation.videos import FoundVideos, find_videos, name_of_maker
from opens2v_hf.generators.plan import References
from opens2v_hf.generators.recipe import SEED, Recipe
from opens2v_hf.generators.references import TooMany
from opens2v_hf.generators.run import chosen_seeds
from opens2v_hf.jobs.time_limit import Limits
from opens2v_hf.metrics.naturalscore import RELEASED_RUNS
from opens2v_hf.metrics.registry import DEFAULT_METRICS
from opens2v_hf.models.info import EMBEDDED
from opens2v_hf.results.result import RunResult
from opens2v_hf.video.reader import Backend

Resume = Literal["auto", "retry-failed", "never"]


@checked
def score(
    videos: str | os.PathLike[str] | None = None,
    *,
    model: Any = None,
    split: str = "open-domain",
    metrics: Sequence[str] | None = None,
    metric_models: MetricModels = None,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    num_frames: int | None = None,
    device: str | None = None,
    dtype: str | None = None,
    name: str | None = None,
    limit: int | None = None,
    ids: str | Sequence[str] | None = None,
    category: str | Sequence[str] | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    revision: str | None = None,
    videos_revision: str | None = None,
    recursive: bool = False,
    backend: Backend = "auto",
    distributed: bool = True,
    out: str | os.PathLike[str] | None = None,
    resume: Resume = "auto",
    memory: Memory = "keep",
    video_timeout_s: float = Limits.group_s,
    recipe: Recipe | None = None,
    seed: int = SEED,
    seeds: Sequence[int] | None = None,
    lora: str | None = None,
    too_many_references: TooMany = "fail",
    references: References = "given",
    model_revision: str | None = None,
    accept_license: bool = False,
    generator_device: str | None = None,
    generator_dtype: str | None = None,
) -> RunResult:
    """Score the videos of a model on a split of OpenS2V-Eval.

    Under `accelerate launch` with several processes they share the videos, and each gets the whole result.

    With `out`, every score is saved as soon as it is computed. After a crash or an interrupt the same call resumes,
    with any number of processes, and gives the same result. Scores are computed again only where an input has changed
    (a video, a prompt or picture, a model's revision, an option, a library).

    Args:
        videos: a folder of `<id>.mp4` files, or a Hub dataset repo that holds them ("org/name").
        model: instead of `videos`: the model whose videos are made in `out`/videos before they are scored. A Hub id or
            folder of a diffusers pipeline, "python:module:function", "http://...", "hf:provider/org/model",
            "embedded", or a function of one `opens2v_hf.generators.Request`. Videos that an earlier run made from the
            same request are not made again.
        split: "open-domain", "human-domain" or "single-domain".
        metrics: names of the metrics; by default all but `subject_identity` and `copypaste`.
        metric_models: "embedded" for the small models of this package throughout, or role to model ("embedder",
            "judge", ...), each a Hub id, a folder, "embedded", "openai:<model>" or an `opens2v_hf.ModelChoice` with
            loading arguments. Other roles get the released model.
        options: metric name to its options, e.g. {"naturalscore": {"protocol": "full"}}.
        num_frames: number of sampled frames, for every metric that samples; each metric's own number by default.
        device: "cpu", "cuda", "cuda:1" or "mps", for every model; the fastest available by default.
        dtype: "float16", "bfloat16" or "float32", for every network that takes one; float16 on CUDA by default.
        name: of the model, for tables; by default the last part of the path of `videos` that is not as generic as
            "videos".
        limit: score at most this number of videos, drawn from the categories in turn. A result about some samples only
            is `<split>.partial.json`, is marked as partial, and is never comparable with a leaderboard; a later run of
            all samples reuses its scores.
        ids: score these samples only; a list, or a string with commas.
        category: score these categories only, e.g. "singleface"; a list, or a string with commas.
        data_dir: folder or hf:// URL of the benchmark; upstream's Hub repo by default.
        revision: of the benchmark's Hub repo.
        videos_revision: of the Hub repo of videos.
        recursive: search the subfolders of the folder of videos as well; those of a repo are always searched.
        backend: of the video reader: "auto", "decord" or "pyav".
        distributed: False to score all videos in this process, even under a launcher.
        out: folder for `<split>.json` (the result), `<split>.journal/` and `<split>.thumbnails/`; nothing is written
            by default. Only one run at a time can use it.
        resume: how to treat earlier runs in `out`. "auto" reuses their scores, and refuses to replace a result that it
            cannot resume (of another model, without a journal, with more metrics). "retry-failed" also retries
            failures that were caused by a video; other failures (no answer from a judge, an interrupted download) are
            retried in any case. "never" removes and replaces earlier results.
        memory: "keep" loads all models together and decodes each video once; "low" loads one group of models after
            another, and decodes each video once for each group.
        video_timeout_s: time limit in seconds for the metrics of one video (of one group of models); a video that
            exceeds it fails, and the run continues.
        recipe: of making videos: size, length, steps; the model's defaults apply to values that it leaves open. This
            and the following arguments are only for `model`.
        seed: of every video.
        seeds: instead of `seed`, for several videos of each sample. The result is about the first seed, so that it is
            comparable with a leaderboard; `RunResult.scorecard().seeds` says how much the numbers depend on the seed.
            Videos and scores of the other seeds are in `out`/seed-<n>.
        lora: for a diffusers pipeline; see `opens2v_hf.generate`.
        too_many_references: for samples with more references than the model takes: "fail", "first" or "collage".
        references: "none" makes videos from the text alone, as an ablation.
        model_revision: branch, tag or commit of the model's Hub repo.
        accept_license: True if you have read the model's licence and it allows your use.
        generator_device: of the model that makes the videos.
        generator_dtype: of its weights.

    Returns:
        The value of every metric for every video, their means, and the models, options and versions used.

    Raises:
        ArgumentError: an argument has a value that cannot be used.
        SampleError: the benchmark's files are missing or malformed.
        ModelError: a model cannot be loaded, or makes no video.
        MissingDependencyError: a package is missing.
        ResultError: another run uses `out`, or it cannot be written (a full disk); finished scores are saved.
        ProcessError: the videos were shared, and a process failed or died.

    A video that is broken or cannot be rated raises nothing: the result lists it as failed, with the reason.
    """
    making = GenerationOptions(
        recipe,
        seed,
        too_many_references,
        references,
        model_revision,
        accept_license,
        generator_device,
        generator_dtype,
        seeds,
        lora,
    )
    check_source(videos, model, making, out)
    selection = Selection.of(limit, ids, category)
    names = DEFAULT_METRICS if metrics is None else tuple(dict.fromkeys(metrics))
    opened = open_split(split, data_dir=None if data_dir is None else os.fspath(data_dir), revision=revision)
    passes = plan_passes(
        names,
        opened,
        models=model_choices(names, metric_models, device=device, dtype=dtype),
        options=metric_options(names, options, num_frames=num_frames),
        embedded=metric_models == EMBEDDED,
        memory=memory,
    )
    samples: Sequence[EvalSample] = opened.samples
    benchmark = dict(opened.provenance)
    outputs = {}
    all_seeds = chosen_seeds(seed, seeds)
    if out is not None:
        outputs = outputs_of_seeds(out, split, all_seeds, resume=resume, partial=not selection.is_whole)
    output = outputs.get(all_seeds[0])
    made = None
    if model is not None and out is not None:
        samples = selection.choose(samples, [sample.id for sample in samples])
        model_name = name or name_of_model(model, lora)
        for each, output_of_seed in outputs.items():  # refused now, not after hours of making videos
            result_name = model_name if each == all_seeds[0] else name_of_seed(model_name, each)
            output_of_seed.refuse_to_lose(result_name, "videos", names)
        made = make_videos(
            model, out, making, split=split, data_dir=None if data_dir is None else os.fspath(data_dir),
            revision=revision, ids=[sample.id for sample in samples], retry_failed=resume == "retry-failed",
            distributed=distributed,
        )  # fmt: skip
        videos = Path(out) / "videos"
    given = os.fspath(videos or "")
    found = find_videos(given, [sample.id for sample in opened.samples], revision=videos_revision, recursive=recursive)
    if made is not None:
        found = only_made(found, made)
    if not selection.is_whole:
        if made is None:
            samples = selection.choose(opened.samples, found.fetch)
        ids_in_use = {sample.id for sample in samples}
        found = found.only(ids_in_use, [sample_id for sample_id in found.missing if sample_id in ids_in_use])
        benchmark["subset"] = f"{len(samples)} of {len(opened.samples)} samples ({selection.describe()})"
    default_name = name_of_model(model, lora) if made is not None else None
    run = Run(
        found,
        samples,
        model=name or default_name or _default_name(given, found),
        split=split,
        benchmark=benchmark,
        backend=backend,
        distributed=distributed,
        limits=Limits.for_videos(video_timeout_s),
        generation=None if made is None else described(made),
    )
    if processes.is_main_process():
        _announce(run, names, options)
    if made is not None and made.others and out is not None:
        passes = loaded_once(passes)
        others = score_other_seeds(run, made, passes, names, out=out, outputs=outputs)
        run = replace(run, other_seeds=others)
    return score_passes(run, passes, names, output=output)


def _default_name(videos: str, found: FoundVideos) -> str:
    name = name_of_maker(videos, found)
    if name is None:
        raise ArgumentError(f"no model name can be derived from the folder {os.path.realpath(videos)}; give `name=`")
    return name


def _announce(run: Run, names: Sequence[str], options: Mapping[str, Mapping[str, Any]] | None) -> None:
    """Print the amount of work, including what is already in a journal."""
    samples = run.samples_with_video
    num_scores = sum(len(set(names) & set(sample.metrics)) for sample in samples)
    line = f"{run.model}, {run.split}: {len(samples)} of {len(run.samples)} videos, {num_scores} scores"
    if "naturalscore" in names:
        runs = (options or {}).get("naturalscore", {}).get("runs", RELEASED_RUNS)
        num_rated = sum("naturalscore" in sample.metrics for sample in samples)
        line += f", up to {num_rated * runs} requests to the judge ({runs} a video)"
    remark(line)
    near = near_matches(run.found.unknown, run.found.missing)
    if near:
        more = f", ... and {len(near) - 3} more" if len(near) > 3 else ""
        remark(f"not scored because of its name: {', '.join(map(str, near[:3]))}{more}; rename such files to <id>.mp4")
    deeper = near_matches(run.found.not_searched, run.found.missing)
    if deeper:
        remark(f"subfolders are not searched ({deeper[0]}); they are with the option `recursive`")
