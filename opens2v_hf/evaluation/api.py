"""`opens2v_hf.score`: the videos of a model, or the model itself; all metrics, one call."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, get_args

from opens2v_hf._util import processes
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
from opens2v_hf.evaluation.scoring import Run, score_passes
from opens2v_hf.evaluation.seeds import loaded_once, name_of_seed, outputs_of_seeds, score_other_seeds
from opens2v_hf.evaluation.selection import Selection, restrict
from opens2v_hf.evaluation.video_names import near_matches
from opens2v_hf.evaluation.videos import FoundVideos, find_videos, name_of_maker
from opens2v_hf.generators.plan import References
from opens2v_hf.generators.recipe import SEED, Recipe
from opens2v_hf.generators.references import TooMany
from opens2v_hf.generators.run import chosen_seeds
from opens2v_hf.jobs.time_limit import Limits
from opens2v_hf.metrics.naturalscore import RELEASED_RUNS
from opens2v_hf.metrics.registry import DEFAULT_METRICS, METRICS
from opens2v_hf.models.info import EMBEDDED
from opens2v_hf.results.result import RunResult
from opens2v_hf.video.reader import Backend

Resume = Literal["auto", "retry-failed", "never"]


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

    With `out`, every score is written down as soon as it is there. The same call after a crash, or after whatever else
    ended it, goes on from there, with any number of processes, and comes to the same result. What has changed since
    (a video, a prompt or picture, a model's revision, an option, a library) is scored anew, and nothing else.

    Args:
        videos: a folder of `<id>.mp4` files, or a Hub dataset repo that holds them ("org/name").
        model: in place of `videos`: who makes them, in `out`/videos, before they are scored. A Hub id or folder of a
            diffusers pipeline, "python:module:function", "http://...", "hf:provider/org/model", "embedded",
            or a function of one `opens2v_hf.generators.Request`. Videos that an earlier run made from the same
            request are not made again.
        split: "open-domain", "human-domain" or "single-domain".
        metrics: names of the metrics; by default all but `subject_identity` and `copypaste`.
        metric_models: "embedded" for the small models of this package throughout, or role to model ("embedder",
            "judge", ...), each a Hub id, a folder, "embedded", "openai:<model>" or an `opens2v_hf.ModelChoice` with
            loading arguments. What is not named is the released one.
        options: metric name to its options, e.g. {"naturalscore": {"protocol": "full"}}.
        num_frames: that are sampled, for every metric that samples frames; each metric's own number by default.
        device: "cpu", "cuda", "cuda:1" or "mps", for every model; the best there is by default.
        dtype: "float16", "bfloat16" or "float32", for every network that takes one; float16 on CUDA by default.
        name: of the model, for tables; by default the last part of the path of `videos` that says something ("videos"
            does not).
        limit: score at most so many videos, drawn from the categories in turn. A result about some samples only is
            `<split>.partial.json`, is marked as partial, and is never comparable with a leaderboard; a later run of all
            samples goes on from what it scored.
        ids: score these samples only; a list, or a string with commas.
        category: score these categories only, e.g. "singleface"; a list, or a string with commas.
        data_dir: folder or hf:// URL of the benchmark; upstream's Hub repo by default.
        revision: of the benchmark's Hub repo.
        videos_revision: of the Hub repo of videos.
        recursive: search the subfolders of the folder of videos, too; those of a repo always are.
        backend: of the video reader: "auto", "decord" or "pyav".
        distributed: False to score all videos in this process, whatever was launched.
        out: folder for `<split>.json` (the result), `<split>.journal/` and `<split>.thumbnails/`; nothing is written
            by default. One run at a time can use it.
        resume: what becomes of earlier runs in `out`. "auto" goes on from what they finished, and refuses to replace a
            result that it does not go on from (another model's, one without a journal, one with more metrics).
            "retry-failed" does so too, and tries again what failed for a reason that lies in the video; other failures
            (no answer from a judge, a download that broke off) are tried again anyway. "never" forgets and replaces
            what is there.
        memory: "keep" loads all models together and decodes each video once; "low" loads one group of models after
            another, lets go of each, and decodes each video once for each group.
        video_timeout_s: what the metrics of one video (of one group of models) may take, in seconds; a video that takes
            longer fails, and the run goes on.
        recipe: of making videos: size, length, steps; what it leaves open is the model's default. This and what
            follows are only for `model`.
        seed: of every video.
        seeds: in place of `seed`, several videos of each sample. The result is about the first seed, so that it is one
            of a leaderboard's kind; how much the numbers depend on the seed is in `RunResult.scorecard().seeds`. Videos
            and scores of another seed lie in `out`/seed-<n>.
        lora: on top of a diffusers pipeline; see `opens2v_hf.generate`.
        too_many_references: of samples with more references than the model takes: "fail", "first" or "collage".
        references: "none" makes videos from the text alone, as an ablation.
        model_revision: branch, tag or commit of the model's Hub repo.
        accept_license: the model's licence was read and allows the use.
        generator_device: of the model that makes the videos.
        generator_dtype: of its weights.

    Returns:
        Values for every video, what each mean rests on, and what everything was made with.

    Raises:
        ArgumentError: an argument has a value that cannot be used.
        SampleError: the benchmark's files are missing or malformed.
        ModelError: a model cannot be loaded, or makes no video.
        MissingDependencyError: a package is missing.
        ResultError: another run uses `out`, or it cannot be written (a full disk); what is finished is kept.
        ProcessError: the videos were shared, and a process failed or died.

    A video that is broken or cannot be rated raises nothing: it is in the result as failed, with its reason.
    """
    if resume not in get_args(Resume):
        raise ArgumentError(f"resume must be one of {', '.join(get_args(Resume))} (got {resume!r})")
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
    names = _metric_names(metrics)
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
    place = None if data_dir is None else os.fspath(data_dir)
    outputs = {}
    wanted_seeds = chosen_seeds(seed, seeds)
    if out is not None:
        outputs = outputs_of_seeds(out, split, wanted_seeds, resume=resume, partial=not selection.is_whole)
    output = outputs.get(wanted_seeds[0])
    made = None
    if model is not None and out is not None:
        samples = selection.choose(samples, [sample.id for sample in samples])
        called = name or name_of_model(model)
        for each, place_of_scores in outputs.items():  # hours of making videos must not end in a refusal
            whose = called if each == wanted_seeds[0] else name_of_seed(called, each)
            place_of_scores.refuse_to_lose(whose, "videos", set(names), set(METRICS))
        made = make_videos(
            model, out, making, split=split, data_dir=place, revision=revision,
            ids=[sample.id for sample in samples], retry_failed=resume == "retry-failed", distributed=distributed,
        )  # fmt: skip
        videos = Path(out) / "videos"
    given = os.fspath(videos or "")
    found = find_videos(given, [sample.id for sample in opened.samples], revision=videos_revision, recursive=recursive)
    if made is not None:
        found = only_made(found, made)
    if not selection.is_whole:
        if made is None:
            samples = selection.choose(opened.samples, found.fetch)
        found = restrict(found, samples)
        benchmark["subset"] = f"{len(samples)} of {len(opened.samples)} samples ({selection.describe()})"
    default_name = name_of_model(model) if made is not None else None
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
        others = score_other_seeds(run, made, passes, names, out=out, outputs=outputs, known_metrics=tuple(METRICS))
        run = replace(run, other_seeds=others)
    return score_passes(run, passes, names, output=output, known_metrics=tuple(METRICS))


def _metric_names(metrics: Sequence[str] | None) -> tuple[str, ...]:
    if isinstance(metrics, str):
        raise ArgumentError(f"metrics is a list of names (got {metrics!r}); write [{metrics!r}]")
    return tuple(dict.fromkeys(DEFAULT_METRICS if metrics is None else metrics))


def _default_name(videos: str, found: FoundVideos) -> str:
    name = name_of_maker(videos, found)
    if name is None:
        place = Path(videos).resolve()
        raise ArgumentError(f"the folder {place} does not say which model made its videos; give `name=`")
    return name


def _announce(run: Run, names: Sequence[str], options: Mapping[str, Mapping[str, Any]] | None) -> None:
    """Say how much there is to do, what is in a journal included."""
    wanted = run.wanted
    num_scores = sum(len(set(names) & set(sample.metrics)) for sample in wanted)
    said = f"{run.model}, {run.split}: {len(wanted)} of {len(run.samples)} videos, {num_scores} scores"
    if "naturalscore" in names:
        runs = (options or {}).get("naturalscore", {}).get("runs", RELEASED_RUNS)
        num_asked = sum("naturalscore" in sample.metrics for sample in wanted)
        said += f", up to {num_asked * runs} requests to the judge ({runs} a video)"
    remark(said)
    near = near_matches(run.found.unknown, run.found.missing)
    if near:
        more = f", ... and {len(near) - 3} more" if len(near) > 3 else ""
        remark(f"not scored for its name: {', '.join(map(str, near[:3]))}{more}; rename such files to <id>.mp4")
