"""`opens2v push`: a result to the Hub."""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from opens2v_hf._util.console import say
from opens2v_hf._util.repo_id import check_repo_id
from opens2v_hf.cli.options import add, named
from opens2v_hf.errors import ArgumentError, ResultError
from opens2v_hf.results.result import RunResult

if TYPE_CHECKING:
    from opens2v_hf.hub.pull_requests import Proposal

_LONGEST_LINE = 300


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.description = (
        "Publishes a result: in the model's repo, whose scores the Hub shows and ranks (--model); in the results "
        "dataset of the leaderboard (--results), also for models without a repo; or in a file for the released Space "
        "(--space-json). On the Hub it opens a pull request, or updates your own open one; it changes nothing of "
        "others. --dry-run fails where the real call would; if the Hub cannot be reached it "
        "shows what is known without it, and exits with 1."
    )
    parser.add_argument("result", metavar="RESULT", help="JSON file that `opens2v score` wrote, or its folder")
    add(parser, "--model", metavar="ORG/NAME", help="the model's repo on the Hub")
    add(parser, "--results")
    parser.add_argument("--space-json", metavar="FILE", type=Path, help="file for the JSON of the released Space")
    parser.add_argument("--direct", action="store_true", help="commit, instead of opening a pull request")
    add(parser, "--dry-run", "--weights", "--scoring")
    allow = parser.add_argument_group("exceptions")
    allow.add_argument("--allow-partial", action="store_true", help="allow missing columns or videos")
    allow.add_argument("--allow-embedded", action="store_true", help="allow numbers of the embedded models")
    allow.add_argument(
        "--allow-not-comparable",
        action="store_true",
        help="allow other models, options, prompts, weights or scoring than the leaderboard's",
    )
    model = parser.add_argument_group("with --model")
    model.add_argument("--benchmark", metavar="ORG/NAME", help="dataset repo of the benchmark (default: upstream's)")
    model.add_argument("--source", metavar="URL", help="page about the evaluation (default: the benchmark's)")
    row = parser.add_argument_group("with --results")
    add(row, "--name")
    row.add_argument("--team", help="who evaluated it")
    row.add_argument("--link", default="", metavar="URL", help="the model's page")
    row.add_argument("--venue", choices=("Open-Source", "Closed-Source"), help="whether its weights are open")
    row.add_argument("--owner", metavar="NAME", help="owner of the model's rows: you (default) or your organisation")


def run(arguments: argparse.Namespace) -> int:
    """Push, or print what would be pushed; 1 if a dry run cannot reach the Hub."""
    if not (arguments.model or arguments.results or arguments.space_json):
        raise ArgumentError("name a target: --model ORG/NAME, --results ORG/opens2v-results or --space-json FILE")
    _check_targets(arguments)
    result = RunResult.load(arguments.result)
    if arguments.space_json:
        _write_space_json(result, arguments)
    proposals = []
    if arguments.model:
        proposals.append(_push_to_model(result, arguments))
        _print(proposals[-1])
    if arguments.results:
        proposals.append(_push_to_results(result, arguments))
        _print(proposals[-1])
    return int(any(proposal.unchecked for proposal in proposals))


def _check_targets(arguments: argparse.Namespace) -> None:
    """Refuse malformed arguments of any target before the first one is written."""
    if arguments.model:
        check_repo_id(arguments.model, "the repo of the model")
    if arguments.benchmark:
        check_repo_id(arguments.benchmark, "the repo of the benchmark")
    if arguments.results:
        check_repo_id(arguments.results, "the results dataset")
        if missing := [f"--{name}" for name in ("team", "venue") if not getattr(arguments, name)]:
            raise ArgumentError(f"a submission to {arguments.results} needs {' and '.join(missing)}")


def _write_space_json(result: RunResult, arguments: argparse.Namespace) -> None:
    from opens2v_hf.leaderboard.submissions.released_form import released_form, write_released_form
    from opens2v_hf.results.comparability import Allowed, check_comparable
    from opens2v_hf.results.reading import is_result

    path: Path = arguments.space_json
    if is_result(path):
        raise ArgumentError(f"--space-json must be another file than a result of `opens2v score` (got {path})")
    card = result.scorecard(version=arguments.weights, scoring=arguments.scoring)
    allowed = Allowed(arguments.allow_partial, arguments.allow_embedded, arguments.allow_not_comparable)
    check_comparable(result, card, allowed)  # the format has no field for a note
    if not arguments.dry_run:
        say(f"wrote {write_released_form(card, path)}")
        return
    content = json.dumps(released_form(card), indent=2)
    parent = next(folder for folder in path.absolute().parents if os.path.lexists(folder))
    if os.path.lexists(path) and not path.is_file():
        raise ResultError(f"cannot write {path}; choose another file")
    try:
        tempfile.TemporaryFile(dir=parent).close()
    except OSError as error:
        raise ResultError(f"cannot write {path}: {error.strerror}; choose another file") from error
    say(f"{content}\nwould {'replace' if path.exists() else 'write'} {path}")


def _push_to_model(result: RunResult, arguments: argparse.Namespace) -> Proposal:
    from opens2v_hf.hub.eval_results import BENCHMARK
    from opens2v_hf.hub.push import push_result

    return push_result(
        result,
        arguments.model,
        benchmark=arguments.benchmark or BENCHMARK,
        source_url=arguments.source,
        version=arguments.weights,
        **named(
            arguments,
            *("direct", "dry_run", "scoring", "allow_partial", "allow_embedded", "allow_not_comparable"),
        ),
    )


def _push_to_results(result: RunResult, arguments: argparse.Namespace) -> Proposal:
    from huggingface_hub import HfApi

    from opens2v_hf.hub.client import HubUnreachableError, who_am_i
    from opens2v_hf.leaderboard.submissions.from_result import make_submission
    from opens2v_hf.leaderboard.submissions.submit import submit

    api, owner = HfApi(), arguments.owner
    try:
        owner = owner or who_am_i(api).names[0]
    except HubUnreachableError:
        if not arguments.dry_run:
            raise
        owner = "you"  # the token's owner is not known; `submit` reports that the Hub was not reached
    submission = make_submission(
        result,
        model=arguments.name or result.model,
        model_id=arguments.model or "",
        link=arguments.link,
        team=arguments.team,
        venue=arguments.venue,
        submitted_by=owner,
        version=arguments.weights,
        scoring=arguments.scoring,
    )
    return submit(submission, arguments.results, direct=arguments.direct, dry_run=arguments.dry_run, api=api)


def _print(proposal: Proposal) -> None:
    if not proposal.done:
        for line in proposal.diff.splitlines():  # a record is one line of some 40 KB
            say(line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]}... {len(line):,} characters")
    for notice in proposal.notices:
        say(notice)
    say(proposal.describe())
