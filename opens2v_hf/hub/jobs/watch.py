"""Looking after a job: its state, its logs, its end and its result."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import HfApi, JobInfo, snapshot_download

from opens2v_hf.errors import ArgumentError, HubError, ResultError
from opens2v_hf.hub.client import hub_errors
from opens2v_hf.hub.jobs.submit import JobRecord
from opens2v_hf.hub.jobs.worker import MODULE, OUT, STATE


@dataclass(frozen=True)
class Fetched:
    """The copied files of a job's folder."""

    num_files: int  # of its output
    exit_code: int | None  # of the command; None if it has not ended, or was stopped


def inspect(job_id: str, *, namespace: str | None = None, api: HfApi) -> JobInfo:
    """Status of a job on the Hub.

    Raises:
        HubError: the job does not exist, or the Hub cannot be reached.
    """
    with hub_errors(api):
        return api.inspect_job(job_id=job_id, namespace=namespace)


def record_of(job: JobInfo) -> JobRecord:
    """The folder of a job on the Hub, from its command.

    Raises:
        ArgumentError: it is not a job of this package.
    """
    command = job.command or []
    if MODULE not in command or len(command) < command.index(MODULE) + 3:
        raise ArgumentError(
            f"the job {job.id} was not started by `opens2v ... --job`; `hf jobs inspect {job.id}` shows it"
        )
    module = command.index(MODULE)
    return JobRecord(job.id, job.owner.name, command[module + 1], command[module + 2])


def own_jobs(*, namespace: str | None = None, api: HfApi) -> list[JobInfo]:
    """The jobs of this package, as the Hub lists them."""
    with hub_errors(api):
        return [job for job in api.list_jobs(namespace=namespace) if MODULE in (job.command or [])]


def logs(record: JobRecord, *, follow: bool, api: HfApi) -> Iterator[str]:
    """The lines that a job has printed; with `follow` also those to come.

    Raises:
        HubError: the job does not exist, or the Hub cannot be reached.
    """
    with hub_errors(api):
        yield from api.fetch_job_logs(job_id=record.id, namespace=record.namespace, follow=follow)


def cancel(job_id: str, *, namespace: str | None = None, api: HfApi) -> None:
    """Stop a job; what it has copied stays.

    Raises:
        HubError: the job does not exist, or the Hub cannot be reached.
    """
    with hub_errors(api):
        api.cancel_job(job_id=job_id, namespace=namespace)


def fetch(record: JobRecord, out: Path, *, api: HfApi) -> Fetched:
    """Copy the present results of a job to a folder, in which the run can also be resumed here.

    Raises:
        HubError: the Hub cannot be reached, or the folder was deleted.
        ResultError: the files cannot be written.
    """
    with tempfile.TemporaryDirectory() as temporary:
        with hub_errors(api):
            snapshot_download(
                record.repo_id,
                repo_type="dataset",
                allow_patterns=[f"{record.path}/{OUT}/*", f"{record.path}/{STATE}"],
                local_dir=temporary,
                token=api.token,
            )
        copy = Path(temporary, record.path)
        files = [file for file in (copy / OUT).rglob("*") if file.is_file()]
        try:
            for file in files:
                target = out / file.relative_to(copy / OUT)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.move(file, target)
        except OSError as error:
            raise ResultError(f"cannot write to {out}: {error.strerror or error}; the files stay on the Hub") from error
        return Fetched(len(files), _exit_code(copy / STATE))


def _exit_code(state: Path) -> int | None:
    if not state.is_file():
        return None
    try:
        code = json.loads(state.read_text("utf-8"))["exit_code"]
    except (ValueError, LookupError, TypeError) as error:
        raise HubError(f"the job's {STATE} is damaged; run the same command again") from error
    return code if isinstance(code, int) else None
