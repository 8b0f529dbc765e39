"""A command as a Hugging Face Job: `opens2v score ... --job a100-large`."""

from __future__ import annotations

import argparse
import importlib
import os
import re
import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from opens2v_hf._util.console import remark, say
from opens2v_hf.cli.options import add, generation_options, names_of
from opens2v_hf.errors import ArgumentError

if TYPE_CHECKING:
    from huggingface_hub import HfApi

    from opens2v_hf.hub.jobs.submit import JobPlan, JobRecord

_OWN = ("job", "job_timeout", "job_repo", "job_package", "job_local", "namespace", "yes", "detach")
_NOT_SENT = (*_OWN, "help", "config", "parser")
_FACES = "facesim"
_DURATION = re.compile(r"(?P<number>\d{1,9}(?:\.\d+)?)(?P<unit>[smhd]?)")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def add_job_arguments(parser: argparse.ArgumentParser, *, local: Collection[str]) -> None:
    """Declare the flags that run a command as a job; the command must have an argument `out`.

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
    command = arguments.parser.prog.split()[-1]
    module = importlib.import_module(f"opens2v_hf.cli.{command}")
    if hasattr(module, "check_before_job"):
        module.check_before_job(arguments)
    api, out = HfApi(), Path(arguments.out)
    uploads: dict[str, Path] = {}
    words = [command, *_words(arguments, uploads, INPUTS, WORK, f"{WORK}/{OUT}")]
    options = JobOptions(
        arguments.job,
        _seconds(arguments.job_timeout),
        arguments.job_repo,
        arguments.namespace,
        arguments.job_package,
        _extras(arguments),
    )
    plan = plan_job(command, words, uploads, out, options, api=api)
    for line in plan.describe(_estimated_hours(arguments, command, plan)):
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
        remark(f"the job keeps running; `opens2v job logs {record.id} --follow`, or `opens2v job cancel {record.id}`")
        raise
    job = watch.inspect(record.id, namespace=record.namespace, api=api)
    fetched = watch.fetch(record, out, api=api)
    say(f"job {record.id}: {job.status.stage}; fetched {fetched.num_files} files to {out}")
    if fetched.exit_code is None:
        why = f" ({job.status.message})" if job.status.message else ""
        say(f"the command did not end by itself{why}; its finished work is saved, and the same command resumes it")
        return 1
    return fetched.exit_code


def _words(arguments: argparse.Namespace, uploads: dict[str, Path], inputs: str, work: str, out: str) -> Iterator[str]:
    """The command line for the job: flags that differ from their default, with the job's paths for local files.

    Args:
        arguments: parsed.
        uploads: gets each path in the job's folder and its local file.
        inputs: folder of the uploads in the job's folder.
        work: the job's folder.
        out: the job's path for `out`.
    """

    def sent(dest: str, value: object) -> str:
        if dest == "out":
            return out
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
    """The value with the job's path in place of a local one; the files of that path are added to `uploads`."""
    before, name, after = "", value, ""
    if value.startswith("python:"):
        before, (name, _, after) = "python:", value.removeprefix("python:").rpartition(":")
        after = f":{after}"
    elif re.match(r"[\w.]+=", value):  # NAME.KEY=VALUE
        key, _, name = value.partition("=")
        before = f"{key}="
    local = Path(os.path.expanduser(name))
    if not name or not os.path.lexists(local):
        return value
    number = len({path.split("/")[1] for path in uploads})
    target = f"{inputs}/{number}/{os.path.basename(os.path.realpath(local))}"
    if local.is_dir():
        uploads |= {f"{target}/{file.relative_to(local).as_posix()}": file for file in _files_in(local)}
    else:
        uploads[target] = local
    return f"{before}{work}/{target}{after}"


def _files_in(folder: Path) -> Iterator[Path]:
    """Files of a folder and its subfolders, without hidden ones."""
    # unlike `Path.rglob`, `os.walk` leaves out a subfolder that is removed meanwhile
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and os.path.isfile(file := Path(root, name)):
                yield file


def _extras(arguments: argparse.Namespace) -> list[str]:
    """Optional dependencies of the package that the command needs."""
    if arguments.parser.prog.endswith(" build"):
        # a diffusers pipeline may paint the background or make the views
        pipelines = (arguments.inpainter, arguments.views_model)
        return ["build"] + ["ray"] * (arguments.engine == "ray") + ["generate"] * any(pipelines)
    metrics = names_of(getattr(arguments, "metrics", None)) or []
    faces = any(name.startswith(_FACES) for name in metrics) and getattr(arguments, "models", None) is None
    makes_videos = arguments.model is not None or getattr(arguments, "source", None) == "new"
    return ["faces"] * faces + ["generate"] * makes_videos


def _seconds(text: str) -> int:
    match = _DURATION.fullmatch(text.strip().lower())
    if match is None:
        raise ArgumentError(
            f"a job's time limit must be a number of seconds, or one with m, h or d (got {text[:32]!r})"
        )
    return int(float(match["number"]) * _SECONDS[match["unit"]])


def _estimated_hours(arguments: argparse.Namespace, command: str, plan: JobPlan) -> float | None:
    """Estimated duration of the command on the plan's machine; None if unknown."""
    from opens2v_hf.evaluation.cost_model import estimate, gpu_named
    from opens2v_hf.leaderboard.reproduction.published_rows import published_row

    if plan.gpu is None or not hasattr(arguments, "split"):
        return None
    try:
        gpu = gpu_named(plan.gpu)
    except ArgumentError:
        return None
    split, model = arguments.split, arguments.model
    if command == "reproduce":
        row = published_row(arguments.name)
        split = row.split_or_first(split)
        model = (model or row.model) if arguments.source == "new" else None
    made = estimate(
        split,
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
        raise ArgumentError("the start of a job must be confirmed, and there is no terminal; give `yes=True`")
    return input("start it? [y/N] ").strip().lower() in ("y", "yes")
