"""`opens2v convert`: OpenS2V-5M from its released layout to Parquet shards."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from opens2v_hf._util.console import say
from opens2v_hf.cli.options import add
from opens2v_hf.errors import SourceError

MOST_NAMED = 5

DESCRIPTION = """Converts OpenS2V-5M from its released layout (a folder, or a URL such as
hf://datasets/BestWishYsh/OpenS2V-5M) to Parquet shards. The same command resumes a conversion that was stopped or
killed. Records that cannot be read are left out and listed in rejected.jsonl."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.description = DESCRIPTION
    parser.add_argument("source", help="the released layout: a folder or a URL that fsspec knows")
    parser.add_argument("target", type=Path, help="folder of the converted dataset")
    parser.add_argument(
        "--video-storage",
        choices=("embed", "reference"),
        default="embed",
        help="put the videos into the shards, or only pointers to them (default: embed)",
    )
    parser.add_argument(
        "--url-base",
        metavar="URL",
        help="with --video-storage reference: prefix of the pointers in place of SOURCE, if SOURCE is a local copy",
    )
    parser.add_argument(
        "--configs",
        nargs="+",
        choices=("regular", "cross_pairs", "views"),
        default=("regular", "cross_pairs", "views"),
        help="configs to convert (default: all that SOURCE has)",
    )
    parser.add_argument("--parts", nargs="+", metavar="PART", help="parts to convert (default: all)")
    parser.add_argument(
        "--subset",
        choices=("all", "high-quality"),
        default="all",
        help="which set of released records (default: all)",
    )
    add(parser, "--index-dir")
    parser.add_argument("--index-only", action="store_true", help="only write the indices of the split tars to TARGET")
    add(parser, "--processes", default=os.cpu_count() or 1)
    parser.add_argument(
        "--json-bytes",
        type=int,
        metavar="N",
        help="bytes of released JSON in a shard (default: 8 MiB with embedded videos, else 256 MiB)",
    )
    add(parser, "--verify")


def run(arguments: argparse.Namespace) -> int:
    """Run the command.

    Returns:
        The exit status: 0, or 1 if the check finds problems.

    Raises:
        OpenS2VError: the conversion cannot be done; the message has the reason.
    """
    from opens2v_hf.data.opens2v5m.released.samples import read_layout
    from opens2v_hf.data.opens2v5m.released.tar_index import load_index
    from opens2v_hf.data.opens2v5m.shards.convert import REJECTED, build_indices, convert
    from opens2v_hf.data.opens2v5m.shards.convert_plan import plan_conversion
    from opens2v_hf.data.opens2v5m.shards.verify import verify

    layout = read_layout(arguments.source, subset=arguments.subset, index_dir=arguments.index_dir)
    plan = plan_conversion(
        layout,
        videos=arguments.video_storage,
        url_base=arguments.url_base,
        configs=("regular",) if arguments.index_only else tuple(arguments.configs),
        parts=None if arguments.parts is None else tuple(arguments.parts),
        json_step=arguments.json_bytes,
    )
    if arguments.index_only:
        indices = build_indices(plan, arguments.target)
        if not indices:
            raise SourceError(
                f"{arguments.source} has no split tar (Videos/PART/*.tar.split.NNN) that could be indexed; single "
                "files need no index"
            )
        for path in indices:
            skipped = load_index(path).skipped
            for member in skipped[:MOST_NAMED]:
                say(f"note: {path.name} leaves out {member.name!r}: {member.reason}")
            if len(skipped) > MOST_NAMED:
                say(f"note: {path.name} leaves out {len(skipped) - MOST_NAMED} more")
        say(f"indices of the split tars are in {arguments.target}")
        return 0
    done = convert(plan, arguments.target, processes=arguments.processes)
    for config, rows in done.rows.items():
        say(f"{config}: {rows} rows")
    if done.rejected:
        say(f"{done.rejected} records were left out; {done.folder / REJECTED} lists them with reasons")
    if not arguments.verify:
        return 0
    found = verify(arguments.target)
    for problem in found.problems:
        say(problem, error=True)
    verdict = f"{len(found.problems)} problems" if found.problems else "all is well"
    say(f"checked {found.shards} shards, {sum(found.rows.values())} rows, {found.masks} masks: {verdict}")
    return 1 if found.problems else 0
