"""`opens2v push`: a result to the Hub."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from opens2v_hf._util.console import say
from opens2v_hf.cli.options import add
from opens2v_hf.errors import ArgumentError
from opens2v_hf.run.result import RunResult

if TYPE_CHECKING:
    from opens2v_hf.hub.pull_requests import Proposal

_LONGEST_LINE = 300


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.description = (
        "Puts a result where others see it: into the model's repo, whose scores the Hub shows and ranks (--model); "
        "into the results dataset of the leaderboard (--results), which is the way for models without a repo; or into "
        "a file for the released Space (--space-json). On the Hub it opens a pull request, or updates your own open "
        "one; nothing of others is changed."
    )
    parser.add_argument("result", metavar="RESULT", help="a file of `opens2v score`, or its folder")
    parser.add_argument("--model", metavar="ORG/NAME", help="the model's repo on the Hub")
    parser.add_argument("--results", metavar="ORG/NAME", help="a results dataset, e.g. org/opens2v-results")
    parser.add_argument("--space-json", metavar="FILE", type=Path, help="where the released Space's JSON is written")
    parser.add_argument("--direct", action="store_true", help="commit, instead of opening a pull request")
    parser.add_argument("--dry-run", action="store_true", help="show the difference and change nothing")
    add(parser, "--weights", "--scoring")
    allow = parser.add_argument_group("what is refused otherwise")
    allow.add_argument("--allow-partial", action="store_true", help="columns or videos are missing")
    allow.add_argument("--allow-embedded", action="store_true", help="numbers of the embedded models")
    allow.add_argument(
        "--allow-not-comparable",
        action="store_true",
        help="other models, options, prompts, weights or scoring than the leaderboard's",
    )
    model = parser.add_argument_group("with --model")
    model.add_argument("--benchmark", metavar="ORG/NAME", help="dataset repo of the benchmark (default: upstream's)")
    model.add_argument("--source", metavar="URL", help="page about the evaluation (default: the benchmark's)")
    row = parser.add_argument_group("with --results")
    row.add_argument("--name", help="of the model, as tables show it (default: as in the result)")
    row.add_argument("--team", help="who evaluated it")
    row.add_argument("--link", default="", metavar="URL", help="the model's page")
    row.add_argument("--venue", choices=("Open-Source", "Closed-Source"), help="whether its weights are open")
    row.add_argument("--owner", metavar="NAME", help="who owns the model's rows: you (default) or your organisation")


def run(arguments: argparse.Namespace) -> int:
    """Push, and say what was done or would be."""
    if not (arguments.model or arguments.results or arguments.space_json):
        raise ArgumentError("say where to push: --model ORG/NAME, --results ORG/opens2v-results or --space-json FILE")
    result = RunResult.load(arguments.result)
    if arguments.space_json:
        from opens2v_hf.hub.comparability import Allowed, check_comparable
        from opens2v_hf.hub.results.released_form import write_released_form

        card = result.scorecard(version=arguments.weights, scoring=arguments.scoring)
        allowed = Allowed(arguments.allow_partial, arguments.allow_embedded, arguments.allow_not_comparable)
        check_comparable(result, card, allowed)  # the form has no room for a note
        if arguments.dry_run:
            say(f"would write {arguments.space_json}")
        else:
            say(f"wrote {write_released_form(card, arguments.space_json)}")
    if arguments.model:
        _print(_push_to_model(result, arguments))
    if arguments.results:
        _print(_push_to_results(result, arguments))
    return 0


def _push_to_model(result: RunResult, arguments: argparse.Namespace) -> Proposal:
    from opens2v_hf.hub.eval_results import BENCHMARK
    from opens2v_hf.hub.push import push_result

    return push_result(
        result,
        arguments.model,
        direct=arguments.direct,
        dry_run=arguments.dry_run,
        benchmark=arguments.benchmark or BENCHMARK,
        source_url=arguments.source,
        version=arguments.weights,
        scoring=arguments.scoring,
        allow_partial=arguments.allow_partial,
        allow_embedded=arguments.allow_embedded,
        allow_not_comparable=arguments.allow_not_comparable,
    )


def _push_to_results(result: RunResult, arguments: argparse.Namespace) -> Proposal:
    from huggingface_hub import HfApi

    from opens2v_hf.hub.client import who_am_i
    from opens2v_hf.hub.results.from_result import make_submission
    from opens2v_hf.hub.results.submit import submit

    if missing := [f"--{name}" for name in ("team", "venue") if not getattr(arguments, name)]:
        raise ArgumentError(f"a submission to {arguments.results} needs {' and '.join(missing)}")
    api = HfApi()
    submission = make_submission(
        result,
        model=arguments.name or result.model,
        model_id=arguments.model or "",
        link=arguments.link,
        team=arguments.team,
        venue=arguments.venue,
        submitted_by=arguments.owner or who_am_i(api).names[0],
        version=arguments.weights,
        scoring=arguments.scoring,
    )
    return submit(submission, arguments.results, direct=arguments.direct, dry_run=arguments.dry_run, api=api)


def _print(proposal: Proposal) -> None:
    if not proposal.done:
        for line in proposal.diff.splitlines():  # a record is one line of some 40 KB
            say(line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]}... {len(line):,} characters")
    say(proposal.describe())
