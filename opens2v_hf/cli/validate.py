"""`opens2v validate`: checks of submissions to the results dataset."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from opens2v_hf._util.console import say, say_json
from opens2v_hf.cli.options import add


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.description = (
        "Checks submissions to the results dataset: their form, ranges, the total from the columns, the columns from "
        "the per-video values, ids, names, links and owners. Exit code 1 where one is not acceptable."
    )
    parser.add_argument(
        "targets",
        nargs="*",
        metavar="TARGET",
        help="a file (a record, or the JSON of the released Space), a folder of them, a clone of the results dataset, "
        "or a pull request as org/opens2v-results#3 or by its address",
    )
    add(parser, "--results")
    add(parser, "--split", default=None, help="of files in the released Space's form")
    parser.add_argument(
        "--allow-published", action="store_true", help="accept rows of published tables, which have no values per video"
    )
    add(parser, "--json")
    parser.add_argument("--schema", action="store_true", help="print the JSON schema of a record, and check nothing")


def run(arguments: argparse.Namespace) -> int:
    """Check and print the problems; 1 if a submission is refused."""
    from opens2v_hf.errors import ArgumentError
    from opens2v_hf.leaderboard.submissions.checking import (
        Checked,
        pull_request_of,
        validate_file,
        validate_folder,
        validate_pull_request,
    )
    from opens2v_hf.leaderboard.submissions.record import json_schema, load_submissions
    from opens2v_hf.results.problem import is_refused

    if arguments.schema:
        say_json(json_schema())
        return 0
    if not arguments.targets or "" in arguments.targets or arguments.results == "":
        raise ArgumentError("name a file, a folder or a pull request to check (got an empty argument)")
    existing = load_submissions(arguments.results) if arguments.results else []
    checked: Checked = {}
    for target in arguments.targets:
        path, pull_request = Path(target), pull_request_of(target)
        if os.path.isdir(path):  # pathlib raises for a name that is too long
            found = validate_folder(path, existing=existing)
            checked |= {f"{target}: {file}": problems for file, problems in found.items()}
        elif pull_request is not None and not os.path.exists(path):
            from huggingface_hub import HfApi

            found = validate_pull_request(HfApi(), *pull_request, allow_published=arguments.allow_published)
            checked |= {f"{target}: {file}": problems for file, problems in found.items()}
        else:
            checked[target] = validate_file(
                path, split=arguments.split, existing=existing, allow_published=arguments.allow_published
            )
    if arguments.json:
        say_json({name: [one.to_dict() for one in problems] for name, problems in checked.items()})
    else:
        _print(checked)
    return int(any(is_refused(problems) for problems in checked.values()))


def _print(checked: dict[str, list]) -> None:
    from opens2v_hf._util.text import harmless
    from opens2v_hf.results.problem import is_refused

    for name, problems in checked.items():
        if problems:
            say(f"{harmless(name)}: {'not acceptable' if is_refused(problems) else 'acceptable after review'}")
            for problem in problems:
                say(f"  {problem}")
    good = sum(not is_refused(problems) for problems in checked.values())
    say(f"{good} of {len(checked)} acceptable")
