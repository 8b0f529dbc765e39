"""The command line: `opens2v COMMAND ...`, a module for each command."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

from opens2v_hf._version import __version__
from opens2v_hf.errors import OpenS2VError

COMMANDS = {
    "demo": "make a sample, score simulated models on it, write a table, plots and a report",
    "score": "score the videos of a model",
    "generate": "make the videos of a model for a split of the benchmark",
    "models": "list the models that can be scored by their name, or check one",
    "explain": "show why the NexusScore of a video is what it is, as a picture and a page",
    "compare": "say which differences between two results are real",
    "report": "write an HTML page about one or several results",
    "agreement": "compare a metric or a judge with human ratings, and the raters with each other",
    "push": "put a result into a model's repo on the Hub, or submit it to the leaderboard",
    "validate": "check submissions to the leaderboard: files, a clone of its data, a pull request",
    "convert": "turn OpenS2V-5M into Parquet shards, or index its split tars",
    "show": "draw a sample of OpenS2V-5M on one sheet: frames, masks, subjects, pairs, views",
    "publish": "create or update the project's repos on the Hub: datasets, metrics, Spaces",
    "doctor": "say what is installed, what will be used and what is missing",
}
"""Command to its one-line description; the module opens2v_hf.cli.<command> has `add_arguments` and `run`."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: the words after `opens2v`; those of the process by default.

    Returns:
        The exit code: 0 done, 1 done with something left over that the output names, 2 wrong use or an error that
        the message explains, 130 interrupted.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    chosen = next((word for word in words if not word.startswith("-")), None)
    parser = argparse.ArgumentParser(prog="opens2v", description="OpenS2V-Nexus for the Hugging Face ecosystem")
    parser.add_argument("--version", action="version", version=f"opens2v-hf {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    module = None
    for name, help_line in COMMANDS.items():
        command = commands.add_parser(name, help=help_line, description=help_line[0].upper() + help_line[1:] + ".")
        if name == chosen:  # only the chosen command's module is imported, so that --help stays quick
            module = importlib.import_module(f"opens2v_hf.cli.{name}")
            module.add_arguments(command)
    arguments = parser.parse_args(words)
    if module is None:
        parser.error("name a command")
    try:
        code = module.run(arguments)
        sys.stdout.flush()
        return code
    except OpenS2VError as error:
        print(f"opens2v {arguments.command}: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # who read the output has gone, as `head` does; nothing more can be printed
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        print(f"opens2v {arguments.command}: interrupted", file=sys.stderr)
        return 130
