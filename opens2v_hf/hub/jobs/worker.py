"""The program of a job: `python -m opens2v_hf.hub.jobs.worker REPO PATH`.

It fetches the job's folder, runs the command of `plan.json`, and copies what the command writes to the repo every few
minutes and at its end. Before the job's time limit it stops the command, so that the last minutes are not lost.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.errors import HTTPError

from opens2v_hf._util.console import say
from opens2v_hf._util.retries import Retries
from opens2v_hf.hub.jobs.mirror import Mirror

MODULE = "opens2v_hf.hub.jobs.worker"

PLAN, STATE, INPUTS, OUT = "plan.json", "state.json", "inputs", "out"
"""Files in the folder of a job."""

WORK = "@work@"
"""Placeholder in a plan's arguments for the job's folder on its machine."""

PUSH_EVERY_S = 300.0
MARGIN_S = 240.0
"""Before the time limit: to stop the command and to copy what it has written."""

_TIMEOUT_S = 60.0
_ATTEMPTS = 5


def run_job(repo_id: str, path: str) -> int:
    """Run the command of a job's folder.

    Args:
        repo_id: dataset repo.
        path: of the job's folder in it.

    Returns:
        0 if the command ended, with its exit code in `state.json`; 1 if it was stopped.
    """
    begun = time.monotonic()
    api = HfApi()
    # the same path each time: it is in the names of local models and functions, which are part of a video's key
    root = Path(tempfile.gettempdir(), "opens2v-job")
    work = root / path
    shutil.rmtree(work, ignore_errors=True)
    try:
        snapshot_download(repo_id, repo_type="dataset", allow_patterns=[f"{path}/*"], local_dir=root)
        plan = json.loads((work / PLAN).read_text("utf-8"))
        _set_times(work / INPUTS)
        out = work / OUT
        out.mkdir(exist_ok=True)
        mirror = Mirror(api, repo_id, f"{path}/{OUT}", out)
        ended = _Child(command_of(plan, work)).wait(
            PUSH_EVERY_S, begun + plan["timeout_s"] - MARGIN_S, lambda: _push(mirror, attempts=1)
        )
        state = {"exit_code": ended, "at": datetime.now(UTC).isoformat(timespec="seconds")}
        more = {f"{path}/{STATE}": json.dumps(state).encode()}
        _push(mirror, more=more, attempts=_ATTEMPTS)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return 0 if ended is not None else 1


def command_of(plan: dict[str, Any], work: Path) -> list[str]:
    """The command of a plan on this machine: a process for each GPU where there are several."""
    words = [word.replace(WORK, str(work)) for word in plan["words"]]
    count, launch = plan["num_gpus"], []
    if count > 1 and words[0] == "build":  # it starts its processes by itself
        words += [] if any(word.startswith("--processes=") for word in words) else [f"--processes={count}"]
    elif count > 1:
        launch = ["-m", "accelerate.commands.launch", "--num_processes", str(count)]
    return [sys.executable, *launch, "-m", "opens2v_hf", *words]


def _set_times(inputs: Path) -> None:
    """Give each file a time of change that depends on its content alone, as a build knows its videos by their times."""
    for file in inputs.rglob("*"):
        if file.is_file():
            with file.open("rb") as content:
                digest = hashlib.file_digest(content, "sha256").digest()
            seconds = int.from_bytes(digest[:4])
            os.utime(file, (seconds, seconds))


class _Child:
    """The command as a process; a signal to end this one ends it, too."""

    def __init__(self, command: Sequence[str]) -> None:
        # a shell ignores it for what it starts in the background, and so would the command, which is stopped by it
        signal.signal(signal.SIGINT, signal.default_int_handler)
        self._process = subprocess.Popen(command)  # noqa: S603 - the user's own command
        self._stopped = False
        signal.signal(signal.SIGTERM, lambda *_: self._stop())

    def wait(self, every_s: float, until: float, tick: Callable[[], None]) -> int | None:
        """The exit code; None if it was stopped, by a signal or because its time is over."""
        while True:
            left = until - time.monotonic()
            try:
                code = self._process.wait(max(0.0, min(every_s, left)))
            except subprocess.TimeoutExpired:
                if time.monotonic() < until:
                    tick()
                    continue
                say("the job's time is over and the command is stopped; run the same command to resume", error=True)
                self._stop()
                code = self._last_words()
            return None if self._stopped else code

    def _stop(self) -> None:
        self._stopped = True
        self._process.send_signal(signal.SIGINT)  # it closes its files, and prints that it can be resumed

    def _last_words(self) -> int:
        try:
            return self._process.wait(_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()


def _push(
    mirror: Mirror,
    *,
    attempts: int,
    sleep: Callable[[float], None] = time.sleep,
    more: dict[str, bytes] | None = None,
) -> None:
    """Copy to the Hub, with retries; a failed copy does not end the command."""
    try:
        Retries(attempts, first_wait_s=10.0, sleep=sleep).call(lambda: mirror.push(more=more))
    except (HTTPError, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        if token := os.environ.get("HF_TOKEN"):
            reason = reason.replace(token, "***")
        say(f"could not copy to the Hub ({type(error).__name__}: {reason})", error=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line of this module: repo and path."""
    repo_id, path = sys.argv[1:] if arguments is None else arguments
    return run_job(repo_id, path)


if __name__ == "__main__":
    sys.exit(main())
