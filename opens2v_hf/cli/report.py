"""`opens2v report`: one HTML page about one or several results."""

from __future__ import annotations

import argparse

from opens2v_hf.run.result import RunResult


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("results", nargs="+", metavar="RESULT", help="JSON file that `opens2v score` wrote")
    parser.add_argument("--out", required=True, metavar="FOLDER", help="where report.html and its pictures are written")
    parser.add_argument("--title", default="Subject-to-video scores", help="of the page")


def run(arguments: argparse.Namespace) -> int:
    """Write the page and say where it is."""
    from opens2v_hf.run.report import write_report

    page = write_report([RunResult.load(path) for path in arguments.results], arguments.out, title=arguments.title)
    print(f"wrote {page}")
    return 0
