"""`opens2v models`: models that can be scored by their name."""

from __future__ import annotations

import argparse

from opens2v_hf._util.console import say
from opens2v_hf.cli.options import add

_KINDS = {
    "diffusers": "the pipeline of this package with random weights",
    "python": "a Python function",
    "http": "an HTTP endpoint, which is not asked before the first video",
    "provider": "a provider's model",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("model", nargs="?", metavar="MODEL", help="to check, as in `score --model` (default: list all)")
    add(parser, "--revision", help="branch, tag or commit of the model's Hub repo")
    add(parser, "--lora", "--references", "--accept-license")


def run(arguments: argparse.Namespace) -> int:
    """List or check."""
    from opens2v_hf.generators.families import FAMILIES
    from opens2v_hf.generators.repos import REPOS

    if arguments.model:
        return _check(arguments)
    say("Pipeline classes of diffusers, and how references are given to them\n")
    for family in FAMILIES.values():
        count = "any number" if family.max_references is None else f"at most {family.max_references}"
        kind = "subject-driven" if family.subject_driven else "image-to-video, not subject-driven"
        say(f"  {family.pipeline_class:36} {family.argument}: {family.preparation}, {count}; {kind}")
    say("\nKnown repos\n")
    for name, repo in REPOS.items():
        size = "" if repo.weights_gb is None else f", {repo.weights_gb:.0f} GB of weights"
        memory = f"; memory: {repo.memory}" if repo.memory else ""
        where = f", not in {', '.join(repo.excluded)}" if repo.excluded else ""
        ways = "own code only: a function, an endpoint or ready videos" if repo.refusal else "by its name"
        say(f"  {name:44} {ways}; {repo.references or 'see the repo'}; {repo.licence}{where}{size}{memory}")
    say("\nAny other repo of one of these classes works as well: opens2v models ORG/NAME checks it.")
    return 0


def _check(arguments: argparse.Namespace) -> int:
    from opens2v_hf.generators.load import plan_generator

    planned = plan_generator(
        arguments.model,
        revision=arguments.revision,
        references=arguments.references,
        lora=arguments.lora,
        accept_license=arguments.accept_license,
    )
    if planned.plan is None:
        say(f"{arguments.model} can be scored ({_KINDS[planned.kind]})")
        return 0
    plan, family = planned.plan, planned.plan.family
    say(f"{plan.info.name} can be scored: {family.pipeline_class}, {plan.info.revision}")
    for line in plan.room.describe():
        topic, _, text = line.partition(": ")
        say(f"  {topic:11} {text}" if text else f"  note        {line}")
    count = "any number" if family.max_references is None else f"at most {family.max_references}"
    how = "none" if family.argument is None else f"{family.argument}: {family.preparation}, {count}"
    say(f"  references  {how}")
    say(f"  recipe      {family.recipe.to_dict()}")
    for note in plan.notes:
        say(f"  note        {note}")
    return 0
