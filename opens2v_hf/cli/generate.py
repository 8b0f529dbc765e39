"""`opens2v generate`: the videos of a model for a split of the benchmark."""

from __future__ import annotations

import argparse

from opens2v_hf._util.console import hide_bars, is_quiet, say
from opens2v_hf._util.text import count_of
from opens2v_hf.cli.as_job import add_job_arguments
from opens2v_hf.cli.options import add, generation_options


def add_generation_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags of every command that makes videos."""
    group = parser.add_argument_group("making the videos")
    group.add_argument("--model-revision", metavar="REV", help="branch, tag or commit of the model's repo")
    add(group, "--lora")
    group.add_argument("--recipe", metavar="FILE", help="JSON or YAML file of settings; the options below override it")
    for name, kind in (("width", int), ("height", int), ("num-frames", int), ("fps", float), ("steps", int)):
        group.add_argument(f"--gen-{name}", type=kind, metavar="N")
    group.add_argument("--gen-guidance", type=float, metavar="X")
    group.add_argument("--gen-flow-shift", type=float, metavar="X")
    group.add_argument("--gen-negative-prompt", metavar="TEXT")
    add(group, "--seed", default=42, help="of every video (default: 42)")
    group.add_argument(
        "--seeds",
        type=_seeds,
        metavar="A,B",
        help="make a video of each sample with each of these seeds; the result is that of the first",
    )
    group.add_argument(
        "--too-many-references",
        choices=("fail", "first", "collage"),
        default="fail",
        help="for samples with more references than the model takes (default: fail)",
    )
    add(group, "--references", "--accept-license")
    group.add_argument("--generator-device", metavar="DEVICE", help="of the model that makes the videos")
    group.add_argument("--generator-dtype", metavar="DTYPE", help="of its weights")
    group.add_argument(
        "--videos-repo",
        metavar="ORG/NAME",
        help="Hub dataset that the videos and records are pushed to, as Results/<model>/<id>.mp4",
    )
    group.add_argument("--videos-private", action="store_true", help="make that repo private if it is created")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    add(parser, "--model", required=True)
    add(parser, "--split", "--data-dir", "--revision")
    add(parser, "--out", required=True, help="folder that gets the videos, in FOLDER/videos")
    add(parser, "--limit", "--retry-failed")
    add_generation_arguments(parser)
    add_job_arguments(parser, local=("model", "lora", "data_dir", "recipe"))


def run(arguments: argparse.Namespace) -> int:
    """Make the videos."""
    from opens2v_hf._util import processes
    from opens2v_hf.cli.wording import in_flags
    from opens2v_hf.generators.api import generate
    from opens2v_hf.generators.files import seed_folder

    check_push(arguments)
    hide_bars(downloads=is_quiet() or not processes.is_main_process())
    made = generate(
        arguments.model,
        split=arguments.split,
        out=arguments.out,
        data_dir=arguments.data_dir,
        revision=arguments.revision,
        limit=arguments.limit,
        retry_failed=arguments.retry_failed,
        **generation_options(arguments),
    )
    if not processes.is_main_process():
        return 0
    for each in (made, *made.others.values()):
        of_seed = f"seed {each.settings.seed}, " if made.others else ""
        for sample_id, reason in each.failed.items():
            say(f"{of_seed}{sample_id}: {in_flags(reason, arguments.parser)}", error=True)
        folder = seed_folder(arguments.out, each.settings.seed, made.settings.seeds or (each.settings.seed,)) / "videos"
        num_made = count_of(len(each.made), "video")
        say(f"{num_made} in {folder} ({each.num_reused} from earlier runs), {len(each.failed)} failed")
    remarks = {f"references changed ({how})": count for how, count in made.references_changed.items()}
    remarks |= {"prompts cut by the text encoder": len(made.prompts_cut)}
    remarks |= {"prompts rewritten": len(made.prompts_rewritten)}
    for what, count in remarks.items():
        if count:
            say(f"{count} of {len(made.made)} videos: {what}")
    push(arguments)
    return int(any(each.failed for each in (made, *made.others.values())))


def check_push(arguments: argparse.Namespace) -> None:
    """Raise before any video is made if the videos cannot be pushed."""
    from opens2v_hf.hub.videos import check_videos_repo

    if arguments.videos_repo:
        check_videos_repo(arguments.videos_repo)


def push(arguments: argparse.Namespace) -> None:
    """Push the videos to the repo of `--videos-repo`, if it is given."""
    from opens2v_hf._util.console import remark
    from opens2v_hf.hub.videos import push_videos

    if arguments.videos_repo:
        address = push_videos(
            arguments.out,
            arguments.videos_repo,
            model=getattr(arguments, "name", None),
            private=arguments.videos_private,
            report=remark,
        )
        say(f"pushed the videos: {address}")


def _seeds(text: str) -> list[int]:
    """Whole numbers with commas between them."""
    try:
        return [int(part) for part in text.split(",")]
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"must be whole numbers with commas between them (got {text!r})") from error
