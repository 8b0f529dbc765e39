"""`opens2v rejudge`: the stored answers of a judge, read again by this version."""

from __future__ import annotations

import argparse

from opens2v_hf._util.console import say, say_json
from opens2v_hf.cli.options import add


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument(
        "result", metavar="RUN", help="what `opens2v score` wrote: a JSON file, or the folder that holds it"
    )
    add(parser, "--out", metavar="FILE", help="result with the new scores to write (default: only say what changes)")
    add(parser, "--json")


def run(arguments: argparse.Namespace) -> int:
    """Read the answers, print what changes, write the result where that is wanted."""
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
            f"{found.num_read} videos with stored answers were read again, {len(found.changes)} have another score"
            + (f"; {found.num_without} videos have no stored answer and are as before" if found.num_without else "")
        )
        say(f"mean of {METRIC}: {_number(means[0])} -> {_number(means[1])}")
    if arguments.out:
        found.result.save(arguments.out)
        if not arguments.json:
            say(f"wrote {arguments.out}")
    return 0


def _number(value: float | None) -> str:
    return "no score" if value is None else f"{value:.4f}"
