"""The command that starts a script in two processes by `accelerate launch`, and the environment of such a launch."""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# without --multi_gpu, accelerate launches one process on a machine without a GPU, for any --num_processes
LAUNCH = (
    sys.executable, "-m", "accelerate.commands.accelerate_cli", "launch", "--multi_gpu", "--num_processes", "2",
    "--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0",
)  # fmt: skip


def environment(**more: str) -> dict[str, str]:
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("ACCELERATE_", "OMP_"))}
    return variables | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": str(ROOT), **more}
