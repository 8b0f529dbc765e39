"""The same work for each of many videos, here or shared by the processes that a launcher started."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from opens2v_hf import processes
from opens2v_hf.run.progress import progress

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def for_each_video(
    work: Callable[[_Item], _Result],
    items: Sequence[_Item],
    *,
    name: Callable[[_Item], str],
    cost: Callable[[_Item], float],
    setting: Callable[[], Any],
    description: str,
    distributed: bool = True,
) -> list[_Result]:
    """Do the work for every item, with progress on standard error.

    Under `accelerate launch` with several processes each does a part of the items, and all of them get all results.

    Args:
        work: for one item.
        items: the same on each process.
        name: what identifies an item in messages, and across processes.
        cost: about how much work an item is, the same on each process; asked only where the work is shared.
        setting: what must be the same on each process besides the names, JSON-compatible; asked likewise.
        description: for the progress bar.
        distributed: False to do all the work here whatever was launched.

    Returns:
        One result for each item, in their order.

    Raises:
        ProcessError: the work was shared, and a process failed, died, or was given other work.
    """
    if not distributed or processes.num_processes() == 1:
        return [work(item) for item in progress(items, description=description, unit="video")]
    # torch.distributed is no concern of a lone process
    from opens2v_hf.run.distributed import share

    return share(
        work,
        items,
        names=[name(item) for item in items],
        costs=[cost(item) for item in items],
        setting=setting(),
        description=description,
    )
