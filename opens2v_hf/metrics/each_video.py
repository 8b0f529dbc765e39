"""The same work for each of many videos, here or shared by the processes that a launcher started."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from opens2v_hf._util import processes as launcher
from opens2v_hf._util.progress import Progress
from opens2v_hf._util.retries import Retries
from opens2v_hf.jobs.journal import Journal, open_journal
from opens2v_hf.jobs.outcome import Outcome
from opens2v_hf.jobs.processes import joined
from opens2v_hf.jobs.run import collect, run_units
from opens2v_hf.jobs.time_limit import Limits
from opens2v_hf.jobs.unit import PlainGroup, Unit

_Item = TypeVar("_Item")
_UNIT = "score"


def for_each_video(
    work: Callable[[_Item], Any],
    items: Sequence[_Item],
    *,
    name: Callable[[_Item], str],
    cost: Callable[[_Item], float],
    setting: Callable[[], Any],
    failed: Callable[[_Item, str], Any],
    description: str,
    distributed: bool = True,
    limits: Limits | None = None,
) -> list[Any]:
    """Do the work for every item, with progress on standard error.

    Under `accelerate launch` with several processes each does a part of the items, and all of them get all results.

    An item whose work raises or takes too long gets the result of `failed`; the other items are not affected.

    Args:
        work: for one item; what it gives is JSON-compatible.
        items: the same on each process.
        name: what identifies an item in messages, and across processes.
        cost: estimated work for an item; called only where the work is shared.
        setting: what must be the same on each process besides the names, JSON-compatible; called likewise.
        failed: from an item and a reason to its result where there is no other, JSON-compatible.
        description: for the progress bar.
        distributed: False to do all the work in this process, even if several were launched.
        limits: how long an item may take, and how long other processes are waited for.

    Returns:
        One result for each item, in their order, as JSON gives it back.

    Raises:
        ArgumentError, ModelError, MissingDependencyError, ...: wrong use by the caller, not specific to an item.
        ProcessError: the work was shared, and a process failed, died, or was given other work.
    """
    limits = limits or Limits()
    shown = not distributed or launcher.is_main_process()
    with (
        Progress(len(items), description=description, unit="video", shown=shown) as progress,
        joined(
            lambda: [[name(item) for item in items], setting()],
            progress.update,
            distributed=distributed,
            limits=limits,
        ) as processes,
    ):
        folder = None if processes.folder is None else processes.folder / "results"
        journal = Journal() if folder is None else open_journal(folder, rank=processes.rank, launch=processes.launch)
        try:
            own = run_units(
                [_Video(index, item, work, name, cost) for index, item in enumerate(items)],
                journal=journal,
                processes=processes,
                retries=Retries(attempts=1),
                limits=limits,
            )
            processes.finish()
            others = {} if folder is None else journal.gather(folder, processes.launch)
            outcomes = collect("0", len(items), own, others, journal)
        finally:
            journal.close()
    units = [outcome.units[_UNIT] for outcome in outcomes]
    return [failed(item, unit.reason) if unit.failed else unit.value for item, unit in zip(items, units, strict=True)]


class _Video(PlainGroup):
    """An item as a group of one unit; see `opens2v_hf.jobs.unit.Group` and `OpenGroup`."""

    unit_names = (_UNIT,)

    def __init__(
        self,
        index: int,
        item: _Item,
        work: Callable[[_Item], Any],
        name: Callable[[_Item], str],
        cost: Callable[[_Item], float],
    ) -> None:
        self.key = str(index)
        self.name = name(item)
        self.cost = lambda: cost(item)
        self.units = (Unit(_UNIT, key=lambda: self.key, work=lambda: Outcome(work(item))),)

    def open(self) -> _Video:
        return self
