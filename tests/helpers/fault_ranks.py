"""One of several processes that share runs of cheap metrics; imported with the variables of a launcher set.

JOBS is a JSON file with a list of jobs, done one after another: `videos`, `out`, `die_at` (for each rank the number of
scores after which it kills itself, once the others have come as far). The outcome of each is written to JOBS.<rank>.
"""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

from helpers.fault_run import logged, result_bytes, score

from opens2v_hf.errors import OpenS2VError
from opens2v_hf.video.clip import Clip

RANK = int(os.environ["RANK"])


def do(job: dict[str, Any], file: Path) -> dict[str, Any]:
    scored: list[str] = []
    die_at = job.get("die_at", [0] * 9)[RANK]

    def hook(name: str, clip: Clip) -> None:
        scored.append(f"{Path(clip.name).stem} {name}")
        if len(scored) == die_at:
            # the others would notice, and stop
            while logged(Path(job["videos"])).total() < sum(job["die_at"]):
                time.sleep(0.01)
            os.kill(os.getpid(), signal.SIGKILL)

    out = Path(job["out"])
    try:
        result = score(Path(job["videos"]), out, pause_s=0.02, hook=hook, memory=job.get("memory", "keep"))
    except OpenS2VError as error:
        return {"error": f"{type(error).__name__}: {error}", "scored": scored}
    saved = Path(f"{file}.{RANK}.result")
    result.save(saved / "open-domain.json")
    return {"result": result_bytes(saved).decode(), "scored": scored}


def main(file: Path) -> None:
    done = [do(job, file) for job in json.loads(file.read_text())]
    Path(f"{file}.{RANK}").write_text(json.dumps(done))
