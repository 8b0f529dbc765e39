"""`opens2v editions`: the frozen models and settings of the leaderboard's numbers."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from opens2v_hf._util.console import say, say_json, terminal_width
from opens2v_hf.cli.options import add

if TYPE_CHECKING:
    from opens2v_hf.results.editions import Edition


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument(
        "results",
        nargs="*",
        metavar="RESULT",
        help="results whose edition is printed, or the reasons why they have none",
    )
    add(parser, "--json")


def run(arguments: argparse.Namespace) -> int:
    """Print the records, or the editions of results; 1 if a result has none."""
    from opens2v_hf.results.columns import column_metrics
    from opens2v_hf.results.editions import editions
    from opens2v_hf.results.result import read_results

    if not arguments.results:
        if arguments.json:
            say_json({one.name: {"sha256": one.sha256, **one.to_dict()} for one in editions()})
        else:
            say("\n\n".join(map(_text, editions())))
        return 0
    found = {}
    for path, result in read_results(arguments.results):
        metrics = column_metrics(result)
        found[str(path)] = {one.name: one.differences(metrics) for one in editions()}
    if arguments.json:
        say_json(found)
    else:
        for name, differences in found.items():
            of = [edition for edition, reasons in differences.items() if not reasons]
            say(f"{name}: {'of ' + ', '.join(of) if of else 'of no edition'}")
            for edition, reasons in differences.items():
                for reason in reasons:
                    say(f"  not {edition}: {reason}")
    return int(any(all(differences.values()) for differences in found.values()))


def _text(edition: Edition) -> str:
    from opens2v_hf.results.table import wrapped

    lines = [edition.name, wrapped(edition.about, terminal_width()), f"  sha256  {edition.sha256}"]
    for split, weights in edition.weights.items():
        shown = ", ".join(f"{column} {weight:.2f}" for column, weight in weights.items())
        lines.append(wrapped(f"  weights of {split}: {shown}", terminal_width()))
    for name, column in edition.columns.items():
        models = [f"{role} {model.name} @ {model.revision or 'any'}" for role, model in column.models.items()]
        options = [f"{option}={value}" for option, value in column.options.items() if value is not None]
        prompt = [f"prompt sha256 {column.prompt_sha256}"] if column.prompt_sha256 else []
        lines.append(f"  {name}: frames {column.frames}")
        lines += [f"    {line}" for line in (*models, *prompt, *([", ".join(options)] if options else []))]
    return "\n".join(lines)
