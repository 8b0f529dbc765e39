"""Why a process ended in the middle of its work, as far as that left a trace.

A process that is killed from outside (kill -9, a preempted machine) leaves none, and that says nothing about the work
it was at. A native crash leaves the traceback that `faulthandler` writes, and one that the system ended because memory
ran out raises a counter of the kernel.
"""

from __future__ import annotations

import faulthandler
import io
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_ENDING = ".crash"
_MEMORY = "the system ended the process because memory ran out"


@dataclass(frozen=True)
class Ending:
    """One time that work on a group did not come to its end.

    Attributes:
        reason: in words; empty where nothing is known but that the process is gone.
    """

    reason: str = ""


class CrashTrace:
    """Lets a native crash of this process write its traceback to a file that lies with a journal file.

    There is one such file for a process; while it is in use, `faulthandler` writes to it instead of standard error.
    """

    def __init__(self) -> None:
        self._journal: Path | None = None
        self._file: io.FileIO | None = None
        self._was_enabled = False

    def follow(self, journal: Path | None) -> None:
        """Write to the file that belongs to a journal file."""
        if journal is None or journal == self._journal:
            return
        self.close()
        self._was_enabled = faulthandler.is_enabled()
        self._file = io.FileIO(journal.with_suffix(_ENDING), "a")
        self._journal = journal
        faulthandler.enable(file=self._file)

    def close(self) -> None:
        """Give `faulthandler` back, and remove the file: the process has not crashed."""
        if self._file is None or self._journal is None:
            return
        faulthandler.disable()
        if self._was_enabled:
            # standard error may not be a file any more; then there is nowhere to write to
            with suppress(AttributeError, OSError, RuntimeError, ValueError):
                faulthandler.enable()
        self._file.close()
        self._journal.with_suffix(_ENDING).unlink(missing_ok=True)
        self._file = self._journal = None


def machine_state() -> dict[str, Any]:
    """What tells later whether this machine has ended a process for its memory since: the boot, and the count."""
    return {"boot": _first_line(Path("/proc/sys/kernel/random/boot_id")), "oom_kills": _oom_kills()}


def ending_of(journal: Path, begun: Mapping[str, Any], now: Mapping[str, Any]) -> Ending:
    """Why a process did not come to the end of something that it had begun.

    Args:
        journal: the process's journal file.
        begun: `machine_state()` when it began.
        now: `machine_state()`.
    """
    if fault := _first_line(journal.with_suffix(_ENDING)):
        return Ending(f"the process crashed ({fault.removeprefix('Fatal Python error: ')})")
    before, after = begun.get("oom_kills"), now.get("oom_kills")
    if begun.get("boot") == now.get("boot") and before is not None and after is not None and after > before:
        return Ending(_MEMORY)
    return Ending()


def _first_line(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.readline(200).decode(errors="replace").strip()
    except OSError:  # there is none, or the system has no such file
        return ""


def _oom_kills() -> int | None:
    """How often the kernel has ended a process for its memory: in this control group, or on the machine."""
    if sys.platform != "linux":
        return None
    files = []
    for line in _lines(Path("/proc/self/cgroup")):
        _, controllers, group = line.split(":", 2)
        if controllers == "":
            files += [Path("/sys/fs/cgroup", group.lstrip("/"), "memory.events")]
        elif "memory" in controllers.split(","):
            files += [Path("/sys/fs/cgroup/memory", group.lstrip("/"), "memory.oom_control")]
    for path in (*files, Path("/sys/fs/cgroup/memory.events"), Path("/proc/vmstat")):
        for line in _lines(path):
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return None


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
