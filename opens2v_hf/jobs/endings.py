"""Why a process ended in the middle of its work.

A native crash leaves the traceback that `faulthandler` writes. The kernel counts the processes that it ends because
memory ran out. A process that is killed from outside (kill -9, a preempted machine) leaves no trace, and that says
nothing about the work that it did.
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
    """An attempt at a group that did not finish.

    Attributes:
        reason: in words; empty if unknown.
    """

    reason: str = ""


class CrashTrace:
    """A file next to the journal file that gets the traceback of a native crash of this process.

    There is one such file for a process; while it is open, `faulthandler` writes to it instead of standard error.
    """

    def __init__(self) -> None:
        self._journal: Path | None = None
        self._file: io.FileIO | None = None
        self._was_enabled = False

    def follow(self, journal: Path | None) -> None:
        """Open the trace file of a journal file."""
        if journal is None or journal == self._journal:
            return
        self.close()
        self._was_enabled = faulthandler.is_enabled()
        self._file = io.FileIO(journal.with_suffix(_ENDING), "a")
        self._journal = journal
        faulthandler.enable(file=self._file)

    def close(self) -> None:
        """Restore `faulthandler`, and remove the file: the process has not crashed."""
        if self._file is None or self._journal is None:
            return
        faulthandler.disable()
        if self._was_enabled:
            # standard error may not be a file any more; then faulthandler cannot use it
            with suppress(AttributeError, OSError, RuntimeError, ValueError):
                faulthandler.enable()
        self._file.close()
        self._journal.with_suffix(_ENDING).unlink(missing_ok=True)
        self._file = self._journal = None


def machine_state() -> dict[str, Any]:
    """The boot of this machine, and how many processes it has ended since then because memory ran out."""
    return {"boot": boot_id(), "oom_kills": _oom_kills()}


def boot_id() -> str:
    """Identity of this machine until it is started again; empty where the system gives none (only Linux does)."""
    return _first_line(Path("/proc/sys/kernel/random/boot_id"))


def ending_of(journal: Path, begun: Mapping[str, Any], now: Mapping[str, Any]) -> Ending:
    """Why a process did not finish a group."""
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
    except OSError:  # the file is missing, or this system has no such file
        return ""


def _oom_kills() -> int | None:
    """Processes that the kernel has ended because memory ran out: in this control group, or on the machine."""
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
