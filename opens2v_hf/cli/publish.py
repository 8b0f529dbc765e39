"""`opens2v publish`: the project's repos on the Hub."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from opens2v_hf._util.console import say
from opens2v_hf._version import __version__

_PACKAGE = "opens2v-hf"
_WHY_OURS = (
    f"The Spaces install {_PACKAGE}=={__version__} from the package index, and the cards tell others to install it: "
    "whoever owns that name there runs code on all of their machines. Whether it is yours cannot be found out from "
    "here, so you have to say so."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.description = (
        "Creates or updates the project's repos on the Hub: both datasets, the Spaces of the metrics and the other "
        "Spaces. It shows what it will do first. A second run uploads nothing; one that was stopped is gone on with by "
        f"the same command. {_WHY_OURS}"
    )
    parser.add_argument("--org", required=True, help="user or organisation")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="repos to publish (default: all whose data is given)")
    parser.add_argument(
        "--eval",
        dest="eval_source",
        metavar="PLACE",
        help="the benchmark in its released layout: a folder or an hf:// URL, for opens2v-eval",
    )
    parser.add_argument(
        "--opens2v-5m",
        dest="converted",
        type=Path,
        metavar="FOLDER",
        help="what `opens2v convert` has written, for opens2v-5m",
    )
    parser.add_argument("--private", action="store_true", help="make the repos that are created private")
    parser.add_argument(
        "--package-is-ours",
        action="store_true",
        help=f"say that {_PACKAGE} on the package index is yours, and holds this version ({__version__})",
    )
    answer = parser.add_mutually_exclusive_group()
    answer.add_argument("--dry-run", action="store_true", help="show what would be done, and do nothing")
    answer.add_argument("--yes", action="store_true", help="do it without asking")


def run(arguments: argparse.Namespace) -> int:
    """Show the plan and carry it out; 1 where it was not carried out."""
    from huggingface_hub import HfApi

    from opens2v_hf.cli.wording import in_flags
    from opens2v_hf.hub.publish import check_access, plan, publish

    api = HfApi()
    if not arguments.dry_run:
        check_access(api, arguments.org)
    from opens2v_hf.hub.repo_content import contents  # heavy; not before it is known that it is needed

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
            say(f"nothing was published; --package-is-ours says that {_PACKAGE}=={__version__} on the index is yours")
            return 1
        if not arguments.yes and not _agreed("Publish?"):
            say("nothing was published; --yes publishes without asking")
            return 1
        publish(api, plans, private=arguments.private)
    return 0


def _agreed(question: str) -> bool:
    return sys.stdin.isatty() and input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
