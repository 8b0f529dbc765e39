"""`opens2v compare`: two results, and which of their differences are real."""

from __future__ import annotations

import argparse

from opens2v_hf.errors import ArgumentError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    from opens2v_hf.run.compare import TOP
    from opens2v_hf.scores.scorecard import SCORINGS, VERSIONS

    parser.add_argument("a", metavar="A", help="JSON file that `opens2v score` wrote")
    parser.add_argument("b", metavar="B", help="another one, of the same split")
    parser.add_argument(
        "--scoring",
        choices=SCORINGS,
        default=SCORINGS[0],
        help="strict counts a video that failed or is missing as the worst (default: released)",
    )
    parser.add_argument("--version", choices=VERSIONS, default=VERSIONS[0], help="of the weights (default: v1.1)")
    parser.add_argument(
        "--top", type=int, default=TOP, metavar="N", help=f"prompts named for each column (default: {TOP})"
    )
    parser.add_argument("--json", action="store_true", help="print everything as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Compare and print."""
    import json

    from opens2v_hf.run.compare import compare_results
    from opens2v_hf.run.compare_text import format_comparison
    from opens2v_hf.run.result import RunResult

    if arguments.top < 0:
        raise ArgumentError(f"--top is a number from 0 (got {arguments.top})")
    comparison = compare_results(
        RunResult.load(arguments.a),
        RunResult.load(arguments.b),
        version=arguments.version,
        scoring=arguments.scoring,
        top=arguments.top,
    )
    if arguments.json:
        print(json.dumps(comparison.to_dict(), indent=2, ensure_ascii=False, allow_nan=False))
    else:
        print(format_comparison(comparison))
    return 0
