"""`opens2v score`: scores of a model's videos, which it can make first."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from opens2v_hf._util.console import hide_bars, is_quiet, say, terminal_width
from opens2v_hf._util.text import one_line
from opens2v_hf.cli.as_job import add_job_arguments
from opens2v_hf.cli.generate import add_generation_arguments, check_push, push
from opens2v_hf.cli.metric_options import parse_options
from opens2v_hf.cli.options import add, add_models, chosen_models, generation_options, named, names_of
from opens2v_hf.errors import ArgumentError

_LOADING_FLAGS = ("batch_tokens", "mixed_precision")
GENERATOR_FLAGS = {"device": "generator_device", "dtype": "generator_dtype"}
"""Argument of `generate` to its name in `score`."""

_JUDGE_FLAGS = ("base_url", "concurrency", "max_calls")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument(
        "videos", metavar="VIDEOS", nargs="?", help="folder of <id>.mp4 files, or Hub dataset repo (org/name)"
    )
    add(parser, "--model", "--split")
    add(
        parser,
        "--out",
        required=True,
        help="folder for <split>.json, the videos of --model and the journal from which the same command resumes",
    )
    add(parser, "--name")
    add_scoring_arguments(parser)
    add_generation_arguments(parser)
    add_job_arguments(parser, local=scoring_paths())


def scoring_paths() -> tuple[str, ...]:
    """Arguments that may name files or folders of this machine."""
    from opens2v_hf.metrics.arguments import COMPOSITE, roles_of

    return ("videos", "model", "lora", "data_dir", "recipe", "rubric", "option", *roles_of(COMPOSITE))


def add_scoring_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags of every command that scores the videos of a model."""
    from opens2v_hf.evaluation.api import Resume
    from opens2v_hf.evaluation.passes import Memory
    from opens2v_hf.metrics.arguments import COMPOSITE, roles_of
    from opens2v_hf.metrics.registry import DEFAULT_METRICS, METRICS
    from opens2v_hf.scores.nexus import VARIANTS

    add(
        parser,
        "--metrics",
        default=",".join(DEFAULT_METRICS),
        help=f"comma-separated, of {','.join(METRICS)} (default: all but "
        f"{' and '.join(name for name in METRICS if name not in DEFAULT_METRICS)})",
    )
    parser.add_argument(
        "--resume",
        choices=get_args(Resume),
        default="auto",
        help="auto: resume from the finished scores in --out, and replace nothing else; retry-failed: repeat also "
        "failures whose cause is the video; never: discard and replace an earlier result (default: auto)",
    )
    add(parser, "--data-dir", "--revision")
    parser.add_argument("--videos-revision", metavar="REVISION", help="of the Hub repo of videos")
    add(parser, "--recursive", "--backend")

    trial = parser.add_argument_group(
        "trial", "only some samples; the result is <split>.partial.json and is not comparable with a leaderboard"
    )
    add(trial, "--limit", "--ids", "--category")

    models = add_models(parser, roles_of(COMPOSITE))
    models.add_argument(
        "--memory",
        default="keep",
        choices=get_args(Memory),
        help="low: load one group of models after another, and decode the videos once for each group (default: keep)",
    )
    parser.add_argument(
        "--video-timeout",
        type=float,
        default=7200.0,
        metavar="SECONDS",
        help="time limit of one video; one that takes longer fails, and the others are scored (default: 7200)",
    )
    models.add_argument("--batch-tokens", type=int, metavar="N", help="tokens computed at a time; bounds memory")

    natural = parser.add_argument_group("naturalscore")
    natural.add_argument("--judge-base-url", metavar="URL", help="of an OpenAI-compatible endpoint")
    natural.add_argument("--judge-concurrency", type=int, metavar="N", help="requests at a time")
    natural.add_argument(
        "--judge-batch",
        action="store_true",
        help="send all requests in batches, at half the price and within a day; the same command resumes the wait",
    )
    natural.add_argument("--judge-max-calls", type=int, metavar="N", help="largest number of requests")
    natural.add_argument("--protocol", choices=("released", "full"), help="frames and rubric (default: released)")
    natural.add_argument(
        "--runs", type=int, metavar="N", help="requests to the judge for each video (default: 3, as released)"
    )
    natural.add_argument("--rubric", metavar="FILE", help="text file in place of this project's own rubric")

    options = parser.add_argument_group("metrics")
    sampling = ", ".join(name for name, entry in METRICS.items() if "num_frames" in entry.options)
    add(options, "--num-frames", help=f"of {sampling} (default: 32, as released)")
    add(options, "--variant", choices=VARIANTS)
    options.add_argument("--mixed-precision", choices=("no", "fp16", "bf16"), help="of the detector (default: no)")
    add(options, "--option")


def run(arguments: argparse.Namespace) -> int:
    """Score, write the result, print a table; 1 if a video failed or is missing.

    Under `accelerate launch` the main process writes, prints and has this exit code.
    """
    import opens2v_hf
    from opens2v_hf._util import processes
    from opens2v_hf.cli.wording import in_flags
    from opens2v_hf.results.columns import version_of
    from opens2v_hf.results.file_names import PARTIAL_ENDING
    from opens2v_hf.results.result import notes
    from opens2v_hf.results.table import format_text, wrapped

    hide_bars(downloads=is_quiet() or not processes.is_main_process())
    if arguments.videos_repo and not arguments.model:
        raise ArgumentError("--videos-repo is for videos that this run makes; name the `model=`")
    check_push(arguments)
    try:
        result = opens2v_hf.score(
            arguments.videos,
            model=arguments.model,
            split=arguments.split,
            name=arguments.name,
            out=arguments.out,
            **scoring_options(arguments),
            **{GENERATOR_FLAGS.get(key, key): value for key, value in generation_options(arguments).items()},
        )
    except KeyboardInterrupt:
        say(f"finished scores are saved in {arguments.out}; the same command resumes the run", error=True)
        raise
    if not processes.is_main_process():
        return 0
    push(arguments)
    width = terminal_width()
    if result.generation is not None:
        say(wrapped(result.generation.describe(), width))
    say(format_text([result], version=version_of(result), width=width))
    for note in notes([result]):
        say(wrapped(f"note: {note}", width))
    made = result.generation
    if made is not None and made.failed:
        reasons = [f"{sample_id}: {in_flags(why, arguments.parser)}" for sample_id, why in made.failed.items()]
        _print_list("not made", reasons, separator="\n  ")
    lacking = {
        seed: sum(value is None for values in columns.values() for value in values.values())
        for seed, columns in result.other_seeds.items()
    }
    without = [f"seed {seed}: {count}" for seed, count in lacking.items() if count]
    _print_list("missing values of further seeds, see OUT/seed-<n>", without)
    missing = [sample_id for sample_id in result.coverage.missing if made is None or sample_id not in made.failed]
    _print_list("without a video", missing)
    if not result.is_partial:
        _print_list("files of no sample of this split", result.coverage.unknown)
    failures = [
        f"{metric.name} {sample_id}: {in_flags(score.reason, arguments.parser)}"
        for metric in result.metrics
        for sample_id, score in metric.scores.items()
        if score.status == "failed"
    ]
    _print_list("not scored", failures, separator="\n  ")
    say(f"wrote {Path(arguments.out) / arguments.split}{PARTIAL_ENDING if result.is_partial else '.json'}")
    return int(bool(failures or result.coverage.missing or without))


def scoring_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """Keyword arguments of `opens2v_hf.score` from the flags of `add_scoring_arguments`."""
    metrics = names_of(arguments.metrics) or []
    options, models = _chosen(arguments, metrics)
    same = (
        *("num_frames", "device", "dtype", "limit", "ids", "category", "data_dir", "revision", "videos_revision"),
        *("recursive", "backend", "resume", "memory"),
    )
    return {
        "metrics": metrics,
        "metric_models": models,
        "options": options,
        "video_timeout_s": arguments.video_timeout,
        **named(arguments, *same),
    }


def _print_list(title: str, items: Sequence[str], *, separator: str = ", ", most: int = 12) -> None:
    if items:
        shown = separator.join(map(one_line, items[:most]))
        rest = f"{separator}... and {len(items) - most} more" if len(items) > most else ""
        say(f"{title} ({len(items)}):{separator if separator != ', ' else ' '}{shown}{rest}")


def _chosen(arguments: argparse.Namespace, metrics: Sequence[str]) -> tuple[dict[str, dict[str, Any]], Any]:
    """The options of the metrics, and the models of the roles that they need."""
    from opens2v_hf.metrics.registry import METRICS
    from opens2v_hf.models.roles import ROLES

    options, loading = parse_options(arguments.option, metrics)
    shortcuts = {
        "naturalscore": {"protocol": arguments.protocol, "runs": arguments.runs, "rubric": arguments.rubric},
        "nexusscore": {"variant": arguments.variant},
    }
    for name in metrics:
        if given := _given(shortcuts.get(name, {})):
            options[name] = {**given, **options.get(name, {})}
    roles = list(dict.fromkeys(role for name in metrics if name in METRICS for role in METRICS[name].roles))
    for role in roles:
        arguments_of_role = {name: getattr(arguments, name) for name in _LOADING_FLAGS if name in ROLES[role].arguments}
        if role == "judge":
            arguments_of_role = {name: getattr(arguments, f"judge_{name}") for name in _JUDGE_FLAGS}
            if arguments.judge_batch:
                arguments_of_role["batch"] = str(Path(arguments.out) / f"{arguments.split}.judge-batch")
        loading[role] = {**_given(arguments_of_role), **loading.get(role, {})}
    return options, chosen_models(arguments, roles, loading=loading)


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
