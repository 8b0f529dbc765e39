"""`opens2v export`: clips of a dataset in the format of another library."""

from __future__ import annotations

import argparse
from pathlib import Path

from opens2v_hf._util.console import say
from opens2v_hf._util.text import count_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("dataset", metavar="DATASET", help="folder or URL of shards or of the released layout")
    parser.add_argument("folder", metavar="OUT", type=Path, help="folder for the files; empty or missing")
    parser.add_argument("--format", choices=("webdataset",), default="webdataset", help="(default: webdataset)")
    parser.add_argument("--tar-megabytes", type=int, default=1000, metavar="N", help="of a tar (default: 1000)")


def run(arguments: argparse.Namespace) -> int:
    """Write the files."""
    from opens2v_hf.data.opens2v5m.export import export_webdataset

    done = export_webdataset(arguments.dataset, arguments.folder, tar_megabytes=arguments.tar_megabytes)
    say(f"{count_of(done.rows, 'clip')} in {count_of(len(done.tars), 'tar')} in {done.folder}")
    return 0
