"""The processes that share the work of a run, from the view of one of them. Usually there is only one.

Launched processes communicate through a folder: in the temporary folder of one machine, or, on several machines, in the
output folder. There each process holds a file lock as long as it lives, and writes its progress to a small file. A
process claims work by creating a file, which only one process can do. Nothing passes over a network. Collective
operations are not used: they would wait for a process that has died until their timeout.
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
from opens2v_hf.jobs.launched import LaunchedProcess, launch_folder
from opens2v_hf.jobs.time_limit import Limits

Report = Callable[[int, int], None]
"""Called with the number of units done so far, and how many of them failed."""


class Processes(Protocol):
    """The processes of a launch. Each of them makes the same calls.

    Attributes:
        rank: of this process, from 0; 0 is the main process.
        count: number of processes.
        launch: id of the launch, part of the names of its journal files.
        folder: through which the processes communicate, until they have finished; None for a single process.
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
        """Compare a value with the other processes, without waiting; ProcessError is raised if it differs."""
        ...

    def claim(self, scope: str, order: Sequence[int]) -> Iterator[int]:
        """Items for this process, one at a time: the next free process takes the next item."""
        ...

    def report(self, done: int, failed: int, at: str) -> None:
        """Report the progress and the current item; raises ProcessError if another process has failed."""
        ...

    def error_at(self, name: str, error: BaseException) -> BaseException:
        """The error to raise on all processes for an error at an item."""
        ...

    def finish(self) -> None:
        """Wait until all processes have finished the items that they claimed."""
        ...


class SingleProcess:
    """The only process of a run."""

    rank = 0
    count = 1
    launch = SINGLE
    folder = None

    def __init__(self, show: Report) -> None:
        self._show = show

    def must_agree(self, name: str, value: Any) -> None:
        """A single process always agrees."""

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
        """There is no other process to wait for."""


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
    """Join the launched processes for a block of shared work.

    Args:
        work: returns what must be the same on all processes, JSON-compatible; called only if there are several.
        show: shows the progress.
        folder: of the journal, which keeps finished work when the run fails; None without a journal.
        prepare: called in the main process before the others begin, e.g. to lock the output folder.
        distributed: False to do all work in this process, even if several were launched.
        limits: how long to wait for other processes.

    Raises:
        ProcessError: from the block, on every living process, when a process failed (the message names it and its
            item), died, hangs, did not join, or has other work.
    """
    consequence = (
        "its videos have no score, so there is no result"
        if folder is None
        else "finished work is saved, and the same command resumes it"
    )
    if not distributed or launcher.num_processes() <= 1:
        with _raising_on_sigterm(lambda: SystemExit(128 + signal.SIGTERM)):
            prepare()
            yield SingleProcess(show)
        return
    process = LaunchedProcess(launch_folder(folder), work(), show, limits or Limits(), consequence)

    def stopped() -> ProcessError:
        return process.failure_elsewhere() or process.failure(
            process.rank,
            "received SIGTERM before all videos were scored: another process has died, or the run was cancelled. The "
            "launcher's report names the process that ended first; check its memory first",
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
    """Positions by falling cost; equal costs keep their order.

    The next free process takes the next position. Then the makespan is at most 4/3 of the optimum (longest processing
    time first, Graham 1969), if the costs are right.

    Example:
        >>> costliest_first([2.0, 5.0, 2.0, 7.0])
        [3, 1, 0, 2]
    """
    return sorted(range(len(costs)), key=lambda position: -costs[position])


@contextmanager
def _raising_on_sigterm(error: Callable[[], BaseException]) -> Iterator[None]:
    """Raise an error on SIGTERM, so that open work is recorded as stopped from outside, and other processes know."""
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:  # the program handles it
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        raise error()

    signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
