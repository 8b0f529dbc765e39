"""`opens2v compare`: two results, with a test of each difference."""

from __future__ import annotations

import argparse

from opens2v_hf._util.console import say, say_json, terminal_width
from opens2v_hf.cli.options import add


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    from opens2v_hf.results.compare import TOP

    parser.add_argument("a", metavar="A", help="result of `opens2v score`: a JSON file or its folder")
    parser.add_argument("b", metavar="B", help="result of another model on the same split")
    add(parser, "--scoring", "--weights")
    parser.add_argument(
        "--top", type=int, default=TOP, metavar="N", help=f"prompts named for each column (default: {TOP})"
    )
    add(parser, "--json")


def run(arguments: argparse.Namespace) -> int:
    """Compare and print."""
    import opens2v_hf
    from opens2v_hf.results.compare_text import format_comparison

    comparison = opens2v_hf.compare(
        arguments.a, arguments.b, weights=arguments.weights, scoring=arguments.scoring, top=arguments.top
    )
    if arguments.json:
        say_json(comparison.to_dict())
    else:
        say(format_comparison(comparison, width=terminal_width()))
    return 0
