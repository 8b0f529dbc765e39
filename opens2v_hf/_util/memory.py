"""Available memory of the machine."""

from __future__ import annotations

import os
from pathlib import Path


def free_memory_bytes() -> int:
    """Memory that is available to programs; all of the machine's where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
