"""`opens2v publish`: the project's repos on the Hub."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from opens2v_hf._util.console import say
from opens2v_hf._version import __version__
from opens2v_hf.cli.options import add

_PACKAGE = "opens2v-hf"
_WHY_OURS = (
    f"The Spaces install {_PACKAGE}=={__version__} from the package index, and the cards ask others to install it: the "
    "owner of that name on the index runs code on all these machines. This command cannot check who owns it, so you "
    "must confirm that it is yours."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.description = (
        "Creates or updates the project's repos on the Hub: both datasets, the Spaces of the metrics and the other "
        "Spaces. It prints its plan first. A second run uploads nothing, and the same command resumes a stopped run. "
        f"{_WHY_OURS}"
    )
    parser.add_argument("--org", required=True, help="user or organisation")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="repos to publish (default: all whose data is given)")
    parser.add_argument(
        "--eval",
        dest="eval_source",
        metavar="FOLDER",
        help="the benchmark in its released layout: a folder or an hf:// URL, for opens2v-eval",
    )
    parser.add_argument(
        "--opens2v-5m",
        dest="converted",
        type=Path,
        metavar="FOLDER",
        help="output of `opens2v convert`, for opens2v-5m",
    )
    add(parser, "--private")
    parser.add_argument(
        "--package-is-ours",
        action="store_true",
        help=f"confirm that {_PACKAGE} on the package index is yours and has this version ({__version__})",
    )
    answer = parser.add_mutually_exclusive_group()
    add(answer, "--dry-run", "--yes")


def run(arguments: argparse.Namespace) -> int:
    """Print the plan and carry it out; 1 if it is not confirmed."""
    from huggingface_hub import HfApi

    from opens2v_hf.cli.wording import in_flags
    from opens2v_hf.hub.publish import check_access, plan, publish

    api = HfApi()
    if not arguments.dry_run:
        check_access(api, arguments.org)
    from opens2v_hf.hub.repo_content import contents  # a slow import, after the quick checks

    with tempfile.TemporaryDirectory(prefix="opens2v-publish-") as work:
        repos, left_out = contents(
            arguments.org,
            Path(work),
            only=arguments.only,
            eval_source=arguments.eval_source,
            converted=arguments.converted,
        )
        plans = plan(api, repos)
        for line in (*(entry.describe() for entry in plans), *left_out):
            say(in_flags(line, arguments.parser))
        if arguments.dry_run or all(entry.is_done for entry in plans):
            return 0
        if not arguments.package_is_ours and not _agreed(f"{_WHY_OURS}\nIs it yours?"):
            say(f"nothing was published; --package-is-ours confirms that {_PACKAGE}=={__version__} is yours")
            return 1
        if not arguments.yes and not _agreed("Publish?"):
            say("nothing was published; --yes publishes without asking")
            return 1
        publish(api, plans, private=arguments.private)
    return 0


def _agreed(question: str) -> bool:
    return sys.stdin.isatty() and input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
