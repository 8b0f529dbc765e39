"""`opens2v show`: a page about a sample of OpenS2V-5M."""

from __future__ import annotations

import argparse

from opens2v_hf._util.console import say
from opens2v_hf.cli.options import add


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument(
        "sample",
        metavar="SAMPLE",
        help="id, PART/ID, or number of the row from 0; for cross_pairs also the id of a cluster",
    )
    source = parser.add_mutually_exclusive_group()
    add(source, "--data-dir", help="folder or URL of the released layout, or of converted shards")
    source.add_argument("--repo", metavar="ORG/NAME", help="dataset repo on the Hub (default: upstream's)")
    add(parser, "--revision", "--index-dir")
    parser.add_argument(
        "--config-name",
        default="regular",
        choices=("regular", "cross_pairs", "views"),
        help="the clip with its pairs and views (default), or one of these alone",
    )
    add(parser, "--num-frames", help="of the clip (default: 8)")
    parser.add_argument(
        "--pairs",
        type=int,
        metavar="N",
        help="largest number of pairs (default: 4; 0 if the released layout is read over a network)",
    )
    add(parser, "--out", metavar="FILE.html", help="HTML page to write (default: named after the sample)")


def run(arguments: argparse.Namespace) -> int:
    """Write the page and print its path; 1 if a part of the sample cannot be read."""
    from opens2v_hf.reports.sheet.show import NUM_FRAMES, DatasetLocation, check_path, fetch, write_sheet

    check_path(arguments.out)
    shown = fetch(
        DatasetLocation(arguments.data_dir, arguments.repo, arguments.revision, arguments.index_dir),
        arguments.sample,
        config=arguments.config_name,
        num_frames=NUM_FRAMES if arguments.num_frames is None else arguments.num_frames,
        most_pairs=arguments.pairs,
    )
    path = write_sheet(shown, arguments.out)
    problems = [problem for part in (shown.clip, shown.views) if part is not None for problem in part.problems]
    for sentence in (*problems, *shown.notes):
        say(f"note: {sentence}")
    say(f"wrote {path}")
    return int(bool(problems))
