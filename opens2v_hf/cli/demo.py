"""`opens2v demo`: every step on synthetic data."""

from __future__ import annotations

import argparse

from opens2v_hf._util.console import hide_bars, say, terminal_width
from opens2v_hf.cli.options import add


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    add(parser, "--out", default="demo-output")
    parser.add_argument(
        "--per-category", type=int, default=3, metavar="N", help="samples of each id prefix (default: 3)"
    )
    add(parser, "--seed", help="of the sample (default: 0)")


def run(arguments: argparse.Namespace) -> int:
    """Run the demo."""
    from opens2v_hf.cli.demo_run import run_demo

    hide_bars()  # the embedded models load in a moment
    run_demo(arguments.out, per_category=arguments.per_category, seed=arguments.seed, say=say, width=terminal_width())
    return 0
