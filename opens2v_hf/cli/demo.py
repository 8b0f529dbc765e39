"""`opens2v demo`: the main job on data that this package makes itself."""

from __future__ import annotations

import argparse

from opens2v_hf._util.console import say, terminal_width
from opens2v_hf.cli.options import add


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    add(parser, "--out", default="demo-output")
    parser.add_argument(
        "--per-category", type=int, default=3, metavar="N", help="samples of each id prefix (default: 3)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the sample (default: 0)")


def run(arguments: argparse.Namespace) -> int:
    """Make the sample, score the simulated models, write the report."""
    from opens2v_hf.cli import hide_bars
    from opens2v_hf.cli.demo_run import run_demo

    hide_bars()  # the embedded models are loaded at once

    run_demo(arguments.out, per_category=arguments.per_category, seed=arguments.seed, say=say, width=terminal_width())
    return 0
