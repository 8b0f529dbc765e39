"""Jobs: a command that the Hub runs on a machine of its own, here as a process of this one."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from helpers.loopback_hub import answers

HARDWARE = [
    {
        "name": "cpu-basic", "prettyName": "CPU Basic", "cpu": "2 vCPU", "ram": "16 GB",
        "unitCostMicroUSD": 167, "unitCostUSD": 0.000167, "unitLabel": "minute",
    },
    {
        "name": "a100-large", "prettyName": "Nvidia A100 - large", "cpu": "12 vCPU", "ram": "142 GB",
        "accelerator": {"type": "gpu", "model": "A100", "quantity": "1", "vram": "80 GB", "manufacturer": "Nvidia"},
        "unitCostMicroUSD": 41667, "unitCostUSD": 0.0416667, "unitLabel": "minute",
    },
]  # fmt: skip
OFFLINE = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "HF_EVALUATE_OFFLINE", "TRANSFORMERS_OFFLINE")
_UV = ("uv", "run", "--with")


@dataclass
class Job:
    id: str
    owner: str
    spec: dict[str, Any]
    process: subprocess.Popen[bytes]
    folder: TemporaryDirectory[str]
    canceled: bool = False

    @property
    def stage(self) -> str:
        if self.canceled:
            return "CANCELED"
        code = self.process.poll()
        return "RUNNING" if code is None else "COMPLETED" if code == 0 else "ERROR"

    def info(self) -> dict[str, Any]:
        """What the Hub says of it: names of secrets, and no value."""
        return {
            "id": self.id,
            "createdAt": answers.NOW,
            "owner": {"id": "0", "name": self.owner, "type": "user"},
            "command": self.spec["command"],
            "dockerImage": self.spec["dockerImage"],
            "flavor": self.spec["flavor"],
            "labels": self.spec.get("labels"),
            "secrets": dict.fromkeys(self.spec.get("secrets", {}), None),
            "status": {"stage": self.stage, "message": None},
            "durations": {"schedulingSecs": 1, "runningSecs": 120, "totalSecs": 121},
            "timeoutSeconds": self.spec.get("timeoutSeconds"),
        }

    def log_events(self) -> Iterator[str]:
        """The lines that it prints, as events, until it ends."""
        with Path(self.folder.name, "log").open(encoding="utf-8") as log:
            while True:
                ended = self.stage != "RUNNING"
                for line in log:
                    yield f"data: {json.dumps({'data': line.rstrip(chr(10)), 'timestamp': answers.NOW})}\n\n"
                if ended:
                    return
                time.sleep(0.05)


@dataclass
class Jobs:
    jobs: dict[str, Job] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def start(self, owner: str, spec: dict[str, Any], url: str) -> Job:
        """Run `uv run --with PACKAGE python ...` by this Python, which has the package."""
        command = spec["command"]
        assert tuple(command[:3]) == _UV, command
        assert command[4] == "python", command
        folder = TemporaryDirectory()
        env = {key: value for key, value in os.environ.items() if key not in (*OFFLINE, "HF_TOKEN")}
        env |= {
            "HF_ENDPOINT": url,
            "HF_HUB_DISABLE_XET": "1",
            "HF_HOME": f"{folder.name}/home",
            "NO_PROXY": "127.0.0.1",
        }
        env |= {"PYTHONUNBUFFERED": "1"} | spec["environment"] | spec.get("secrets", {})
        with Path(folder.name, "log").open("wb") as log:
            process = subprocess.Popen([sys.executable, *command[5:]], env=env, stdout=log, stderr=subprocess.STDOUT)
        job = Job(f"job{next(self._numbers)}", owner, spec, process, folder)
        self.jobs[job.id] = job
        return job

    def cancel(self, job: Job) -> None:
        job.canceled = True
        job.process.terminate()

    def end(self) -> None:
        """End those that run."""
        for job in self.jobs.values():
            job.process.kill()
            job.process.wait()
            job.folder.cleanup()
