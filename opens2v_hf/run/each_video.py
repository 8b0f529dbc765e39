"""The same work for each of many videos, here or shared by the processes that a launcher started."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from opens2v_hf.run.team import Patience, costliest_first, gather

_Item = TypeVar("_Item")


def for_each_video(
    work: Callable[[_Item], Any],
    items: Sequence[_Item],
    *,
    name: Callable[[_Item], str],
    cost: Callable[[_Item], float],
    setting: Callable[[], Any],
    description: str,
    distributed: bool = True,
    patience: Patience | None = None,
) -> list[Any]:
    """Do the work for every item, with progress on standard error.

    Under `accelerate launch` with several processes each does a part of the items, and all of them get all results.

    Args:
        work: for one item; what it gives is JSON-compatible, a few MB at most.
        items: the same on each process.
        name: what identifies an item in messages, and across processes.
        cost: about how much work an item is; asked only where the work is shared.
        setting: what must be the same on each process besides the names, JSON-compatible; asked likewise.
        description: for the progress bar.
        distributed: False to do all the work here whatever was launched.
        patience: how long other processes are waited for.

    Returns:
        One result for each item, in their order, as JSON gives it back.

    Raises:
        ProcessError: the work was shared, and a process failed, died, or was given other work.
    """
    with gather(
        lambda: [[name(item) for item in items], setting()],
        num_items=len(items),
        num_units=len(items),
        description=description,
        unit="video",
        distributed=distributed,
        patience=patience,
    ) as team:
        order = team.claim("videos", lambda: costliest_first([cost(item) for item in items]), all_begin=True)
        for done, index in enumerate(order, 1):
            with team.at(name(items[index])):
                result = work(items[index])
            team.hand_over(str(index), result)
            team.report(done)
        team.finish()
        return [team.take(str(index)) for index in range(len(items))]
