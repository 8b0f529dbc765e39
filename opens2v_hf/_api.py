"""The functions of `opens2v_hf` other than `score`: what the commands of the same names do, from Python."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from opens2v_hf._util.argument_types import checked
from opens2v_hf.errors import ArgumentError
from opens2v_hf.results.result import RunResult

if TYPE_CHECKING:
    from opens2v_hf.data.opens2v5m.shards.convert import Conversion
    from opens2v_hf.evaluation.doctor import Finding
    from opens2v_hf.evaluation.request import MetricModels
    from opens2v_hf.hub.pull_requests import Proposal
    from opens2v_hf.metrics.nexus_reference import NexusReference
    from opens2v_hf.pipeline.options import BuildOptions
    from opens2v_hf.pipeline.pairs import PairOptions
    from opens2v_hf.pipeline.stage import Stage
    from opens2v_hf.pipeline.summary import Build
    from opens2v_hf.pipeline.views import ViewOptions
    from opens2v_hf.reports.explanation import Explanation
    from opens2v_hf.results.compare import ResultComparison
    from opens2v_hf.video.reader import Backend

PathLike = str | os.PathLike[str]

NEXUS_ROLES = ("detector", "prompt_encoder", "embedder")
"""Roles of the models of NexusScore, which `explain` explains."""


@checked
def compare(
    a: RunResult | PathLike,
    b: RunResult | PathLike,
    *,
    weights: str = "v1.1",
    scoring: str = "released",
    top: int = 5,
) -> ResultComparison:
    """Say which differences between two results of one split are real; printing what comes back shows it as tables.

    Args:
        a: of the first model: a result, its file, or the folder that holds it.
        b: of the second one.
        weights: version of the total's weights, "v1.1" or "v1.0".
        scoring: "released", or "strict": a video that failed or is missing counts as the worst.
        top: how many prompts are named for each column.

    Raises:
        ResultError: a result cannot be read, or the two cannot be compared.
        ArgumentError: an argument has a value that cannot be used.
    """
    from opens2v_hf.results.compare import compare_results

    if top < 0:
        raise ArgumentError(f"top must be a whole number from 0 (got {top!r})")
    return compare_results(_result(a), _result(b), version=weights, scoring=scoring, top=top)


@checked
def report(
    results: RunResult | PathLike | Sequence[RunResult | PathLike],
    out: PathLike,
    *,
    title: str = "Subject-to-video scores",
    weights: str = "v1.1",
    data_dir: PathLike | None = None,
) -> Path:
    """Write one HTML page about results; thumbnails in the folders of result files are shown.

    Args:
        results: one or several: results, their files, or folders that hold them.
        out: folder of `report.html` and its pictures; made if missing.
        title: of the page.
        weights: version of the total's weights, "v1.1" or "v1.0".
        data_dir: folder or hf:// URL of the benchmark that was scored: its prompts and reference pictures are shown
            with the best and worst videos; by default they are left out.

    Returns:
        Path of the page, which needs no other file.

    Raises:
        ResultError: a result cannot be read, or the folder cannot be written.
        ArgumentError: no result, or two of the same model and split.
    """
    from opens2v_hf.data.benchmark.prompts import PROMPT_FILES
    from opens2v_hf.data.benchmark.split import open_split
    from opens2v_hf.evaluation.thumbnails import find_thumbnails
    from opens2v_hf.reports.report import write_report
    from opens2v_hf.results.result import read_results

    given = [results] if isinstance(results, RunResult | str | os.PathLike) else list(results)
    read: list[RunResult] = []
    thumbnails: dict[tuple[str, str], Mapping[str, Path]] = {}
    for item in given:
        if isinstance(item, RunResult):
            read.append(item)
            continue
        for file, result in read_results([item]):
            read.append(result)
            thumbnails[result.model, result.split] = find_thumbnails(file)
    splits = [split for split in dict.fromkeys(result.split for result in read) if split in PROMPT_FILES]
    benchmarks = [] if data_dir is None else [open_split(split, data_dir=str(data_dir)) for split in splits]
    return write_report(read, out, title=title, version=weights, thumbnails=thumbnails, benchmarks=benchmarks)


@checked
def explain(
    video: PathLike,
    *,
    id: str | None = None,
    split: str = "open-domain",
    data_dir: PathLike | None = None,
    revision: str | None = None,
    images: Sequence[Any] = (),
    labels: Sequence[str] = (),
    variant: str = "released",
    num_frames: int | None = None,
    metric_models: MetricModels = None,
    options: Mapping[str, Any] | None = None,
    device: str | None = None,
    dtype: str | None = None,
    backend: Backend = "auto",
    out: PathLike | None = None,
) -> Explanation:
    """Show why the NexusScore of a video is what it is.

    Args:
        video: a file.
        id: of its sample; by default the file's name without its ending, unless `images` are given.
        split: of the benchmark.
        data_dir: folder or hf:// URL of the benchmark; upstream's Hub repo by default.
        revision: of the benchmark's Hub repo.
        images: reference pictures in place of the benchmark's.
        labels: one for each of `images`.
        variant: the definition that is explained.
        num_frames: that are sampled; 32 by default, as released.
        metric_models: as in `opens2v_hf.score`; the roles are "detector", "prompt_encoder" and "embedder".
        options: further ones of NexusScore, e.g. {"box_threshold": 0.5}.
        device: for every model.
        dtype: of the embedder.
        backend: of the video reader.
        out: folder that gets `<id>.html` and `<id>.png`; nothing is written by default.

    Raises:
        ArgumentError: an argument has a value that cannot be used, or the split has no such sample.
        VideoError: the video cannot be read.
        ImageError: a reference picture cannot be read.
        ModelError: a model cannot be loaded.
        ResultError: the folder cannot be written.
    """
    from opens2v_hf.evaluation.request import metric_options, model_choices
    from opens2v_hf.metrics.nexusscore import NexusScore
    from opens2v_hf.metrics.registry import load_metrics
    from opens2v_hf.models.info import EMBEDDED
    from opens2v_hf.reports.explain import explain as explain_video
    from opens2v_hf.reports.explain import write_explanation

    if not os.path.isfile(video):  # pathlib raises for a name that is too long
        raise ArgumentError(f"there is no video {os.fspath(video)}; check the path")
    reference = _reference(Path(video), id, split, data_dir, revision, images, labels)
    names = ["nexusscore"]
    (metric,) = load_metrics(
        names,
        models=model_choices(names, metric_models, device=device, dtype=dtype),
        options=metric_options(names, {"nexusscore": {"variant": variant, **(options or {})}}, num_frames=num_frames),
        embedded=metric_models == EMBEDDED,
    )
    explanation = explain_video(cast(NexusScore, metric), os.fspath(video), reference, backend=backend)
    if out is not None:
        write_explanation(explanation, out)
    return explanation


@checked
def show(
    sample: str | int,
    *,
    data_dir: PathLike | None = None,
    repo: str | None = None,
    revision: str | None = None,
    index_dir: PathLike | None = None,
    config_name: Literal["regular", "cross_pairs", "views"] = "regular",
    num_frames: int | None = None,
    pairs: int | None = None,
    out: PathLike | None = None,
) -> Path:
    """Write a page about a sample of OpenS2V-5M: frames, masks, subjects, pairs, views.

    Args:
        sample: its id, or "part/id", or the number of its row counted from 0.
        data_dir: folder or URL: the released layout, or converted shards.
        repo: a dataset repo on the Hub instead; upstream's by default.
        revision: of the repo.
        index_dir: a folder of indices of the split tars.
        config_name: "regular" for the clip with its pairs and views, or one of these alone.
        num_frames: of the clip.
        pairs: at most.
        out: an HTML file; named after the sample by default.

    Returns:
        Path of the page.

    Raises:
        SampleError: there is no such sample, or its record is malformed.
        SourceError: the dataset cannot be read.
        ArgumentError: an argument has a value that cannot be used.
        ResultError: the file cannot be written.
    """
    from opens2v_hf.reports.sheet.show import NUM_FRAMES, DatasetLocation, check_path, fetch, write_sheet

    check_path(out)
    shown = fetch(
        DatasetLocation(_text(data_dir), repo, revision, _text(index_dir)),
        str(sample),
        config=config_name,
        num_frames=NUM_FRAMES if num_frames is None else num_frames,
        most_pairs=pairs,
    )
    return write_sheet(shown, out)


@checked
def build(
    source: PathLike | None,
    out: PathLike,
    *,
    options: BuildOptions | Mapping[str, Any] | None = None,
    stages: Sequence[str | Stage] | None = None,
    from_dataset: PathLike | None = None,
    engine: Literal["local", "ray"] = "local",
    processes: int = 1,
    address: str | None = None,
    workers: int | None = None,
    pairs: PairOptions | bool = True,
    views: ViewOptions | None = None,
    push: str | None = None,
    private: bool = False,
    **more: Any,
) -> Build:
    """Make a dataset like OpenS2V-5M of videos, or continue one that was begun; see `opens2v_hf.pipeline.api.build`.

    Args:
        source: folder or URL of the videos; None with `from_dataset`.
        out: folder of the dataset; empty, missing, or begun by the same call.
        options: how the clips are made: `opens2v_hf.pipeline.options.BuildOptions`, or a dict of its fields.
        stages: names of the pipeline's stages and objects of your own, in their order; all there are by default.
        from_dataset: folder of a dataset to whose clips the stages are applied anew; the rest stays as it is.
        engine: "local", or "ray" for a cluster.
        processes: of the local engine.
        address: of a running Ray cluster; by default Ray is started on this machine.
        workers: of each step on Ray; as many as there is room for by default.
        pairs: how pairs are made; False for none.
        views: how views are made; None for none.
        push: "org/name" of a dataset repo that it is uploaded to in the end.
        private: whether a repo that is made is private.
        **more: `limit`, `retry_failed`, `overwrite`.

    Returns:
        How many clips passed each stage, and why others were dropped; printing it shows a table.

    Raises:
        ArgumentError: an argument has a value that cannot be used.
        OpenS2VError: the input cannot be read, the folder cannot be written, a model cannot be loaded, or a process
            died. What is done stays on the disk; the same call continues.
    """
    from opens2v_hf.pipeline.api import build as build_pipeline
    from opens2v_hf.pipeline.engines.local import LocalEngine
    from opens2v_hf.pipeline.engines.ray import RayEngine
    from opens2v_hf.pipeline.options import BuildOptions

    if engine not in ("local", "ray"):
        raise ArgumentError(f"engine must be 'local' or 'ray' (got {engine!r})")
    made = build_pipeline(
        source,
        out,
        options=BuildOptions.of(options) if isinstance(options, Mapping) else options,
        stages=stages,
        from_dataset=from_dataset,
        engine=LocalEngine(processes) if engine == "local" else RayEngine(address, workers),
        pairs=pairs,
        views=views,
        **more,
    )
    if push is not None:
        from opens2v_hf.hub.built_dataset import push_dataset

        push_dataset(made.folder, push, private=private)
    return made


@checked
def convert(
    source: PathLike,
    target: PathLike,
    *,
    videos: Literal["embed", "reference"] = "embed",
    url_base: str | None = None,
    configs: Sequence[str] | None = None,
    parts: Sequence[str] | None = None,
    subset: Literal["all", "high-quality"] = "all",
    index_dir: PathLike | None = None,
    processes: int = 1,
) -> Conversion:
    """Turn OpenS2V-5M from its released layout into Parquet shards; the same call continues one that was stopped.

    Args:
        source: the released layout: a folder or a URL that fsspec knows.
        target: folder of the converted dataset.
        videos: "embed" puts the videos into the shards, "reference" points to where they lie.
        url_base: with "reference", what the pointers begin with instead of `source`.
        configs: what to convert: "regular", "cross_pairs", "views"; all there is by default.
        parts: to convert; all by default.
        subset: of the released records.
        index_dir: where indices of the split tars lie already.
        processes: shards made at a time.

    Raises:
        ArgumentError: an argument has a value that cannot be used.
        SourceError: a released file cannot be read.
        ResultError: the folder is that of another conversion, or cannot be written.
    """
    from opens2v_hf.data.opens2v5m.released.samples import read_layout
    from opens2v_hf.data.opens2v5m.shards.convert import convert as convert_plan
    from opens2v_hf.data.opens2v5m.shards.convert_plan import CONFIGS, plan_conversion

    layout = read_layout(os.fspath(source), subset=subset, index_dir=_text(index_dir))
    plan = plan_conversion(
        layout,
        videos=videos,
        url_base=url_base,
        configs=CONFIGS if configs is None else tuple(configs),
        parts=None if parts is None else tuple(parts),
    )
    return convert_plan(plan, Path(target), processes=processes)


def doctor() -> list[Finding]:
    """Say what is installed, what will be used and what is missing; nothing is loaded, downloaded or sent."""
    from opens2v_hf.evaluation.doctor import examine

    return examine()


@checked
def push(
    result: RunResult | PathLike, model: str, *, direct: bool = False, dry_run: bool = False, **options: Any
) -> Proposal:
    """Write the scores of a result into a model's repo on the Hub; see `opens2v_hf.hub.push.push_result`.

    Args:
        result: of a scoring run, its file, or the folder that holds it.
        model: repo of the model, "org/name".
        direct: commit, instead of opening a pull request.
        dry_run: change nothing; what comes back says what would be changed.
        **options: further ones of `push_result`.

    Raises:
        ResultError: the result cannot be read, or is refused.
        HubError: there is no token, no such repo, no right to write, or no way to the Hub.
        ArgumentError: an argument has a value that cannot be used.
    """
    from opens2v_hf.hub.push import push_result

    return push_result(_result(result), model, direct=direct, dry_run=dry_run, **options)


def _result(given: RunResult | PathLike) -> RunResult:
    return given if isinstance(given, RunResult) else RunResult.load(given)


def _text(path: PathLike | None) -> str | None:
    return None if path is None else os.fspath(path)


def _reference(
    video: Path,
    sample_id: str | None,
    split_name: str,
    data_dir: PathLike | None,
    revision: str | None,
    images: Sequence[Any],
    labels: Sequence[str],
) -> NexusReference:
    from opens2v_hf.data.benchmark.split import open_split
    from opens2v_hf.metrics.nexus_reference import NexusReference
    from opens2v_hf.metrics.registry import METRICS

    if images or labels:
        if len(images) != len(labels):
            raise ArgumentError(f"each image has one label (got {len(images)} images, {len(labels)} labels)")
        return NexusReference(tuple(images), tuple(labels), sample_id)
    name = sample_id or video.stem
    split = open_split(split_name, data_dir=_text(data_dir), revision=revision)
    for sample in split.samples:
        if sample.id == name:
            return METRICS["nexusscore"].reference(sample, split)
    raise ArgumentError(f"{split_name} has no sample {name!r}; give its `id=`, or reference pictures with their labels")
