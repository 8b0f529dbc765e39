"""A command as a Hugging Face Job: `opens2v score ... --job a100-large`."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from opens2v_hf._util.console import remark, say
from opens2v_hf.cli.options import add, names_of
from opens2v_hf.errors import ArgumentError

if TYPE_CHECKING:
    from huggingface_hub import HfApi

    from opens2v_hf.hub.jobs.submit import JobPlan, JobRecord

_OWN = ("job", "job_timeout", "job_repo", "job_package", "job_local", "namespace", "yes", "detach")
_NOT_SENT = (*_OWN, "help", "config", "out", "parser")
_FACES = "facesim"
_DURATION = re.compile(r"(?P<number>\d+(?:\.\d+)?)(?P<unit>[smhd]?)")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def add_job_arguments(parser: argparse.ArgumentParser, *, local: Collection[str]) -> None:
    """Flags with which a command can run as a job; it must have `--out`.

    Args:
        parser: of the command.
        local: arguments that may name files or folders of this machine, which are uploaded.
    """
    group = parser.add_argument_group("on a machine of Hugging Face")
    add(group, "--job", "--job-timeout", "--job-repo", "--job-package", "--namespace", "--yes", "--detach")
    parser.set_defaults(job_local=tuple(local))


def run(arguments: argparse.Namespace) -> int:
    """Show what the job costs, start it once that is confirmed, follow it, and fetch its result."""
    from huggingface_hub import HfApi

    from opens2v_hf._util import processes
    from opens2v_hf.hub.jobs.submit import JobOptions, plan_job, submit_job
    from opens2v_hf.hub.jobs.worker import INPUTS, OUT, WORK

    if not processes.is_main_process():
        return 0
    api, out = HfApi(), Path(arguments.out)
    command = arguments.parser.prog.split()[-1]
    uploads: dict[str, Path] = {}
    words = [command, *_words(arguments, uploads, INPUTS, WORK), f"--out={WORK}/{OUT}"]
    options = JobOptions(
        arguments.job,
        _seconds(arguments.job_timeout),
        arguments.job_repo,
        arguments.namespace,
        arguments.job_package,
        _extras(arguments),
    )
    plan = plan_job(command, words, uploads, out, options, api=api)
    for line in plan.describe(_estimated_hours(arguments, plan)):
        say(line)
    if not _confirmed(arguments.yes):
        say("no job was started")
        return 1
    record = submit_job(plan, out, api=api)
    say(f"job {record.id} was started: {api.endpoint}/jobs/{record.namespace}/{record.id}")
    if arguments.detach:
        say(
            f"`opens2v job logs {record.id}` shows what it prints, `opens2v job fetch {record.id} --out {out}` gets "
            "its result"
        )
        return 0
    return follow(record, out, api)


def follow(record: JobRecord, out: Path, api: HfApi) -> int:
    """Print a job's logs until it ends, and fetch its result; the command's exit code, 1 where it has none."""
    from opens2v_hf.hub.jobs import watch

    try:
        for line in watch.logs(record, follow=True, api=api):
            say(line)
    except KeyboardInterrupt:
        remark(f"the job goes on; `opens2v job logs {record.id} --follow`, or `opens2v job cancel {record.id}`")
        raise
    job = watch.inspect(record.id, namespace=record.namespace, api=api)
    fetched = watch.fetch(record, out, api=api)
    say(f"job {record.id}: {job.status.stage}; fetched {fetched.num_files} files to {out}")
    if fetched.exit_code is None:
        why = f" ({job.status.message})" if job.status.message else ""
        say(
            f"the command did not come to its end{why}; what it finished is kept, and the same command goes on from "
            "there"
        )
        return 1
    return fetched.exit_code


def _words(arguments: argparse.Namespace, uploads: dict[str, Path], inputs: str, work: str) -> Iterator[str]:
    """The command line again, with what differs from a flag's default; local files are noted and renamed."""

    def sent(dest: str, value: object) -> str:
        return _uploaded(str(value), uploads, inputs, work) if dest in arguments.job_local else str(value)

    for action in arguments.parser._actions:
        value = getattr(arguments, action.dest, None)
        if action.dest in _NOT_SENT or value is None:
            continue
        if not action.option_strings:
            yield from (sent(action.dest, one) for one in (value if isinstance(value, list) else [value]))
        elif value != action.default:
            flag = action.option_strings[-1]
            if action.nargs == 0:
                yield flag
            elif isinstance(action, argparse._AppendAction):
                yield from (f"{flag}={sent(action.dest, one)}" for one in value)
            elif isinstance(value, list):
                yield f"{flag}={','.join(map(str, value))}"
            else:
                yield f"{flag}={sent(action.dest, value)}"


def _uploaded(value: str, uploads: dict[str, Path], inputs: str, work: str) -> str:
    """A value whose local file or folder, if it names one, is noted and replaced by its place in the job."""
    before, name, after = "", value, ""
    if value.startswith("python:"):
        before, (name, _, after) = "python:", value.removeprefix("python:").rpartition(":")
        after = f":{after}"
    elif re.match(r"[\w.]+=", value):  # NAME.KEY=VALUE
        key, _, name = value.partition("=")
        before = f"{key}="
    local = Path(name).expanduser()
    if not name or not os.path.lexists(local):
        return value
    number = len({place.split("/")[1] for place in uploads})
    place = f"{inputs}/{number}/{local.resolve().name}"
    files = [file for file in local.rglob("*") if file.is_file()] if local.is_dir() else [local]
    for file in files:
        inside = file.relative_to(local)
        if not any(part.startswith(".") for part in inside.parts):
            uploads[f"{place}/{inside.as_posix()}" if local.is_dir() else place] = file
    return f"{before}{work}/{place}{after}"


def _extras(arguments: argparse.Namespace) -> list[str]:
    metrics = names_of(getattr(arguments, "metrics", None)) or []
    faces = any(name.startswith(_FACES) for name in metrics) and getattr(arguments, "models", None) is None
    return ["faces"] * faces + ["generate"] * (getattr(arguments, "model", None) is not None)


def _seconds(text: str) -> int:
    match = _DURATION.fullmatch(text.strip().lower())
    if match is None:
        raise ArgumentError(f"a job's time limit is a number of seconds, or one with m, h or d (got {text!r})")
    return int(float(match["number"]) * _SECONDS[match["unit"]])


def _estimated_hours(arguments: argparse.Namespace, plan: JobPlan) -> float | None:
    """Of the command on the plan's machine; None where nobody knows."""
    from opens2v_hf.cli.generate import generation_options
    from opens2v_hf.evaluation.cost_model import estimate, gpu_named

    if plan.gpu is None or not hasattr(arguments, "split"):
        return None
    try:
        gpu = gpu_named(plan.gpu)
    except ArgumentError:
        return None
    model = getattr(arguments, "model", None)
    made = estimate(
        arguments.split,
        gpu.name,
        metrics=names_of(getattr(arguments, "metrics", None)) or [],
        judge=getattr(arguments, "judge", None),
        model=model,
        recipe=None if model is None else generation_options(arguments)["recipe"],
        num_gpus=plan.num_gpus,
        limit=getattr(arguments, "limit", None),
    )
    return None if made.unknown else made.hours * len(getattr(arguments, "seeds", None) or [0])


def _confirmed(yes: bool) -> bool:
    if yes:
        return True
    if not sys.stdin.isatty():
        raise ArgumentError("nobody can be asked here whether the job shall be started; give `yes=True`")
    return input("start it? [y/N] ").strip().lower() in ("y", "yes")
