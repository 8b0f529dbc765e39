"""The flags that several commands share. Each is defined once and has the same meaning in all of them."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from opens2v_hf.data.benchmark.prompts import PROMPT_FILES
from opens2v_hf.scores.scorecard import SCORINGS, VERSIONS

FLAGS: dict[str, dict[str, Any]] = {
    # where data comes from
    "--split": {
        "choices": tuple(PROMPT_FILES),
        "default": "open-domain",
        "help": "of OpenS2V-Eval (default: open-domain)",
    },
    "--data-dir": {"metavar": "FOLDER", "help": "folder or hf:// URL of the dataset (default: its Hub repo)"},
    "--revision": {"help": "branch, tag or commit of the dataset's Hub repo"},
    "--index-dir": {"metavar": "FOLDER", "help": "folder with indices of the split tars, see `opens2v convert`"},
    "--recursive": {"action": "store_true", "help": "search the subfolders of VIDEOS, too"},
    "--limit": {"type": int, "metavar": "N", "help": "at most N samples, from the categories in turn"},
    "--ids": {"metavar": "A,B", "help": "only these samples"},
    "--category": {"metavar": "A,B", "help": "only samples of these categories, e.g. singleface"},
    "--backend": {"choices": ("auto", "decord", "pyav"), "default": "auto", "help": "video decoder (default: auto)"},
    # what is made of it
    "--out": {"metavar": "FOLDER", "help": "folder that is written"},
    "--name": {"help": "name of the model in tables (default: from VIDEOS or the result)"},
    "--title": {"help": "of the page"},
    "--json": {"action": "store_true", "help": "print everything as JSON"},
    "--verify": {"action": "store_true", "help": "check the result: counts, checksums, masks that decode"},
    "--retry-failed": {"action": "store_true", "help": "try again what failed in an earlier run"},
    "--processes": {
        "type": int,
        "default": 1,
        "metavar": "N",
        "help": "processes of this machine that share the work (default: %(default)s)",
    },
    # scores
    "--metrics": {"metavar": "A,B", "help": "names of metrics, with commas between them (default: all)"},
    "--weights": {
        "choices": VERSIONS,
        "default": VERSIONS[0],
        "help": f"version of the total's weights (default: {VERSIONS[0]})",
    },
    "--scoring": {
        "choices": SCORINGS,
        "default": SCORINGS[0],
        "help": "strict counts a video that failed or is missing as the worst (default: released)",
    },
    "--num-frames": {"type": int, "metavar": "N", "help": "frames that are sampled (default: 32, as released)"},
    "--variant": {"help": "definition of NexusScore (default: released)"},
    "--option": {
        "action": "append",
        "default": [],
        "metavar": "NAME.KEY=VALUE",
        "help": "an option of a metric (nexusscore.box_threshold=0.5) or of loading a role's model "
        "(judge.timeout_s=60); may be repeated",
    },
    "--column": {"metavar": "NAME", "help": "column of the tables, or metric of the results"},
    "--reduce": {"choices": ("min", "mean", "max"), "help": "how several numbers in a cell become one"},
    "--resamples": {"type": int, "default": 1000, "metavar": "N", "help": "of the bootstrap (default: 1000)"},
    "--seed": {"type": int, "default": 0, "help": "of the bootstrap (default: 0)"},
    # models
    "--models": {
        "choices": ("embedded",),
        "help": "the small models of this package for all roles not named below; not comparable with any leaderboard",
    },
    "--model": {
        "metavar": "MODEL",
        "help": "makes the videos: Hub id or folder of a diffusers pipeline, python:module:function, http(s)://..., "
        "hf:provider/org/model, or embedded",
    },
    "--lora": {"metavar": "LORA", "help": "on top of the pipeline: Hub id (org/name[/file][@rev]) or file"},
    "--references": {
        "choices": ("given", "none"),
        "default": "given",
        "help": "none: from the text alone, as an ablation",
    },
    "--accept-license": {
        "action": "store_true",
        "help": "confirm that the model's licence was read and allows the use",
    },
    "--device": {"help": "cpu, cuda, cuda:1, mps (default: the best there is)"},
    "--dtype": {
        "help": "of the networks that take one: float16, bfloat16, float32 (default: float16 on CUDA, else float32)"
    },
    # the Hub
    "--results": {"metavar": "ORG/NAME", "help": "dataset of the leaderboard's results, e.g. org/opens2v-results"},
    "--private": {"action": "store_true", "help": "make repos private that are created"},
    "--dry-run": {"action": "store_true", "help": "show what would be done, and change nothing"},
    "--yes": {"action": "store_true", "help": "start without asking"},
    "--job": {
        "metavar": "FLAVOUR",
        "help": "run the command as a Hugging Face Job on such a machine, e.g. a100-large; its price is shown first",
    },
    "--job-timeout": {"default": "6h", "metavar": "TIME", "help": "of the job: 90m, 6h, 2d (default: 6h)"},
    "--job-repo": {
        "metavar": "ORG/NAME",
        "help": "private dataset for the files that the job writes (default: <you>/opens2v-runs)",
    },
    "--job-package": {"metavar": "SPEC", "help": "what pip installs in the job (default: this version of opens2v-hf)"},
    "--namespace": {"metavar": "NAME", "help": "organisation that pays for the job (default: you)"},
    "--detach": {"action": "store_true", "help": "return once the job is started; see `opens2v job`"},
    # every command
    "--config": {"metavar": "FILE", "help": "YAML file whose keys are flags without --; the command line wins"},
    "--quiet": {"action": "store_true", "help": "show no progress and no remarks"},
}
"""Flag to the arguments of `add_argument`."""

COMMON = ("--config", "--quiet")
"""Flags of every command."""


def add(parser: Any, *flags: str, **changes: Any) -> None:
    """Declare flags of `FLAGS`.

    Args:
        parser: or a group of one.
        flags: names of the flags.
        changes: arguments of `add_argument` in place of those of the table: `required`, `default`, `help`, ...
    """
    for flag in flags:
        parser.add_argument(flag, **{**FLAGS[flag], **changes})


def add_models(parser: argparse.ArgumentParser, roles: Iterable[str]) -> Any:
    """Declare `--models`, `--<role>`, `--<role>-revision`, the device and the dtype; gives the group for more flags."""
    from opens2v_hf.models.roles import ROLES

    group = parser.add_argument_group("models", "each a Hub id, a folder, or 'embedded'")
    add(group, "--models")
    for name in roles:
        role = ROLES[name]
        also = f"also {role.also}; " if role.also else ""
        group.add_argument(role_flag(name), metavar="MODEL", help=f"{also}default: {role.released}")
        group.add_argument(f"{role_flag(name)}-revision", metavar="REVISION")
    add(group, "--device", "--dtype")
    return group


def role_flag(role: str) -> str:
    """The flag that names a role's model.

    Example:
        >>> role_flag("face_embedder")
        '--face-embedder'
    """
    return f"--{role.replace('_', '-')}"


def chosen_models(
    arguments: argparse.Namespace,
    roles: Iterable[str],
    *,
    loading: Mapping[str, Mapping[str, Any]] | None = None,
) -> Any:
    """`metric_models=` from the flags of `add_models`: "embedded", or role to choice.

    Args:
        arguments: parsed.
        roles: that the metrics need.
        loading: role to arguments of loading its model; they override the flags.
    """
    from opens2v_hf.models.info import EMBEDDED
    from opens2v_hf.models.roles import ROLES, ModelChoice

    choices = {}
    for role in roles:
        named = getattr(arguments, role)
        given = {
            name: value
            for name, value in {
                "revision": getattr(arguments, f"{role}_revision"),
                **(loading or {}).get(role, {}),
            }.items()
            if value is not None
        }
        if named or given or arguments.models == EMBEDDED:
            default = EMBEDDED if arguments.models == EMBEDDED else ROLES[role].released
            choices[role] = ModelChoice(named or default, given)
    return choices


def named(arguments: argparse.Namespace, *names: str) -> dict[str, Any]:
    """The arguments of these names, to be handed on by the same names."""
    return {name: getattr(arguments, name) for name in names}


def names_of(value: str | Sequence[str] | None) -> list[str] | None:
    """Names with commas between them as a list; None stays None.

    Example:
        >>> names_of("a, b,"), names_of(None)
        (['a', 'b'], None)
    """
    if value is None:
        return None
    return [name.strip() for name in (value.split(",") if isinstance(value, str) else value) if name.strip()]


def generation_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """Keyword arguments of `generate` from the options of `generate.add_generation_arguments`."""
    from opens2v_hf.generators.recipe import Recipe

    names = ("width", "height", "num_frames", "fps", "steps", "guidance", "flow_shift", "negative_prompt")
    given = Recipe(**{name: getattr(arguments, f"gen_{name}") for name in names})
    recipe = given.over(Recipe.from_file(arguments.recipe)) if arguments.recipe else given
    return {
        "recipe": None if recipe == Recipe() else recipe,
        "device": arguments.generator_device,
        "dtype": arguments.generator_dtype,
        **named(
            arguments,
            *("model_revision", "seed", "seeds", "lora", "too_many_references", "references", "accept_license"),
        ),
    }
