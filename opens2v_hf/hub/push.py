"""Push a result to the repo of its model."""

from __future__ import annotations

from functools import partial

from huggingface_hub import HfApi
from huggingface_hub.errors import RepositoryNotFoundError

from opens2v_hf._util.argument_types import checked
from opens2v_hf._util.repo_id import check_repo_id
from opens2v_hf.errors import ArgumentError, HubError, ResultError
from opens2v_hf.hub.client import HubUnreachableError, hub_errors, who_may_write
from opens2v_hf.hub.eval_results import BENCHMARK, FILE, eval_entries, merge_entries
from opens2v_hf.hub.links import link_problems
from opens2v_hf.hub.pull_requests import Proposal, find_target, offline_proposal, propose, read_text
from opens2v_hf.results.comparability import Allowed, check_comparable
from opens2v_hf.results.result import RunResult
from opens2v_hf.scores.scorecard import RELEASED, SPLITS

TITLE = "Add OpenS2V-Eval results"
"""Of the commit and pull request; an open one of the same user is updated."""


@checked
def push_result(
    result: RunResult,
    model: str,
    *,
    direct: bool = False,
    dry_run: bool = False,
    benchmark: str = BENCHMARK,
    source_url: str | None = None,
    version: str = "v1.1",
    scoring: str = RELEASED,
    allow_partial: bool = False,
    allow_embedded: bool = False,
    allow_not_comparable: bool = False,
    api: HfApi | None = None,
) -> Proposal:
    """Write the scores of a result into the model's repo, where the Hub's own leaderboards read them.

    Earlier entries of this package for the same tasks are replaced, in the user's own pull request if one is open;
    all others are unchanged.

    Args:
        result: of a scoring run.
        model: repo of the model, "org/name".
        direct: commit to it, instead of opening a pull request.
        dry_run: change nothing; the result has the diff. It fails if the push would fail, with one exception: if the
            Hub cannot be reached, all entries are in the diff, and `unchecked` has the reason.
        benchmark: the benchmark's dataset repo, whose `eval.yaml` registers the tasks.
        source_url: page about the evaluation; the benchmark's by default.
        version: of the weights, "v1.1" or "v1.0".
        scoring: "released" or "strict".
        allow_partial: push a result that lacks columns or videos.
        allow_embedded: push numbers of the embedded models.
        allow_not_comparable: push numbers made with other models, options, prompts, weights or scoring than the
            leaderboard's.
        api: with a token; the saved one by default.

    Raises:
        ArgumentError: `model`, `benchmark`, `source_url`, `version` or `scoring` is invalid.
        ResultError: the result is refused, see `check_comparable`; or the file in the repo is not a list of
            evaluation results.
        HubError: the token is missing or may not write, the repo does not exist, or the Hub cannot be reached.
    """
    check_repo_id(model, "the repo of the model")
    check_repo_id(benchmark, "the repo of the benchmark")
    if source_url is not None and (problems := list(link_problems("the source", source_url))):
        raise ArgumentError("; ".join(map(str, problems)))
    if result.split not in SPLITS:
        raise ResultError(f"the leaderboard has no split {result.split!r} (it has: {', '.join(SPLITS)})")
    card = result.scorecard(version=version, scoring=scoring)
    check_comparable(result, card, Allowed(allow_partial, allow_embedded, allow_not_comparable))
    api = api or HfApi()
    entries = partial(eval_entries, result, card, benchmark=benchmark, source_url=source_url)
    entries()  # refuse a result without a total before any request
    try:
        user = who_may_write(api)
        revision = _revision(api, result, benchmark)
        target = find_target(api, model, "model", title=TITLE, user=user, direct=direct)
        present = read_text(api, target, FILE)
    except HubUnreachableError as error:
        if not dry_run:
            raise
        return offline_proposal(model, "model", {FILE: merge_entries("", entries())}, error)
    made = entries(revision=revision, user=user.names[0])
    description = f"Scores on {result.split} of [{benchmark}](https://huggingface.co/datasets/{benchmark})."
    files: dict[str, tuple[str, str | None]] = {FILE: (present, merge_entries(present, made))}
    return propose(api, target, files, title=TITLE, description=description, dry_run=dry_run)


def _revision(api: HfApi, result: RunResult, benchmark: str) -> str:
    """The commit of the benchmark's repo from which the prompts were read, else the present one."""
    source, _, revision = str(result.benchmark.get("source", "")).removeprefix("hf://datasets/").partition("@")
    if source == benchmark and revision:
        return revision.partition("/")[0]
    with hub_errors(api):
        try:
            return str(api.repo_info(benchmark, repo_type="dataset").sha)
        except RepositoryNotFoundError as error:
            raise HubError(
                f"the dataset {benchmark} does not exist on the Hub, or the token has no access to it; give the "
                "benchmark's repo as `benchmark=`"
            ) from error
