"""`opens2v reproduce`: a published row of the leaderboard, scored again."""

from __future__ import annotations

import argparse

from opens2v_hf._util.console import hide_bars, is_quiet, say, say_json, terminal_width
from opens2v_hf.cli.as_job import add_job_arguments
from opens2v_hf.cli.generate import add_generation_arguments, check_push, push
from opens2v_hf.cli.options import add, generation_options
from opens2v_hf.cli.score import GENERATOR_FLAGS, add_scoring_arguments, scoring_options, scoring_paths
from opens2v_hf.errors import ArgumentError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.description = (
        "Scores a published row of the leaderboard again, and compares each column with the published one: its "
        "interval, and the differences in how the videos were made. Without NAME it lists the rows and their public "
        "settings."
    )
    parser.add_argument("name", metavar="NAME", nargs="?", help="of the row, e.g. VACE-1.3B")
    parser.add_argument(
        "--from",
        dest="source",
        choices=("results", "new"),
        default="results",
        help="results: the videos that the benchmark's authors published; new: new videos by the model, with the "
        "defaults of its authors (default: results)",
    )
    parser.add_argument("--videos", metavar="VIDEOS", help="folder or Hub repo of the videos, for --from results")
    add(parser, "--model")
    add(parser, "--split", default=None, help="of OpenS2V-Eval (default: the first that has the row)")
    add(
        parser,
        "--out",
        help="folder for <split>.json and the journal from which the same command resumes (default: runs/NAME, and "
        "runs/NAME-new with --from new)",
    )
    add(parser, "--json")
    add_scoring_arguments(parser)
    add_generation_arguments(parser)
    add_job_arguments(parser, local=scoring_paths())


def check_before_job(arguments: argparse.Namespace) -> None:
    """Refuse arguments with which the job would fail, and set the default of `--out`.

    Raises:
        ArgumentError: no row is named, there is none of that name, or it is not published on the split.
    """
    from opens2v_hf.leaderboard.reproduction.published_rows import published_row

    if arguments.name is None:
        raise ArgumentError("name the row that the job reproduces; `opens2v reproduce` without a name lists all rows")
    row = published_row(arguments.name)
    row.split_or_first(arguments.split)
    if arguments.out is None:
        arguments.out = f"runs/{row.name}{'-new' if arguments.source == 'new' else ''}"


def run(arguments: argparse.Namespace) -> int:
    """List the rows, or reproduce one; 1 if a video is missing or failed."""
    import opens2v_hf
    from opens2v_hf._util import processes

    if arguments.name is None:
        _list(as_json=arguments.json)
        return 0
    check_before_job(arguments)
    if arguments.videos_repo and arguments.source != "new":
        raise ArgumentError("--videos-repo is for new videos; give `source='new'` with it")
    check_push(arguments)
    hide_bars(downloads=is_quiet() or not processes.is_main_process())
    making = {GENERATOR_FLAGS.get(key, key): value for key, value in generation_options(arguments).items()}
    reproduction = opens2v_hf.reproduce(
        arguments.name,
        source=arguments.source,
        split=arguments.split,
        videos=arguments.videos,
        model=arguments.model,
        out=arguments.out,
        **scoring_options(arguments),
        **making,
    )
    if not processes.is_main_process():
        return 0
    if arguments.json:
        say_json(reproduction.to_dict())
    else:
        say(reproduction.format(terminal_width()))
    push(arguments)
    result = reproduction.result
    failed = sum(metric.summary.num_failed for metric in result.metrics)
    return int(bool(failed or result.coverage.missing))


def _list(*, as_json: bool) -> None:
    from opens2v_hf.leaderboard.reproduction.published_rows import published_rows
    from opens2v_hf.results.table import percent, wrapped

    rows = published_rows().values()
    if as_json:
        say_json(
            {
                row.name: {
                    "link": row.link,
                    "totals": {split: one.total for split, one in row.splits.items()},
                    "model": row.model,
                    "repo": row.repo,
                    "settings": {name: vars(setting) for name, setting in row.settings.items()},
                    "text": {name: vars(setting) for name, setting in row.text.items()},
                    "unknown": list(row.unknown),
                    "why_not_new": row.why_not_new,
                }
                for row in rows
            }
        )
        return
    width = terminal_width()
    for row in rows:
        totals = ", ".join(f"{split} {percent(one.total)}" for split, one in row.splits.items())
        say(wrapped(f"{row.name}: {totals}", width))
        known = ", ".join(f"{name} {setting.value}" for name, setting in row.settings.items())
        for words in (
            f"authors' defaults: {known}" if known else "",
            *(f"{name}: {setting.value}" for name, setting in row.text.items()),
            f"not known: {'; '.join(row.unknown)}" if row.unknown else "",
            f"--from new uses {row.model}"
            if row.model
            else f"--from new needs --model: {row.why_not_new.partition(';')[0]}",
        ):
            if words:
                say(wrapped(f"  {words}", width))
    say(
        wrapped(
            "\nDefaults are those of each model's authors; the settings of the leaderboard's team are not published.",
            width,
        )
    )
