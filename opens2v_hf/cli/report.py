"""`opens2v report`: one HTML page about one or several results."""

from __future__ import annotations

import argparse

from opens2v_hf._util.console import say
from opens2v_hf.cli.options import add


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    from opens2v_hf.reports.report import TITLE

    parser.add_argument(
        "results",
        nargs="+",
        metavar="RESULT",
        help="result of `opens2v score`: a JSON file, or a folder with any number of them; thumbnails come from the "
        "folder <split>.thumbnails next to each",
    )
    add(parser, "--out", required=True)
    add(parser, "--title", default=TITLE)
    add(parser, "--weights")
    add(
        parser,
        "--data-dir",
        help="folder or hf:// URL of the scored benchmark, for its prompts and reference pictures next to the best and "
        "worst videos",
    )


def run(arguments: argparse.Namespace) -> int:
    """Write the page and print its path."""
    import opens2v_hf

    page = opens2v_hf.report(
        arguments.results,
        arguments.out,
        title=arguments.title,
        weights=arguments.weights,
        data_dir=arguments.data_dir,
    )
    say(f"wrote {page}")
    return 0
