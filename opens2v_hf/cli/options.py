"""The flags of all commands: each is defined once, and means the same wherever it is taken."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from opens2v_hf.data.benchmark.prompts import PROMPT_FILES
from opens2v_hf.scores.scorecard import SCORINGS, VERSIONS

FLAGS: dict[str, dict[str, Any]] = {
    "--split": {
        "choices": tuple(PROMPT_FILES),
        "default": "open-domain",
        "help": "of OpenS2V-Eval (default: open-domain)",
    },
    "--data-dir": {"metavar": "PLACE", "help": "folder or hf:// URL of the dataset (default: its Hub repo)"},
    "--revision": {"help": "of the dataset's Hub repo"},
    "--recursive": {"action": "store_true", "help": "search the subfolders of VIDEOS, too"},
    "--limit": {"type": int, "metavar": "N", "help": "at most N samples, from the categories in turn"},
    "--ids": {"metavar": "A,B", "help": "these samples"},
    "--category": {"metavar": "A,B", "help": "samples of these categories, e.g. singleface"},
    "--out": {"metavar": "FOLDER", "help": "where everything is written"},
    "--name": {"help": "of the model, as tables show it"},
    "--title": {"help": "of the page"},
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
    "--backend": {"choices": ("auto", "decord", "pyav"), "default": "auto", "help": "video decoder (default: auto)"},
    "--num-frames": {"type": int, "metavar": "N", "help": "frames that are sampled (default: 32, as released)"},
    "--variant": {"help": "definition of NexusScore (default: released)"},
    "--reduce": {"choices": ("min", "mean", "max"), "help": "what to take of a cell that holds several numbers"},
    "--resamples": {"type": int, "default": 1000, "metavar": "N", "help": "of the bootstrap (default: 1000)"},
    "--seed": {"type": int, "default": 0, "help": "of the bootstrap (default: 0)"},
    "--json": {"action": "store_true", "help": "print everything as JSON"},
    "--models": {
        "choices": ("embedded",),
        "help": "the small models of this package for all roles not named below; not comparable with any leaderboard",
    },
    "--device": {"help": "cpu, cuda, cuda:1, mps (default: the best there is)"},
    "--dtype": {
        "help": "of the networks that take one: float16, bfloat16, float32 (default: float16 on CUDA, else float32)"
    },
    "--option": {
        "action": "append",
        "default": [],
        "metavar": "NAME.KEY=VALUE",
        "help": "an option of a metric (nexusscore.box_threshold=0.5) or of loading a role's model "
        "(judge.timeout_s=60); may be repeated",
    },
    "--job": {
        "metavar": "FLAVOUR",
        "help": "run the command as a Hugging Face Job on such a machine, e.g. a100-large; its price is shown first",
    },
    "--job-timeout": {"default": "6h", "metavar": "TIME", "help": "of the job: 90m, 6h, 2d (default: 6h)"},
    "--job-repo": {
        "metavar": "ORG/NAME",
        "help": "private dataset that keeps what the job writes (default: <you>/opens2v-runs)",
    },
    "--job-package": {"metavar": "SPEC", "help": "what pip installs in the job (default: this version of opens2v-hf)"},
    "--namespace": {"metavar": "NAME", "help": "organisation that pays for the job (default: you)"},
    "--yes": {"action": "store_true", "help": "do not ask before the job is started"},
    "--detach": {"action": "store_true", "help": "do not wait for the job; `opens2v job` looks after it"},
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
        changes: of `add_argument`, for all of them: `required`, `default`, `help`, `choices`.
    """
    for flag in flags:
        parser.add_argument(flag, **{**FLAGS[flag], **changes})


def add_models(parser: argparse.ArgumentParser, roles: Iterable[str]) -> Any:
    """Declare the flags that choose models: `--models`, `--<role>` and `--<role>-revision`, the device and the dtype.

    Returns:
        The group, for more flags.
    """
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
        loading: role to arguments of loading its model, which count more than flags.
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


def names_of(value: str | Sequence[str] | None) -> list[str] | None:
    """Names with commas between them as a list; None stays None.

    Example:
        >>> names_of("a, b,"), names_of(None)
        (['a', 'b'], None)
    """
    if value is None:
        return None
    return [name.strip() for name in (value.split(",") if isinstance(value, str) else value) if name.strip()]
