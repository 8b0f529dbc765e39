"""`opens2v rejudge`: scores from the stored answers of a judge, parsed by this version."""

from __future__ import annotations

import argparse

from opens2v_hf._util.console import say, say_json
from opens2v_hf.cli.options import add


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("result", metavar="RUN", help="result of `opens2v score`: a JSON file or its folder")
    add(
        parser,
        "--out",
        metavar="FILE",
        help="file for the result with the new scores (default: only print the changes)",
    )
    add(parser, "--json")


def run(arguments: argparse.Namespace) -> int:
    """Parse the answers, print the changes, and write the result if `--out` is given."""
    from opens2v_hf.results.rejudge import METRIC, rejudge
    from opens2v_hf.results.result import RunResult

    before = RunResult.load(arguments.result)
    found = rejudge(before)
    means = [one.metric(METRIC).summary.mean for one in (before, found.result)]
    if arguments.json:
        say_json({**found.to_dict(), "mean_before": means[0], "mean_after": means[1]})
    else:
        for change in found.changes:
            why = f" ({change.reason})" if change.reason else ""
            say(f"{change.id}: {_number(change.before)} -> {_number(change.after)}{why}")
        say(
            f"{found.num_read} videos with stored answers were parsed again, {len(found.changes)} have another score"
            + (f"; {found.num_without} videos without a stored answer are unchanged" if found.num_without else "")
        )
        say(f"mean of {METRIC}: {_number(means[0])} -> {_number(means[1])}")
    if arguments.out:
        found.result.save(arguments.out)
        if not arguments.json:
            say(f"wrote {arguments.out}")
    return 0


def _number(value: float | None) -> str:
    return "no score" if value is None else f"{value:.4f}"
