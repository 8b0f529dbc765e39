"""Two processes that share work with nobody to watch over them: `unlaunched.py FOLDER`, with the usual variables set.

The second one is stuck, then dead; the first writes what it was told of that to FOLDER/told.json.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

from opens2v_hf.errors import ProcessError
from opens2v_hf.run.distributed import Patience, share

RANK = int(os.environ["RANK"])


def told(work, **patience: float) -> dict[str, object]:
    start = time.monotonic()
    try:
        share(
            work, ["a", "b"], names=["a.mp4", "b.mp4"], costs=[2.0, 1.0], setting=None, description="test",
            patience=Patience(beat_s=0.1, hint_after_s=0.5, **patience),
        )  # fmt: skip
    except ProcessError as error:
        return {"message": str(error), "seconds": time.monotonic() - start}
    return {"message": "", "seconds": time.monotonic() - start}


def get_stuck(item: str) -> str:
    if RANK == 1:
        time.sleep(5)
    return item


def get_killed(item: str) -> str:
    if RANK == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return item


def main(folder: Path) -> None:
    report = {
        "stuck": told(get_stuck, video_s=1.0),
        "killed": told(get_killed, dead_after_s=4.0),
        "absent": told(str, arrival_s=1.0),
    }
    (folder / "told.json").write_text(json.dumps(report))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
