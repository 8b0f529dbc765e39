"""`opens2v report`: one HTML page about one or several results."""

from __future__ import annotations

import argparse

from opens2v_hf.run.result import RunResult
from opens2v_hf.scores.scorecard import VERSIONS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument(
        "results",
        nargs="+",
        metavar="RESULT",
        help="JSON file that `opens2v score` wrote; thumbnails in the folder <split>.thumbnails beside it are shown",
    )
    parser.add_argument("--out", required=True, metavar="FOLDER", help="where report.html and its pictures are written")
    parser.add_argument("--title", default="Subject-to-video scores", help="of the page")
    parser.add_argument("--version", choices=VERSIONS, default=VERSIONS[0], help="of the weights (default: v1.1)")


def run(arguments: argparse.Namespace) -> int:
    """Write the page and say where it is."""
    from opens2v_hf.run.report import write_report
    from opens2v_hf.run.thumbnails import find_thumbnails

    results = [RunResult.load(path) for path in arguments.results]
    thumbnails = {
        (result.model, result.split): find_thumbnails(path)
        for result, path in zip(results, arguments.results, strict=True)
    }
    page = write_report(results, arguments.out, title=arguments.title, version=arguments.version, thumbnails=thumbnails)
    print(f"wrote {page}")
    return 0
