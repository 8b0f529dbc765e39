"""Make a dataset: from videos, or from a dataset to which some stages are applied again."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from opens2v_hf._util.files import check_no_url, visible_files, whole_file, write_errors
from opens2v_hf._util.json_file import read_json
from opens2v_hf.data.opens2v5m.released.byte_source import shown_url
from opens2v_hf.errors import ArgumentError, ResultError, SourceError
from opens2v_hf.jobs.lock import only_run
from opens2v_hf.pipeline.card import write_card
from opens2v_hf.pipeline.engines.local import LocalEngine
from opens2v_hf.pipeline.engines.outcome import EngineResult
from opens2v_hf.pipeline.inputs import InputFile, Listing, list_input
from opens2v_hf.pipeline.manifest import write_manifest
from opens2v_hf.pipeline.options import BuildOptions
from opens2v_hf.pipeline.pairs import PairOptions, make_pairs
from opens2v_hf.pipeline.readers import BuiltShards, Reader, VideoFiles
from opens2v_hf.pipeline.stage import Stage
from opens2v_hf.pipeline.stage_models import forget_endpoints
from opens2v_hf.pipeline.stages import make_stages
from opens2v_hf.pipeline.summary import Build, summarise
from opens2v_hf.pipeline.unit_work import UnitWork, describe, digest_of
from opens2v_hf.pipeline.units import (
    WORK_FOLDER,
    BuildPlan,
    UnitSize,
    make_plan,
    path_of,
    read_plan,
    undone,
    write_plan,
)

if TYPE_CHECKING:
    from opens2v_hf.pipeline.views import ViewOptions

Location = str | os.PathLike[str]
RECIPE = f"{WORK_FOLDER}/recipe.json"

_BEFORE_CLIPS = ("probe", "scenes")
"""Stages that need the files which clips were cut from."""


def build(
    source: Location | None,
    out: Location,
    *,
    options: BuildOptions | None = None,
    stages: Sequence[str | Stage] | None = None,
    from_dataset: Location | None = None,
    engine: Any = None,
    pairs: PairOptions | bool = True,
    views: ViewOptions | None = None,
    limit: int | None = None,
    retry_failed: bool = False,
    overwrite: bool = False,
) -> Build:
    """Make a dataset like OpenS2V-5M from videos, or resume it.

    First the clips, unit by unit; then the pairs of clips with the same subject; then, where a model for it is named,
    the views; then the manifest and the card. The same arguments resume a run that ended for any reason, and give the
    same bytes.

    Args:
        source: folder or URL of the videos; None with `from_dataset`.
        out: folder of the dataset; empty, missing, or begun by the same call.
        options: how the clips are made.
        stages: names of the pipeline's stages and the caller's own objects, in their order; by default all of the
            pipeline's.
        from_dataset: folder of a dataset to whose clips the stages are applied again; everything else is copied.
        engine: `LocalEngine` or `RayEngine`; by default this process alone.
        pairs: how pairs are made; False for none. By default they are made where there are vectors, and thresholds are
            known for the embedder.
        views: how views are made; None for none.
        limit: takes only so many files, the first by name.
        retry_failed: process units again in which a clip was dropped by an error.
        overwrite: process units again that were made with other options.

    Raises:
        ArgumentError: an argument has a value that cannot be used.
        SourceError: the input cannot be listed, or holds no video.
        ResultError: the folder holds something else, another run writes to it, or it cannot be written. Finished units
            remain.
        OpenS2VError: a model cannot be loaded, a process died, or an endpoint answers no more. Finished units remain.
    """
    options = options or BuildOptions()
    made = build_dataset(
        source,
        out,
        options=options,
        stages=stages,
        from_dataset=from_dataset,
        engine=engine,
        limit=limit,
        retry_failed=retry_failed,
        overwrite=overwrite,
    )
    notes: list[str] = []
    folder = made.folder
    if pairs is not False and made.rows["regular"]:
        notes += _make_pairs(folder, pairs)
    if views is not None and made.rows["regular"]:
        from opens2v_hf.pipeline.views import make_views  # its model may be heavy

        notes += make_views(folder, views).notes()
    plan = read_plan(folder)
    if plan is None:
        raise ResultError(f"{folder / WORK_FOLDER} was removed while the dataset was made; run the same command again")
    description = read_json(folder / RECIPE)
    rows = write_manifest(folder, plan, description)
    made = replace(made, rows=rows, notes=tuple(notes))
    write_card(folder, made, description, options.licence)
    return made


def _make_pairs(folder: Path, pairs: PairOptions | bool) -> list[str]:
    """Make pairs, and return notes; with default options, an obstacle is a note and no error."""
    if not visible_files(folder / "vectors", "*.npz"):
        return ["no pairs were made: the stages left no vectors of subjects"]
    if isinstance(pairs, PairOptions):
        make_pairs(folder, pairs)
        return []
    try:
        make_pairs(folder)
    except ArgumentError as error:
        return [f"no pairs were made: {error}"]
    return []


def build_dataset(
    source: Location | None,
    out: Location,
    *,
    options: BuildOptions | None = None,
    stages: Sequence[str | Stage] | None = None,
    from_dataset: Location | None = None,
    engine: Any = None,
    limit: int | None = None,
    retry_failed: bool = False,
    overwrite: bool = False,
) -> Build:
    """Make the clips of a dataset, or resume it. Pairs and views are made after this.

    The same arguments resume a run that ended for any reason, and give the same bytes. The unit of a changed file is
    processed again; added files get units of their own.

    Args:
        source: see `build`, likewise the other arguments.
        out: likewise.
        options: likewise.
        stages: likewise.
        from_dataset: likewise.
        engine: has the method `run` of `LocalEngine`; by default that one, with one process.
        limit: likewise.
        retry_failed: likewise.
        overwrite: likewise.
    """
    check_no_url(out)
    folder = path_of(out)
    options = options or BuildOptions()
    forget_endpoints()
    applied = choose_stages(options, stages)
    _check_locations(source, from_dataset, folder)
    reader: Reader
    if from_dataset is None:
        reader = VideoFiles(options.crf, options.licence)
        size = options.unit_size
    else:
        _check_stages_on_clips(stages, applied)
        reader = BuiltShards(folder, str(path_of(from_dataset) / "vectors"))
        size = UnitSize(files=1)
    if limit is not None and (isinstance(limit, bool) or limit < 1):
        raise ArgumentError(f"limit must be a number of files from 1 (got {limit!r})")
    description = describe(applied, _output_facts(options, from_dataset is not None))
    listing = list_input(source) if from_dataset is None and source is not None else _shards_of(from_dataset)
    if not listing.files and read_plan(folder) is None:  # the folder is not claimed yet
        root = shown_url(listing.root)
        raise SourceError(f"{root} holds no video; {listing.num_others} other files were found there")
    with write_errors(folder), only_run(folder / WORK_FOLDER):
        _claim(folder, description, overwrite=overwrite)
        _remove_leftovers(folder)
        plan = _planned(folder, listing, size, limit)
        work = UnitWork(folder, applied, reader, digest_of(description))
        left = undone(folder, plan.units, work.recipe, retry_failed=retry_failed)
        result: EngineResult = (engine or LocalEngine()).run(work, left, total=len(plan.units))
        rows = write_manifest(folder, plan, description)
    rows.pop("regular")
    return summarise(folder, plan, result.failed, rows)


def choose_stages(options: BuildOptions, stages: Sequence[str | Stage] | None) -> list[Stage]:
    """The stages of a build, not loaded: those of the pipeline by name, and the caller's own objects.

    Raises:
        ArgumentError: there is no such stage, two have one name, or an argument of one cannot be used.
    """
    arguments = options.arguments()
    if stages is None:
        return make_stages(arguments)
    if not stages:
        raise ArgumentError("no stage was chosen; name at least one")
    names = [stage if isinstance(stage, str) else stage.name for stage in stages]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise ArgumentError(f"two stages are named {repeated[0]!r}; provenance and reports go by their names")
    # those of the pipeline in its own order, not in the order of the names
    ordered = iter(make_stages(arguments, [stage for stage in stages if isinstance(stage, str)]))
    return [next(ordered) if isinstance(stage, str) else stage for stage in stages]


def _output_facts(options: BuildOptions, from_dataset: bool) -> dict[str, Any]:
    if from_dataset:
        return {"from_dataset": True}
    return {"crf": options.crf, "licence": options.licence}


def _check_locations(source: Location | None, from_dataset: Location | None, out: Path) -> None:
    if (source is None) == (from_dataset is None):
        raise ArgumentError(
            "give either the folder or URL of the videos, or a dataset to apply stages to again (`from_dataset=`)"
        )
    location = os.fspath(source if source is not None else from_dataset)  # type: ignore[arg-type]
    if "://" in location:
        if from_dataset is not None:
            raise ArgumentError(
                f"{location}: download the dataset first; stages are applied again to a dataset on this machine only"
            )
        return
    inner, outer = out, path_of(location)
    if inner.is_relative_to(outer):
        raise ArgumentError(f"{out} must not be in {location}, which is read; choose a folder outside of it")


def _check_stages_on_clips(stages: Sequence[str | Stage] | None, applied: Sequence[Stage]) -> None:
    if stages is None:
        raise ArgumentError("name the stages that are to be applied again (`stages=`), e.g. caption and tags")
    if early := [stage.name for stage in applied if stage.name in _BEFORE_CLIPS]:
        raise ArgumentError(f"the stage {early[0]!r} needs the files that clips are cut from; build from these files")


def _claim(folder: Path, description: dict[str, Any], *, overwrite: bool) -> None:
    """Write the recipe into the folder; refuse a folder that holds something else."""
    path = folder / RECIPE
    if path.is_file():
        before = _recipe_before(path)
        if before != description and not overwrite:
            raise ResultError(
                f"{folder} was begun with other options ({_difference(before, description)}); give the same, choose "
                "another folder, or have its clips made again (`overwrite=True`)"
            )
    else:
        others = sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith("."))
        if others:
            raise ResultError(f"{folder} holds {others[0]!r}, and no build made it; choose an empty folder")
    with whole_file(path) as temporary:
        temporary.write_text(json.dumps(description, indent=1), "utf-8")


def _recipe_before(path: Path) -> dict[str, Any] | None:
    """The recipe of an earlier run; None where it is damaged."""
    try:
        recipe = read_json(path)
        stages = dict(recipe["stages"])
    except (ResultError, KeyError, TypeError, ValueError) as error:
        if isinstance(error.__cause__, OSError):
            raise
        return None
    return recipe if all(isinstance(facts, dict) for facts in stages.values()) else None


def _difference(before: dict[str, Any] | None, now: dict[str, Any]) -> str:
    if before is None:
        return f"{RECIPE}, which says with which, is damaged"
    stages = dict(before["stages"])
    chosen = dict(now["stages"])
    if list(stages) != list(chosen):
        return f"the stages {', '.join(stages)}, now {', '.join(chosen)}"
    for name, facts in chosen.items():
        for key in {**stages[name], **facts}:
            if stages[name].get(key) != facts.get(key):
                return f"{name}.{key} was {stages[name].get(key)!r}, now {facts.get(key)!r}"
    keys = [key for key in {**before, **now} if key != "stages" and before.get(key) != now.get(key)]
    return f"{keys[0]} was {before.get(keys[0])!r}, now {now.get(keys[0])!r}" if keys else "they were written otherwise"


def _planned(folder: Path, listing: Listing, size: UnitSize, limit: int | None) -> BuildPlan:
    before = read_plan(folder)
    if before is not None and before.root != listing.root:
        raise ResultError(
            f"{folder} is made from {shown_url(before.root)}, not from {shown_url(listing.root)}; give the same input, "
            "or another folder"
        )
    if before is not None and before.size != size:
        size = before.size  # files that are added later are grouped as the earlier ones
    plan = make_plan(listing, size, before=before, limit=limit)
    if plan != before:
        write_plan(folder, plan)
    return plan


def _shards_of(dataset: Location | None) -> Listing:
    root = path_of(dataset or "")
    files = []
    for path in visible_files(root / "data/regular", "*.parquet"):
        status = path.stat()
        files.append(InputFile(str(path), path.name, status.st_size, f"{status.st_size}-{status.st_mtime_ns}"))
    if not files:
        raise SourceError(f"{root} holds no shards (data/regular/*.parquet); give the folder of a dataset")
    return Listing(str(root), tuple(files), 0)


def _remove_leftovers(folder: Path) -> None:
    """Remove partial files of a killed process."""
    for part in (".", "data/regular", "vectors", WORK_FOLDER):
        for path in (folder / part).glob(".*.tmp"):
            path.unlink(missing_ok=True)
    shutil.rmtree(folder / WORK_FOLDER / "videos", ignore_errors=True)
