"""`opens2v rate`: a page where a person compares the videos of models, two at a time and blind."""

from __future__ import annotations

import argparse
from contextlib import suppress
from pathlib import Path

from opens2v_hf._util.console import say
from opens2v_hf.cli.options import add, names_of
from opens2v_hf.errors import ArgumentError, MissingDependencyError

_QUESTION = "Which video follows the pictures and the prompt better?"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument(
        "videos", nargs="*", metavar="VIDEOS",
        help="for each model a folder of <id>.mp4 files or a Hub dataset repo (org/name); without any, the table is "
        "written from the answers in --out, and no page is shown",
    )  # fmt: skip
    add(
        parser, "--out", metavar="FILE", default="ratings.jsonl",
        help="file that gets a line for each answer and from which the same command resumes; the table for `opens2v "
        "agreement` has the same name with .csv (default: ratings.jsonl)",
    )  # fmt: skip
    parser.add_argument("--rater", metavar="NAME", help="name of the person who answers")
    parser.add_argument("--names", metavar="A,B", help="of the models, as results name them (default: from VIDEOS)")
    parser.add_argument(
        "--question", default=_QUESTION, metavar="TEXT", help=f"shown above the videos (default: {_QUESTION})"
    )
    add(parser, "--split", "--data-dir", "--revision", "--recursive", "--limit", "--ids", "--category")
    add(parser, "--seed", help="of the order and the sides, which differ between raters (default: 0)")


def run(arguments: argparse.Namespace) -> int:
    """Serve the page until Ctrl-C, then write the table."""
    from opens2v_hf.results.answers import read_answers, write_table

    out = Path(arguments.out)
    if out.suffix.lower() == ".csv":
        raise ArgumentError(f"--out must not end in .csv, which is the ending of the table (got {out})")
    if not out.absolute().parent.is_dir():
        raise ArgumentError(f"there is no folder {out.absolute().parent}; make it, or choose another --out")
    if arguments.videos:
        _serve(arguments, out)
    answers = read_answers(out)
    if not answers:
        say(f"{out} has no answers yet", error=True)
        return 1
    table = out.with_suffix(".csv")
    write_table(table, answers)
    say(f"wrote {table}: {len(answers)} answers; see `opens2v agreement`, with --dimension rating or choice")
    return 0


def _serve(arguments: argparse.Namespace, out: Path) -> None:
    from opens2v_hf.data.benchmark.split import open_split
    from opens2v_hf.evaluation.selection import Selection
    from opens2v_hf.evaluation.videos import find_videos, name_of_maker
    from opens2v_hf.results.answers import pairs_to_rate, read_answers

    try:
        from opens2v_hf.hub.apps.rate import Session, serve
    except ImportError as error:
        if error.name != "gradio":
            raise
        raise MissingDependencyError("the page needs gradio: pip install 'opens2v-hf[spaces]'") from error
    if not arguments.rater:
        raise ArgumentError("--rater must be the name of the person who answers")
    if not arguments.question.strip():
        raise ArgumentError("--question must not be empty")
    answers = [answer for answer in read_answers(out) if answer.rater == arguments.rater]
    asked = {answer.question for answer in answers}
    if asked - {arguments.question}:
        raise ArgumentError(f"{out} has answers of {arguments.rater} to another question; choose another --out")
    opened = open_split(arguments.split, data_dir=arguments.data_dir, revision=arguments.revision)
    ids = [sample.id for sample in opened.samples]
    founds = [find_videos(videos, ids, recursive=arguments.recursive) for videos in arguments.videos]
    default_names = [name_of_maker(*given) for given in zip(arguments.videos, founds, strict=True)]
    names = names_of(arguments.names) or default_names
    if len(names) != len(founds) or None in names or len(set(names)) < len(names):
        shown = ", ".join(str(name or "none") for name in names)
        raise ArgumentError(f"--names must give a different name for each of the VIDEOS (got {shown})")
    models = {str(name): found for name, found in zip(names, founds, strict=True)}
    several = {item for item in ids if sum(item in found.fetch for found in founds) > 1}
    chosen = Selection.of(arguments.limit, arguments.ids, arguments.category).choose(opened.samples, several)
    pairs = pairs_to_rate(
        {name: found.fetch for name, found in models.items()},
        [sample.id for sample in chosen],
        rater=arguments.rater,
        seed=arguments.seed,
    )
    session = Session(
        pairs,
        {sample.id: sample for sample in opened.samples},
        lambda model, item: models[model].fetch[item](),
        opened.picture_path,
        answers,
        rater=arguments.rater, question=arguments.question, seed=arguments.seed, out=out,
    )  # fmt: skip
    say(f"{len(pairs)} pairs of videos for {arguments.rater}, {session.first_open()} answered; Ctrl-C ends the page")
    with suppress(KeyboardInterrupt):  # the way to end the page
        serve(session)
