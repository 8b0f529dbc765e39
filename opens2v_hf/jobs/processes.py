"""The processes that share the work of a run, seen from one of them; most often there is only that one.

Launched processes meet in a folder that all of them see: in the temporary folder of one machine, or, on several
machines, in the output folder. Each holds a lock of the operating system there as long as it lives, and a small file
says how far it is. Work is claimed by creating a file, which only one process can do. Nothing passes over a network,
and no collective operation takes part, which would wait for a process that has died until its timeout.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

from opens2v_hf._util import processes as launcher
from opens2v_hf.errors import ProcessError
from opens2v_hf.jobs.journal import SINGLE
from opens2v_hf.jobs.launched import LaunchedProcess, meeting_place
from opens2v_hf.jobs.time_limit import Limits

Report = Callable[[int, int], None]
"""Shows how many units are done so far, and how many of those failed."""


class Processes(Protocol):
    """What the processes of a launch do together. Each of them makes the same calls.

    Attributes:
        rank: which of the processes this is, from 0; 0 is the main one.
        count: how many there are.
        launch: identifies the launch; names the journal files of its processes.
        folder: where the processes of this launch meet, until they have finished; None for a single process.
    """

    @property
    def rank(self) -> int: ...  # noqa: D102
    @property
    def count(self) -> int: ...  # noqa: D102
    @property
    def launch(self) -> str: ...  # noqa: D102
    @property
    def folder(self) -> Path | None: ...  # noqa: D102

    def must_agree(self, name: str, value: Any) -> None:
        """Compare with the others, without waiting for them; they raise ProcessError where a value differs."""
        ...

    def claim(self, scope: str, order: Sequence[int]) -> Iterator[int]:
        """Items to do here, one at a time: whoever is ready takes the next one."""
        ...

    def report(self, done: int, failed: int, at: str) -> None:
        """Say how much this process has done and what it begins with; raises ProcessError where another one failed."""
        ...

    def error_at(self, name: str, error: BaseException) -> BaseException:
        """What to raise on all processes for an error at an item."""
        ...

    def finish(self) -> None:
        """Wait until all processes have done what they claimed."""
        ...


class SingleProcess:
    """A process that does everything itself."""

    rank = 0
    count = 1
    launch = SINGLE
    folder = None

    def __init__(self, show: Report) -> None:
        self._show = show

    def must_agree(self, name: str, value: Any) -> None:
        """There is nobody to disagree."""

    def claim(self, scope: str, order: Sequence[int]) -> Iterator[int]:
        """All items."""
        return iter(order)

    def report(self, done: int, failed: int, at: str) -> None:
        """Show the progress."""
        self._show(done, failed)

    def error_at(self, name: str, error: BaseException) -> BaseException:
        """The error itself."""
        return error

    def finish(self) -> None:
        """Nobody is waited for."""


@contextmanager
def joined(
    work: Callable[[], Any],
    show: Report,
    *,
    folder: Path | None = None,
    prepare: Callable[[], None] = lambda: None,
    distributed: bool = True,
    limits: Limits | None = None,
) -> Iterator[Processes]:
    """Bring the launched processes together for some work.

    Args:
        work: what must be the same on each of them, JSON-compatible; asked only where there are several.
        show: shows the progress.
        folder: of the journal, where finished work is kept when the run fails; None where there is none.
        prepare: what the main process does before the others begin, e.g. taking the output folder's lock.
        distributed: False to do everything in this process, whatever was launched.
        limits: how long other processes are waited for.

    Raises:
        ProcessError: from the block, on every process that is still there, when one of them failed (the message names
            it and what it was at), died, hangs, never came, or was given other work.
    """
    consequence = (
        "its videos have no score, so there is no result"
        if folder is None
        else "what was finished is kept, and the same command goes on from there"
    )
    if not distributed or launcher.num_processes() <= 1:
        with _raising_on_sigterm(lambda: SystemExit(128 + signal.SIGTERM)):
            prepare()
            yield SingleProcess(show)
        return
    process = LaunchedProcess(meeting_place(folder), work(), show, limits or Limits(), consequence)

    def stopped() -> ProcessError:
        return process.failure_elsewhere() or process.failure(
            process.rank,
            "was told to stop (SIGTERM) before all videos were scored: another process has died, or the run was "
            "cancelled. The launcher's report names the process that ended first; its memory is the first thing to "
            "check",
        )

    with _raising_on_sigterm(stopped):
        try:
            if process.rank == 0:
                prepare()
            process.join()
            yield process
        except BaseException as error:
            process.leave(error)
            raise
        process.leave(None)


def costliest_first(costs: Sequence[float]) -> list[int]:
    """Positions by falling cost; equal ones as they come.

    Whoever is free takes the next one: the last to finish is then at most 4/3 of the best there is (longest processing
    time first, Graham 1969), as far as the costs are right.

    Example:
        >>> costliest_first([2.0, 5.0, 2.0, 7.0])
        [3, 1, 0, 2]
    """
    return sorted(range(len(costs)), key=lambda position: -costs[position])


@contextmanager
def _raising_on_sigterm(error: Callable[[], BaseException]) -> Iterator[None]:
    """End in order on SIGTERM: what is under way is noted as stopped from outside, and the others hear why."""
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:  # the program has its own way
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        raise error()

    signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
