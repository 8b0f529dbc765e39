"""Number of the processes of a launch, and the index of this one.

Reads only the environment and modules that are imported already, so that a single process pays nothing.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

# What `accelerate launch` and `torchrun` set. All are required, because clusters set some of them for lone processes.
_VARIABLES = ("WORLD_SIZE", "RANK", "LOCAL_RANK")


def num_processes(environment: Mapping[str, str] = os.environ) -> int:
    """Number of processes of the run, on all machines; 1 without a launcher.

    Example:
        >>> num_processes({"WORLD_SIZE": "4", "RANK": "1", "LOCAL_RANK": "1"}), num_processes({"WORLD_SIZE": "4"})
        (4, 1)
    """
    group = _group()
    return group.get_world_size() if group is not None else _launched(environment)["WORLD_SIZE"]


def process_index(environment: Mapping[str, str] = os.environ) -> int:
    """Index of this process among them, from 0."""
    group = _group()
    return group.get_rank() if group is not None else _launched(environment)["RANK"]


def local_process_index(environment: Mapping[str, str] = os.environ) -> int | None:
    """Index of this process among those on its machine, from 0; None for a lone process.

    Example:
        >>> local_process_index({"WORLD_SIZE": "4", "RANK": "3", "LOCAL_RANK": "1"}), local_process_index({})
        (1, None)
    """
    launched = _launched(environment)
    return launched["LOCAL_RANK"] if launched["WORLD_SIZE"] > 1 else None


def num_local_processes(environment: Mapping[str, str] = os.environ) -> int:
    """Number of processes of the run on this machine; 1 if the launcher does not set it.

    Example:
        >>> launched = {"WORLD_SIZE": "8", "RANK": "5", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "4"}
        >>> num_local_processes(launched), num_local_processes({"LOCAL_WORLD_SIZE": "4"})
        (4, 1)
    """
    count = environment.get("LOCAL_WORLD_SIZE", "")
    return int(count) if _launched(environment)["WORLD_SIZE"] > 1 and count.isdecimal() and int(count) > 0 else 1


def is_main_process() -> bool:
    """Whether this process shows progress, prints and writes for all."""
    return process_index() == 0


def share_of(amount: int, count: int, index: int) -> int:
    """The part of a whole amount that one of `count` processes may spend; all parts together are the amount.

    Example:
        >>> [share_of(10, 4, index) for index in range(4)]
        [3, 3, 2, 2]
    """
    return amount // count + (index < amount % count)


def _launched(environment: Mapping[str, str]) -> dict[str, int]:
    values = [environment.get(name, "") for name in _VARIABLES]
    if not all(value.isdecimal() for value in values) or int(values[0]) < 1:
        values = ["1", "0", "0"]
    return {name: int(value) for name, value in zip(_VARIABLES, values, strict=True)}


def _group() -> Any:
    """`torch.distributed`, where it is initialised."""
    module = sys.modules.get("torch.distributed")
    return module if module is not None and module.is_available() and module.is_initialized() else None
