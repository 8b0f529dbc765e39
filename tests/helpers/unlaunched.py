"""Three processes that share work without a launcher: `unlaunched.py FOLDER`, with the usual variables set.

The second and the third one hang and die; the first writes the errors that it gets to FOLDER/found.json.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from opens2v_hf.errors import ArgumentError, ProcessError
from opens2v_hf.jobs.time_limit import Limits
from opens2v_hf.metrics.each_video import for_each_video

RANK = int(os.environ["RANK"])
FOLDER = Path(sys.argv[1])
rounds = 0
ITEMS = ["a", "b", "c"]  # of falling cost: one for each process


def share_late(work: Callable[[str], Any]) -> dict[str, Any]:
    """The others begin when the first one has failed and ended its work."""
    while RANK and not (FOLDER / "late 0.json").exists():
        time.sleep(0.02)
    found = share(work)
    (FOLDER / f"late {RANK}.json").write_text(json.dumps(found))
    return found


def share(work: Callable[[str], Any], **limits: float) -> dict[str, Any]:
    try:
        found = for_each_video(
            work, ITEMS, name=str, cost=lambda item: -float(ord(item)), setting=list, description="test",
            failed=lambda item, reason: reason,
            limits=Limits(hint_after_s=0.5, **limits),
        )  # fmt: skip
    except ProcessError as error:
        return {"message": str(error)}
    return {"found": found}


def large(item: str) -> str:
    """12 MB that cannot be compressed."""
    return random.Random(item).randbytes(6_000_000).hex() if item == "b" else item


def all_there() -> None:
    """Wait until each process has one item."""
    global rounds
    (FOLDER / f"{rounds} {RANK}").touch()
    while len(list(FOLDER.glob(f"{rounds} *"))) < 3:
        time.sleep(0.02)
    rounds += 1


def fail_early(item: str) -> str:
    raise ArgumentError(f"{item} cannot be used")


def stuck(item: str) -> str:
    all_there()
    if RANK == 1:
        time.sleep(4)
    return item


def killed_when_done(item: str) -> str:
    """The third process dies when it has finished, while the first one still works."""
    all_there()
    if RANK == 2:
        threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGKILL)).start()
    if RANK == 0:
        time.sleep(2)
    return item


def killed(item: str) -> str:
    if RANK == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.5)
    return item


def main() -> None:
    content = share(large)
    share_late(fail_early)
    report = {
        "large": {"same": content.get("found") == ["a", large("b"), "c"]},
        "stuck": share(stuck, process_s=1.5),
        "killed_when_done": share(killed_when_done),
        "killed": share(killed),
        "absent": share(str, arrival_s=1.0),
    }
    if RANK == 0:
        (FOLDER / "found.json").write_text(json.dumps(report))


if __name__ == "__main__":
    main()
