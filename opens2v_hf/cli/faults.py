"""`opens2v faults`: which column detects which fault, on synthetic scenes."""

from __future__ import annotations

import argparse

from opens2v_hf._util.console import say
from opens2v_hf.cli.options import add


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("--scenes", type=int, default=80, metavar="N", help="number of synthetic scenes (default: 80)")
    add(parser, "--json")


def run(arguments: argparse.Namespace) -> int:
    """Score the simulated models, print the matrix."""
    import json

    from opens2v_hf._util.progress import Progress
    from opens2v_hf.evaluation.faults import fault_matrix, format_matrix

    with Progress(max(arguments.scenes, 0), description="faults", unit="scene") as progress:
        found = fault_matrix(arguments.scenes, on_scene=progress.update)
    say(json.dumps(found.to_dict(), indent=2) if arguments.json else format_matrix(found))
    return 0
