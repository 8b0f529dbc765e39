"""Makes the videos of a split: one resumable unit for each sample, shared by the processes of a launch.

`<id>.mp4` is a video and `<id>.json` its record. The video gets its name last, so that a killed process leaves no
incomplete one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from datetime import timedelta
from numbers import Integral
from pathlib import Path
from typing import Any

from opens2v_hf._util import processes as launcher
from opens2v_hf._util.console import remark
from opens2v_hf._util.progress import Progress as ProgressBar
from opens2v_hf._util.text import reason_of
from opens2v_hf.data.benchmark.sample import EvalSample
from opens2v_hf.data.benchmark.split import EvalSplit
from opens2v_hf.errors import ArgumentError, ResultError
from opens2v_hf.generators.files import refuse_foreign_videos, remove_leftovers, remove_outdated, write_file
from opens2v_hf.generators.outcome import GenerationRun, Settings
from opens2v_hf.generators.recipe import SEED, Recipe
from opens2v_hf.generators.references import TooMany
from opens2v_hf.generators.request import Described, Generator, GeneratorInfo
from opens2v_hf.generators.unit import UNIT, Common, SampleGroup, is_made
from opens2v_hf.jobs.error_log import ErrorLog
from opens2v_hf.jobs.journal import open_journal
from opens2v_hf.jobs.lock import only_run
from opens2v_hf.jobs.processes import joined
from opens2v_hf.jobs.run import collect, run_units
from opens2v_hf.jobs.time_limit import Limits
from opens2v_hf.jobs.unit import Group, GroupOutcome

VIDEO_TIMEOUT_S = 6 * 3600.0
"""Time limit of one video."""

_WORTH_SAYING_S = 2.0


def chosen_seeds(seed: int, seeds: Sequence[int] | None) -> tuple[int, ...]:
    """The seeds of a run from the arguments `seed` and `seeds`.

    Raises:
        ArgumentError: both are given, there is no seed, one is repeated, or one is no whole number in 0..2**53 - 1.
    """
    if seeds is None:
        found: tuple[int, ...] = (seed,)
    elif isinstance(seeds, str) or not isinstance(seeds, Sequence) or not seeds:
        raise ArgumentError(f"seeds must be a list of whole numbers, at least one (got {seeds!r})")
    elif seed != SEED:
        raise ArgumentError("give either `seed=` or `seeds=`, whose first one is the seed of the result")
    else:
        found = tuple(seeds)
    for each in found:
        if isinstance(each, bool) or not isinstance(each, Integral) or not 0 <= each < 2**53:
            raise ArgumentError(f"seed must be a whole number from 0 to 2**53 - 1 (got {each!r})")
    if len(set(found)) < len(found):
        raise ArgumentError(f"each of the seeds must be named once (got {list(found)})")
    return tuple(map(int, found))  # JSON has no integers of NumPy


def complete_settings(
    generator: Described,
    recipe: Recipe | None = None,
    *,
    seed: int = SEED,
    too_many_references: TooMany = "fail",
    seeds: tuple[int, ...] = (),
) -> Settings:
    """The settings with the generator's defaults; those that the generator cannot use are refused.

    Args:
        generator: loaded or planned.
        recipe: of the user.
        seed: of the videos; see `chosen_seeds`.
        too_many_references: see `TooMany`.
        seeds: all seeds of the run, if there are several.

    Raises:
        ArgumentError: a setting has a value that cannot be used.
    """
    if too_many_references not in ("fail", "first", "collage"):
        raise ArgumentError(f"too_many_references must be 'fail', 'first' or 'collage' (got {too_many_references!r})")
    complete = (recipe or Recipe()).over(generator.recipe)
    if callable(check := getattr(generator, "check_recipe", None)):
        check(complete)
    return Settings(complete, seed, too_many_references, seeds)


def generate_videos(
    generator: Generator,
    split: EvalSplit,
    folder: str | os.PathLike[str],
    settings: Settings,
    *,
    ids: Collection[str] | None = None,
    retry_failed: bool = False,
    distributed: bool = True,
    num_later: int = 0,
) -> GenerationRun:
    """Make the videos of a split that do not exist yet.

    The same call after a crash makes the missing videos and none twice, with any number of processes.

    Args:
        generator: loaded.
        split: of the benchmark.
        folder: of the videos; created if it is missing.
        settings: of `complete_settings`.
        ids: of the samples; all of them by default.
        retry_failed: repeat also requests that failed for a permanent reason.
        distributed: False to make all videos in this process, also under a launcher.
        num_later: number of videos that later calls make, for the estimate of the time.

    Raises:
        ArgumentError: no sample is chosen.
        ResultError: another run uses the folder, or it cannot be written; finished videos are saved.
        ProcessError: the videos were shared, and a process failed or died.
    """
    folder = Path(folder)
    journal_folder = folder.with_name(f"{folder.name}.journal")
    samples = [sample for sample in split.samples if ids is None or sample.id in ids]
    if not samples:
        raise ArgumentError("no sample of the split was chosen")
    with ExitStack() as held:
        shown = not distributed or launcher.is_main_process()
        bar = held.enter_context(ProgressBar(len(samples), description=generator.info.name, unit="video", shown=shown))

        def take_folder() -> None:
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except (OSError, ValueError) as error:  # a NUL character in the path
                raise ResultError(f"cannot make the folder {folder}: {reason_of(error)}") from error
            held.enter_context(only_run(journal_folder))
            refuse_foreign_videos(folder, samples)
            remove_leftovers(folder)

        request = [asdict(generator.info), settings.recipe.to_dict(), settings.seed, [sample.id for sample in samples]]
        processes = held.enter_context(
            joined(lambda: request, bar.update, folder=journal_folder, prepare=take_folder, distributed=distributed)
        )
        journal = open_journal(journal_folder, rank=processes.rank, launch=processes.launch)
        held.callback(journal.close)
        num_left = sum(not is_made(sample, split, folder, generator.info, settings) for sample in samples)
        took = _Estimate(num_left + num_later, processes.count) if shown else lambda seconds: None
        common = Common(generator, split, folder, settings, lambda key: journal.get(key), shown, took)
        groups: list[Group] = [SampleGroup(common, sample) for sample in samples]
        own = run_units(
            groups,
            journal=journal,
            processes=processes,
            errors=ErrorLog(journal_folder.with_suffix(".errors.log")),
            retry_failed=retry_failed,
            limits=Limits.for_videos(VIDEO_TIMEOUT_S),
        )
        processes.finish()
        others = journal.gather(journal_folder, processes.launch) if processes.count > 1 else {}
        outcomes = collect("0", len(samples), own, others, journal)
        run = _summary(generator.info, settings, samples, outcomes)
        if processes.rank == 0:
            remove_outdated(folder, run.failed)
            write_file(folder / "generation.json", json.dumps(run.to_dict(), indent=2, ensure_ascii=False))
    return run


class _Estimate:
    """Prints after the first video how long the others take."""

    def __init__(self, num_videos: int, num_processes: int) -> None:
        self._num_videos = num_videos
        self._num_processes = num_processes

    def __call__(self, seconds: float) -> None:
        rest = self._num_videos - self._num_processes
        if rest > 0 and seconds >= _WORTH_SAYING_S:
            duration = timedelta(seconds=round(seconds * rest / self._num_processes))
            remark(f"the first video took {seconds:.0f} s; the other {rest} take about {duration} in all")
        self._num_videos = 0


def _summary(
    info: GeneratorInfo, settings: Settings, samples: Sequence[EvalSample], outcomes: Sequence[GroupOutcome]
) -> GenerationRun:
    made: dict[str, Mapping[str, Any]] = {}
    failed: dict[str, str] = {}
    reused = 0
    for sample, group in zip(samples, outcomes, strict=True):
        outcome = group.units[UNIT]
        if outcome.failed:
            failed[sample.id] = outcome.reason
        else:
            made[sample.id] = outcome.value
            reused += outcome.known
    return GenerationRun(info, settings, made, failed, reused)
