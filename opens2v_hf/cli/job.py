"""`opens2v job`: status, logs, results and cancellation of commands that run as Hugging Face Jobs."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from opens2v_hf._util.console import say
from opens2v_hf.cli.as_job import follow
from opens2v_hf.cli.options import add
from opens2v_hf.errors import ArgumentError

if TYPE_CHECKING:
    from huggingface_hub import HfApi, JobInfo

    from opens2v_hf.hub.jobs.submit import JobRecord

ACTIONS = ("status", "logs", "cancel", "fetch")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("action", choices=ACTIONS, help="what to do")
    parser.add_argument("id", metavar="ID", nargs="?", help="of the job, or the --out of the command that started it")
    add(parser, "--namespace", help="organisation that the job belongs to (default: you)")
    add(parser, "--out", help="folder for the fetched files (default: the folder given as ID)")
    parser.add_argument("--follow", action="store_true", help="logs: until the job ends; then its result is fetched")


def run(arguments: argparse.Namespace) -> int:
    """Do the action. The exit code of `fetch` is that of the command, or 1 if the command has not ended by itself."""
    from huggingface_hub import HfApi

    from opens2v_hf.hub.jobs import watch

    api = HfApi()
    if arguments.id is None:
        if arguments.action != "status":
            raise ArgumentError(f"name the job: opens2v job {arguments.action} ID; `opens2v job status` lists them")
        jobs = watch.own_jobs(namespace=arguments.namespace, api=api)
        for job in jobs:
            say(_line(job))
        if not jobs:
            say("no job of this package was found")
        return 0
    record = _record(arguments, api)
    if arguments.action == "status":
        say(_line(watch.inspect(record.id, namespace=record.namespace, api=api)))
        say(f"  stored in {record.repo_id}, folder {record.path}")
        return 0
    if arguments.action == "cancel":
        watch.cancel(record.id, namespace=record.namespace, api=api)
        say(f"job {record.id} is stopped; its copied files remain: opens2v job fetch {record.id}")
        return 0
    if arguments.action == "logs" and not arguments.follow:
        for line in watch.logs(record, follow=False, api=api):
            say(line)
        return 0
    out = _out(arguments)
    if arguments.action == "logs":
        return follow(record, out, api)
    fetched = watch.fetch(record, out, api=api)
    ended = "has not ended by itself" if fetched.exit_code is None else f"ended with code {fetched.exit_code}"
    say(f"fetched {fetched.num_files} files to {out}; the command {ended}")
    return 1 if fetched.exit_code is None else fetched.exit_code


def _record(arguments: argparse.Namespace, api: HfApi) -> JobRecord:
    from opens2v_hf.hub.jobs import watch
    from opens2v_hf.hub.jobs.submit import read_record

    if os.path.isdir(arguments.id):  # pathlib raises for a name that is too long
        record = read_record(Path(arguments.id))
        if record is None:
            raise ArgumentError(f"no job was started with --out {arguments.id}; `opens2v job status` lists them")
        return record
    return watch.record_of(watch.inspect(arguments.id, namespace=arguments.namespace, api=api))


def _out(arguments: argparse.Namespace) -> Path:
    if arguments.out is not None:
        return Path(arguments.out)
    if os.path.isdir(arguments.id):  # pathlib raises for a name that is too long
        return Path(arguments.id)
    raise ArgumentError("fetch needs a folder for the result; give `out=`")


def _line(job: JobInfo) -> str:
    seconds = None if job.durations is None else job.durations.running_secs
    ran = f", {seconds / 60:.0f} min" if seconds else ""
    why = f": {job.status.message}" if job.status.message else ""
    what = (job.labels or {}).get("opens2v-hf", "command")
    return f"{job.id}  opens2v {what} on {job.flavor}  {job.status.stage}{ran}{why}"
