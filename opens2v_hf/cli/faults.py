"""`opens2v faults`: which column detects which fault, on synthetic scenes."""

from __future__ import annotations

import argparse

from opens2v_hf._util.console import say
from opens2v_hf.cli.options import add, names_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("--scenes", type=int, default=80, metavar="N", help="number of synthetic scenes (default: 80)")
    parser.add_argument(
        "--faults", metavar="NAMES",
        help="of the simulated models, with commas; only scenes in which one of them can be seen (default: all)",
    )  # fmt: skip
    parser.add_argument("--first-seed", type=int, default=900_000, metavar="N", help="of the scenes (default: 900000)")
    add(parser, "--json")


def run(arguments: argparse.Namespace) -> int:
    """Score the simulated models, print the matrix."""
    import json

    from opens2v_hf._util.progress import Progress
    from opens2v_hf.evaluation.faults import fault_matrix, format_matrix

    with Progress(max(arguments.scenes, 0), description="faults", unit="scene") as progress:
        found = fault_matrix(
            arguments.scenes,
            faults=names_of(arguments.faults),
            first_seed=arguments.first_seed,
            on_scene=progress.update,
        )
    say(json.dumps(found.to_dict(), indent=2) if arguments.json else format_matrix(found))
    return 0
