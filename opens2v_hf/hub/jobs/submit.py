"""Planning and submitting a job."""

from __future__ import annotations

import difflib
import json
import os
import re
import secrets
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, JobHardwareInfo, get_token
from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError

from opens2v_hf._util.atomic import atomic_file
from opens2v_hf._version import __version__
from opens2v_hf.errors import ArgumentError, HubError, ResultError
from opens2v_hf.hub.client import hub_errors, who_may_write
from opens2v_hf.hub.jobs.worker import INPUTS, MARGIN_S, MODULE, PLAN, STATE

RECORD = "job.json"
"""In the folder given as `out=`: which job writes it, and its path on the Hub."""

REPO_NAME = "opens2v-runs"
SHORTEST_S = 2 * MARGIN_S
SECRETS = ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENS2V_ENDPOINT_KEY", "VLLM_API_KEY", "SGLANG_API_KEY")
"""Environment variables that are passed on if they are set; the Hub's token always is."""

ENDED = ("COMPLETED", "CANCELED", "ERROR", "DELETED")
"""Stages of a job that runs no more."""

_UNITS_AN_HOUR = {"second": 3600, "minute": 60, "hour": 1}
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True)
class JobRecord:
    """A job that was submitted."""

    id: str  # of the job
    namespace: str  # user or organisation that it belongs to
    repo_id: str  # dataset repo of its folder
    path: str  # of its folder there


@dataclass(frozen=True)
class JobPlan:
    """A job that was not submitted yet."""

    command: str  # name of the command, e.g. "score"
    words: tuple[str, ...]  # its command line, with `worker.WORK` for the job's folder
    uploads: Mapping[str, Path]  # path in the job's folder to a local file
    flavor: str  # name of the machine
    machine: str  # what it is, in words
    gpu: str | None  # model of its GPUs, e.g. "A100"; None without one
    num_gpus: int  # of the machine; 0 without one
    dollars_per_hour: float  # its price
    timeout_s: int  # after which the Hub stops it
    namespace: str  # user or organisation that pays
    repo_id: str  # dataset repo of the job's folder
    path: str  # of the folder there
    package: str  # that is installed, as pip takes it
    secret_names: tuple[str, ...]  # environment variables that are passed on
    resumes: bool = False  # whether an earlier job of the same folder is resumed
    upload_bytes: int = 0  # size of `uploads`

    @property
    def most_dollars(self) -> float:
        """The cost of a run up to the time limit."""
        return self.dollars_per_hour * self.timeout_s / 3600

    def describe(self, estimated_hours: float | None = None) -> list[str]:
        """The plan and its cost, one line each."""
        estimated = (
            "how long it takes is not known"
            if estimated_hours is None
            else f"estimated {estimated_hours:.1f} h and {estimated_hours * self.dollars_per_hour:.2f} dollars, "
            "loading and downloads not counted"
        )
        return [
            f"job      opens2v {self.command} on {self.flavor} ({self.machine}), paid by {self.namespace}",
            f"price    {self.dollars_per_hour:.2f} dollars an hour; {estimated}",
            f"at most  {self.timeout_s / 3600:.1f} h, which is {self.most_dollars:.2f} dollars (--job-timeout)",
            f"uploads  {len(self.uploads)} files, {self.upload_bytes / 1e6:.1f} MB",
            f"saved in {self.repo_id}, a private dataset, folder {self.path}"
            + ("; an earlier job is resumed" if self.resumes else ""),
            f"secrets  {', '.join(self.secret_names)}",
            f"package  {self.package}",
        ]


@dataclass(frozen=True)
class JobOptions:
    """The options of a job."""

    flavor: str  # name of the machine, e.g. "a100-large"
    timeout_s: int  # its time limit
    repo_id: str | None = None  # dataset repo for its folder; `<user>/opens2v-runs` by default
    namespace: str | None = None  # user or organisation that pays; the token's user by default
    package: str | None = None  # in place of this version of opens2v-hf from the package index, as pip takes it
    extras: Sequence[str] = field(default_factory=tuple)  # of the package that the command needs


def plan_job(
    command: str, words: Sequence[str], uploads: Mapping[str, Path], out: Path, options: JobOptions, *, api: HfApi
) -> JobPlan:
    """Get the price of a job from the Hub, and choose its folder in the repo.

    Args:
        command: name of the command.
        words: its command line.
        uploads: path in the job's folder to a local file.
        out: folder on this machine that gets the result.
        options: see there.
        api: with a token, or for the one that is logged in.

    Raises:
        ArgumentError: the machine is unknown, the time is too short, `out` is not the result of a job, or the job that
            writes it still runs.
        HubError: no token that may write, or the Hub cannot be reached.
    """
    if options.timeout_s < SHORTEST_S:
        raise ArgumentError(
            f"a job needs a time limit of at least {SHORTEST_S / 60:.0f} minutes, of which the last "
            f"{MARGIN_S / 60:.0f} are for copying the results (got {options.timeout_s / 60:.1f})"
        )
    before = read_record(out)
    if before is None and out.is_dir() and any(out.iterdir()):
        raise ArgumentError(
            f"{out} holds files that no job wrote, and a job's result is fetched there; choose another `out=`"
        )
    user = who_may_write(api, "a job needs a token that may write and start jobs")
    with hub_errors(api):
        machines = api.list_jobs_hardware()
    machine = _machine(options.flavor, machines)
    accelerator = machine.accelerator
    namespace = options.namespace or (before.namespace if before else user.names[0])
    repo_id = options.repo_id or (before.repo_id if before else f"{user.names[0]}/{REPO_NAME}")
    resumes = before is not None and before.repo_id == repo_id
    if before is not None and resumes:
        _refuse_while_running(before, api)
    extras = f"[{','.join(options.extras)}]" if options.extras else ""
    return JobPlan(
        command=command,
        words=tuple(words),
        uploads=dict(uploads),
        flavor=machine.name,
        machine=machine.pretty_name,
        gpu=None if accelerator is None else accelerator.model,
        num_gpus=0 if accelerator is None else int(accelerator.quantity),
        dollars_per_hour=_dollars_per_hour(machine),
        timeout_s=options.timeout_s,
        namespace=namespace,
        repo_id=repo_id,
        path=before.path if before is not None and resumes else _new_path(out),
        package=options.package or f"opens2v-hf{extras}=={__version__}",
        secret_names=("HF_TOKEN", *(name for name in SECRETS if os.environ.get(name))),
        resumes=resumes,
        upload_bytes=_size(uploads.values()),
    )


def submit_job(plan: JobPlan, out: Path, *, api: HfApi) -> JobRecord:
    """Upload the job's folder, and start it.

    Raises:
        ArgumentError: a file to upload was removed.
        HubError: the Hub cannot be reached, or refuses it.
        ResultError: the record cannot be written to `out`; the message says how to find the job.
    """
    token = api.token if isinstance(api.token, str) else get_token()
    if token is None:
        raise HubError("a job needs a token: `hf auth login`, or set HF_TOKEN")
    content = {"command": plan.command, "words": plan.words, "num_gpus": plan.num_gpus, "timeout_s": plan.timeout_s}
    _size(plan.uploads.values())  # raises for a file that was removed while the user was asked
    operations: list[CommitOperationAdd | CommitOperationDelete] = [
        CommitOperationAdd(f"{plan.path}/{PLAN}", json.dumps(content, indent=1).encode()),
        *(CommitOperationAdd(f"{plan.path}/{path}", str(file)) for path, file in plan.uploads.items()),
    ]
    with (
        warnings.catch_warnings(),
        hub_errors(api, forbidden="it needs the right to write to the repo, and a subscription or credits for jobs"),
    ):
        warnings.filterwarnings("ignore", message=".*experimental", category=UserWarning)  # the tests hold its form
        api.create_repo(plan.repo_id, repo_type="dataset", private=True, exist_ok=True)
        operations += _outdated(api, plan)
        api.create_commit(
            plan.repo_id, operations, repo_type="dataset", commit_message=f"{plan.path}: opens2v {plan.command}"
        )
        job = api.run_uv_job(
            "python",
            script_args=["-m", MODULE, plan.repo_id, plan.path],
            dependencies=[plan.package],
            secrets={"HF_TOKEN": token, **{name: os.environ[name] for name in plan.secret_names if name != "HF_TOKEN"}},
            flavor=plan.flavor,
            timeout=plan.timeout_s,
            labels={"opens2v-hf": plan.command},
            namespace=plan.namespace,
        )
    record = JobRecord(job.id, plan.namespace, plan.repo_id, plan.path)
    try:
        out.mkdir(parents=True, exist_ok=True)
        with atomic_file(out / RECORD) as temporary:
            temporary.write_text(json.dumps(asdict(record), indent=1), encoding="utf-8")
    except OSError as error:
        raise ResultError(
            f"the job {job.id} runs, and {out / RECORD} cannot be written: {error.strerror}; fetch its result with "
            f"`opens2v job fetch {job.id}`"
        ) from error
    return record


def read_record(out: Path) -> JobRecord | None:
    """The job that writes a folder; None if there is none.

    Raises:
        ResultError: the record is damaged.
    """
    file = out / RECORD
    if not file.is_file():
        return None
    try:
        return JobRecord(**json.loads(file.read_text("utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise ResultError(f"{file} is not a record of a job; remove it, or choose another `out=`") from error


def _refuse_while_running(before: JobRecord, api: HfApi) -> None:
    """Refuse a second job of the same folder: each would replace what the other copies."""
    with hub_errors(api):
        try:
            stage = api.inspect_job(job_id=before.id, namespace=before.namespace).status.stage
        except HfHubHTTPError as error:
            if error.response.status_code == 404:  # the Hub forgets ended jobs after a while
                return
            raise
    if stage not in ENDED:
        raise ArgumentError(
            f"the job {before.id}, which writes to the same folder, has not ended ({stage}): follow it with `opens2v "
            f"job logs {before.id} --follow`, stop it with `opens2v job cancel {before.id}`, or choose another `out=`"
        )


def _outdated(api: HfApi, plan: JobPlan) -> list[CommitOperationDelete]:
    """Operations that delete inputs and the state of an earlier job of the same folder."""
    if not plan.resumes:
        return []
    try:
        files = [
            entry.path for entry in api.list_repo_tree(plan.repo_id, plan.path, recursive=True, repo_type="dataset")
        ]
    except EntryNotFoundError:  # it was removed meanwhile
        return []
    uploaded = {f"{plan.path}/{path}" for path in plan.uploads}
    own = (f"{plan.path}/{INPUTS}/", f"{plan.path}/{STATE}")
    folders = {file.rpartition("/")[0] for file in files}
    old = [file for file in files if file.startswith(own) and file not in uploaded and file not in folders]
    return [CommitOperationDelete(file) for file in old]


def _size(files: Iterable[Path]) -> int:
    """Bytes of files.

    Raises:
        ArgumentError: one cannot be read.
    """
    try:
        return sum(file.stat().st_size for file in files)
    except OSError as error:
        raise ArgumentError(
            f"{error.filename} was to be uploaded and cannot be read: {error.strerror}; run the command again when "
            "nothing else writes to its folder"
        ) from error


def _machine(flavor: str, machines: Sequence[JobHardwareInfo]) -> JobHardwareInfo:
    by_name = {machine.name: machine for machine in machines}
    if flavor in by_name:
        return by_name[flavor]
    near = difflib.get_close_matches(flavor, by_name, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(by_name)}"
    raise ArgumentError(f"the Hub has no machine {flavor!r} for jobs; {hint}")


def _dollars_per_hour(machine: JobHardwareInfo) -> float:
    times = _UNITS_AN_HOUR.get(machine.unit_label)
    if times is None:
        raise HubError(
            f"the Hub gives the price of {machine.name} for a {machine.unit_label!r}, which is not understood"
        )
    return machine.unit_cost_usd * times


def _new_path(out: Path) -> str:
    name = _UNSAFE.sub("-", os.path.basename(os.path.realpath(out))).strip("-.") or "run"
    return f"{name}-{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
