"""`opens2v build`: a dataset like OpenS2V-5M from a folder of videos."""

from __future__ import annotations

import argparse
import os
from dataclasses import fields
from pathlib import Path
from typing import Any, get_type_hints

from pydantic import TypeAdapter, ValidationError

from opens2v_hf._util.console import say
from opens2v_hf._util.repo_id import check_repo_id
from opens2v_hf.cli.as_job import add_job_arguments
from opens2v_hf.cli.metric_options import split_option
from opens2v_hf.cli.options import add, add_models, chosen_models, names_of
from opens2v_hf.errors import ArgumentError

DESCRIPTION = """Makes a dataset like OpenS2V-5M from a folder of videos: clips, captions, tags, subjects with masks,
scores, pairs across videos. The same command resumes a run that was stopped or killed, and gives the same bytes. Videos
that cannot be used are left out, counted and named."""

ROLES = ("captioner", "text_detector", "segmenter", "embedder", "aesthetic_encoder", "aesthetic_head", "quality_scorer")
_VIEWS = "views"
"""Takes the place of a stage in `--option views.KEY=VALUE`, for a field of `ViewOptions`."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.description = DESCRIPTION
    parser.add_argument(
        "source", nargs="?", help="folder of videos, or a URL that fsspec knows (hf://, s3://); not with --from"
    )
    parser.add_argument("out", metavar="OUT", help="folder of the dataset")
    parser.add_argument(
        "--from", dest="from_dataset", metavar="DATASET", help="dataset whose clips the --stages are applied to again"
    )
    parser.add_argument("--stages", metavar="A,B", help="stages to apply, by name (default: all)")
    add(parser, "--limit", help="only the first N videos by name")
    parser.add_argument(
        "--plan", action="store_true", help="print an estimate of time, storage and cost, with sources, and do nothing"
    )
    parser.add_argument("--probe", type=int, metavar="N", help="with --plan: measure each stage on N videos")
    _add_clips(parser)
    _add_models(parser)
    _add_engine(parser)
    _add_after(parser)
    paths = ("source", "from_dataset", "captions", "tagger", "inpainter", "views_model", "prices", "option", *ROLES)
    add_job_arguments(parser, local=paths)


def check_before_job(arguments: argparse.Namespace) -> None:
    """Refuse arguments with which the job would fail.

    Raises:
        ArgumentError: a value cannot be used, or `source` is neither a folder of this machine nor a URL.
    """
    from opens2v_hf.pipeline.api import choose_stages

    choose_stages(_options(arguments), names_of(arguments.stages))
    _engine(arguments)
    _views(arguments)
    _check_afterwards(arguments)
    for source in (arguments.source, arguments.from_dataset):
        if source is not None and "://" not in source and not os.path.isdir(source):
            raise ArgumentError(f"{source}: there is no such folder; give a folder, or a URL such as hf://datasets/...")


def _add_clips(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("clips")
    group.add_argument("--min-seconds", type=float, metavar="S", help="of a clip (default: 2)")
    group.add_argument("--max-seconds", type=float, metavar="S", help="of a clip (default: 10)")
    group.add_argument(
        "--scene-detector",
        choices=("auto", "transnetv2", "scenedetect", "none"),
        help="finds cuts; none: a file is one shot (default: the first of the others that is installed)",
    )
    group.add_argument("--captions", metavar="FILE", help="JSON file of captions by file, instead of a captioner's")
    group.add_argument("--preset", help="rules that clips and subjects must pass, e.g. high-quality (default: none)")
    group.add_argument("--crf", type=int, metavar="N", help="quality of clips that are cut out, 0 to 51 (default: 14)")
    group.add_argument("--licence", help="of the videos, for the shards and the card")
    group.add_argument("--unit-files", type=int, metavar="N", help="videos of a shard at most (default: 32)")
    group.add_argument("--unit-megabytes", type=int, metavar="N", help="of these at most (default: 256)")
    add(group, "--option", help="an argument of a stage (detect.min_score=0.3); may be repeated")


def _add_models(parser: argparse.ArgumentParser) -> None:
    group = add_models(parser, ROLES)
    group.add_argument("--tagger", metavar="MODEL", help="finds the subjects in a caption (default: the captioner)")
    group.add_argument("--inpainter", metavar="MODEL", help="removes subjects from the background (default: OpenCV)")


def _add_engine(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("where it runs")
    group.add_argument("--engine", choices=("local", "ray"), default="local", help="(default: local)")
    add(group, "--processes")
    group.add_argument("--address", help="of a running Ray cluster, e.g. auto")
    group.add_argument(
        "--workers", type=int, metavar="N", help="of each step on Ray (default: as many as fit the cluster)"
    )
    group.add_argument("--unit-timeout", type=float, metavar="S", help="seconds a shard may take (default: 12 h)")
    add(group, "--retry-failed")
    group.add_argument("--overwrite", action="store_true", help="replace shards that were made with other options")


def _add_after(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("afterwards")
    group.add_argument("--no-pairs", action="store_true", help="make no pairs across videos")
    group.add_argument(
        "--views-model", metavar="MODEL", help="makes views of the subjects: openai:<model>, a Hub id or a folder"
    )
    group.add_argument("--views-max-cost", type=float, metavar="X", help="limit of their total cost, in US dollars")
    group.add_argument("--prices", metavar="FILE", help="JSON file of prices of endpoints, for --report and the views")
    group.add_argument(
        "--report", action="store_true", help="write an HTML page about the clips that each stage dropped"
    )
    add(group, "--verify")
    group.add_argument("--push", metavar="ORG/NAME", help="upload it as a dataset on the Hub")
    add(group, "--private")


def run(arguments: argparse.Namespace) -> int:
    """Build, and print the counts of each stage; 1 if a shard is not done or the check finds problems."""
    from opens2v_hf.data.opens2v5m.shards.verify import verify
    from opens2v_hf.pipeline.api import build
    from opens2v_hf.pipeline.stage_models import hide_bars_of_weights

    hide_bars_of_weights()
    options = _options(arguments)
    stages = names_of(arguments.stages)
    if arguments.probe is not None and not arguments.plan:
        raise ArgumentError("--probe goes with --plan; --limit makes a dataset of some videos")
    if arguments.plan:
        return _plan(arguments, options, stages)
    _check_afterwards(arguments)
    made = build(
        arguments.source,
        arguments.out,
        options=options,
        stages=stages,
        from_dataset=arguments.from_dataset,
        engine=_engine(arguments),
        pairs=not arguments.no_pairs,
        views=_views(arguments),
        limit=arguments.limit,
        retry_failed=arguments.retry_failed,
        overwrite=arguments.overwrite,
    )
    say(made)
    code = int(not made.is_complete)
    if arguments.report:
        from opens2v_hf.reports.build_page import write_build_report

        say(f"wrote {write_build_report(made.folder, arguments.prices)}")
    if arguments.verify:
        found = verify(made.folder)
        for problem in found.problems:
            say(problem, error=True)
        say(f"checked {found.shards} shards, {sum(found.rows.values())} rows, {found.masks} masks")
        code = code or int(bool(found.problems))
    if arguments.push is not None and code:
        say("it was not pushed, because it is not complete or the check has found problems", error=True)
    elif arguments.push is not None:
        from opens2v_hf.hub.built_dataset import push_dataset

        push_dataset(Path(made.folder), arguments.push, private=arguments.private, report=say)
    return code


def _check_afterwards(arguments: argparse.Namespace) -> None:
    """Refuse before the build what would fail after it."""
    if arguments.push is not None:
        check_repo_id(arguments.push, "the repo of the dataset")
    if arguments.prices is not None:
        from opens2v_hf.pipeline.prices import price_of

        price_of("", arguments.prices)


def _options(arguments: argparse.Namespace) -> Any:
    from opens2v_hf.models.info import EMBEDDED
    from opens2v_hf.pipeline.options import BuildOptions

    choices = chosen_models(arguments, [role for role in ROLES if role != "quality_scorer" or arguments.quality_scorer])
    models: dict[str, Any] = {role: {"name": str(choice.name), **choice.arguments} for role, choice in choices.items()}
    models |= {role: getattr(arguments, role) for role in ("tagger", "inpainter") if getattr(arguments, role)}
    names = (
        *("min_seconds", "max_seconds", "scene_detector", "captions", "preset", "crf", "licence", "unit_files"),
        *("unit_megabytes", "device", "dtype"),
    )
    given = {name: getattr(arguments, name) for name in names if getattr(arguments, name) is not None}
    if (
        arguments.models == EMBEDDED
        and len(models) == len(choices)
        and all(choice.name == EMBEDDED and not choice.arguments for choice in choices.values())
    ):
        models = EMBEDDED  # type: ignore[assignment]
    stages = _stage_options(arguments.option)
    stages.pop(_VIEWS, None)
    return BuildOptions.of({**given, "models": models, "stages": stages}, "the flags")


def _stage_options(words: list[str]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for word in words:
        stage, key, value = split_option(word, "STAGE.KEY=VALUE, e.g. detect.min_score=0.3")
        found.setdefault(stage, {})[key] = value
    return found


def _engine(arguments: argparse.Namespace) -> Any:
    from opens2v_hf.pipeline.engines.local import LocalEngine
    from opens2v_hf.pipeline.engines.ray import RayEngine

    timeout = {} if arguments.unit_timeout is None else {"unit_timeout_s": arguments.unit_timeout}
    if arguments.engine == "ray":
        if arguments.processes != 1:
            raise ArgumentError("--processes goes with the local engine; --engine ray takes --workers")
        return RayEngine(arguments.address, arguments.workers, **timeout)
    if arguments.address or arguments.workers:
        raise ArgumentError("--address and --workers go with --engine ray; the local engine takes --processes")
    if arguments.processes < 1:
        raise ArgumentError(f"--processes must be at least 1 (got {arguments.processes})")
    return LocalEngine(arguments.processes, **timeout)


def _views(arguments: argparse.Namespace) -> Any:
    chosen = _stage_options(arguments.option).get(_VIEWS, {})
    if arguments.views_model is None:
        if arguments.views_max_cost is not None or chosen:
            raise ArgumentError("--views-max-cost and --option views.* go with --views-model, which makes the views")
        return None
    from opens2v_hf.pipeline.views import ViewOptions

    known = {field.name for field in fields(ViewOptions)} - {"model", "api_key"}  # a key on a command line is shown
    if unknown := sorted(set(chosen) - known):
        raise ArgumentError(f"--option views.{unknown[0]} does not exist; there are {', '.join(sorted(known))}")

    embedder = "embedded" if arguments.models else arguments.embedder
    given = {
        "embedder": embedder,
        "device": arguments.device,
        "max_cost": arguments.views_max_cost,
        "prices": arguments.prices,
    }
    given = {name: value for name, value in given.items() if value is not None}
    types = get_type_hints(ViewOptions)
    for key, value in chosen.items():
        try:
            TypeAdapter(types[key]).validate_python(value, strict=key != "prices")  # a path is given as text
        except ValidationError as error:
            raise ArgumentError(f"--option views.{key}: {error.errors()[0]['msg']} (got {value!r})") from error
    return ViewOptions(model=arguments.views_model, **{**given, **chosen})


def _plan(arguments: argparse.Namespace, options: Any, stages: list[str] | None) -> int:
    from opens2v_hf.pipeline.plan import plan_build

    if arguments.source is None or arguments.from_dataset is not None:
        raise ArgumentError("--plan needs a folder of videos as SOURCE; there is no plan for --from")
    say(
        plan_build(
            arguments.source, options=options, stages=stages, limit=arguments.limit, probe=arguments.probe,
            views_model=arguments.views_model,
        )
    )  # fmt: skip
    return 0
