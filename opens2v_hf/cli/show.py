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
        help="its id, or PART/ID, or the number of its row counted from 0; for cross_pairs also the id of a cluster",
    )
    place = parser.add_mutually_exclusive_group()
    place.add_argument("--data-dir", metavar="PLACE", help="folder or URL: the released layout, or converted shards")
    place.add_argument("--repo", metavar="ORG/NAME", help="dataset repo on the Hub (default: upstream's)")
    parser.add_argument("--revision", help="of the repo")
    parser.add_argument("--index-dir", metavar="FOLDER", help="indices of the split tars, see `opens2v convert`")
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
        help="pairs at most (default: 4; none where the released layout would be read over a network for them)",
    )
    parser.add_argument("--out", metavar="FILE.html", help="default: named after the sample")


def run(arguments: argparse.Namespace) -> int:
    """Write the page and print its path; 1 where a part of the sample could not be read."""
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
