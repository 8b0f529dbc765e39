"""The processes that share the work of a run, seen from one of them; most often there is only that one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol

from opens2v_hf import processes
from opens2v_hf.run.progress import Progress


@dataclass(frozen=True)
class Patience:
    """How long is waited for another process, in seconds.

    Attributes:
        beat_s: between two signs of life.
        dead_after_s: without a sign of life.
        arrival_s: until it joins the work; it may still be loading its models.
        video_s: for one video, while it is alive.
        hint_after_s: until one who waits is told what for.
        poll_s: between two looks at the board.
    """

    beat_s: float = 5.0
    dead_after_s: float = 120.0
    arrival_s: float = 2 * 3600.0
    video_s: float = 6 * 3600.0
    hint_after_s: float = 60.0
    poll_s: float = 0.1


class Team(Protocol):
    """What the processes of a launch do together. Each of them makes the same calls; all values are JSON-compatible.

    Attributes:
        rank: which of the processes this is, from 0; 0 is the main one.
        count: how many there are.
    """

    @property
    def rank(self) -> int: ...  # noqa: D102
    @property
    def count(self) -> int: ...  # noqa: D102

    def tell_all(self, name: str, value: Any) -> list[Any]:
        """What each process has to say, by rank; it waits until all have said it."""
        ...

    def must_agree(self, name: str, value: Any) -> None:
        """Compare with the others, without waiting for them; raises ProcessError where a value differs."""
        ...

    def claim(self, name: str, order: Callable[[], Sequence[int]], *, all_begin: bool = False) -> Iterator[int]:
        """Items to do here, one at a time: whoever is ready takes the next one, so that nobody waits for a long one.

        Args:
            name: of this round of claims.
            order: in which the items are taken, e.g. costliest first, as the first process to ask sees it; a lone
                process is not asked and takes them as they come.
            all_begin: whether each process is given one to begin with, however long another one takes to start.
        """
        ...

    def at(self, name: str) -> AbstractContextManager[None]:
        """Around the work on one item: an error of the program is told to the others with the item's name."""
        ...

    def hand_over(self, name: str, value: Any) -> None:
        """Leave something for the other processes; again under the same name replaces it."""
        ...

    def take(self, name: str) -> Any:
        """What some process has handed over; raises ProcessError where none has."""
        ...

    def report(self, done: int, failed: int = 0) -> None:
        """Say how much this process has done; it sees on the way whether the others are well, and raises if not."""
        ...

    def finish(self) -> None:
        """Wait until all processes have handed over what they did."""
        ...


class Alone:
    """A process that does everything itself."""

    rank = 0
    count = 1

    def __init__(self, progress: Progress, num_items: int) -> None:
        self._progress = progress
        self._num_items = num_items
        self._values: dict[str, str] = {}

    def tell_all(self, name: str, value: Any) -> list[Any]:
        """See `Team.tell_all`."""
        return [value]

    def must_agree(self, name: str, value: Any) -> None:
        """There is nobody to disagree."""

    def claim(self, name: str, order: Callable[[], Sequence[int]], *, all_begin: bool = False) -> Iterator[int]:
        """See `Team.claim`."""
        return iter(range(self._num_items))

    def at(self, name: str) -> AbstractContextManager[None]:
        """An error of the program is raised as it is."""
        return nullcontext()

    def hand_over(self, name: str, value: Any) -> None:
        """See `Team.hand_over`."""
        # as text, so that a lone process gets the same as several do
        self._values[name] = json.dumps(value)

    def take(self, name: str) -> Any:
        """See `Team.take`."""
        return json.loads(self._values[name])

    def report(self, done: int, failed: int = 0) -> None:
        """Show the progress."""
        self._progress.update(done, failed)

    def finish(self) -> None:
        """Nobody is to be waited for."""


@contextmanager
def gather(
    work: Callable[[], Any],
    *,
    num_items: int,
    num_units: int,
    description: str,
    unit: str,
    distributed: bool = True,
    keeps: bool = False,
    patience: Patience | None = None,
) -> Iterator[Team]:
    """Bring the launched processes together for some work.

    Args:
        work: what must be the same on each of them, JSON-compatible; asked only where there are several.
        num_items: that are claimed.
        num_units: that are reported as done, by all processes together.
        description: for the progress of the main process.
        unit: what is counted there, in the singular.
        distributed: False to do everything in this process, whatever was launched.
        keeps: whether finished work is kept when the run fails, so that messages can say so.
        patience: how long other processes are waited for.

    Raises:
        ProcessError: from the block, on every process that is still there, when one of them failed (the message names
            it and the item), died, hangs, never came, or was given other work.
    """
    together = distributed and processes.num_processes() > 1
    main = not together or processes.is_main_process()
    with Progress(num_units, description=description, unit=unit, shown=main) as progress:
        if not together:
            yield Alone(progress, num_items)
            return
        # torch.distributed is no concern of a lone process
        from opens2v_hf.run.distributed import Together

        digest = hashlib.sha256(json.dumps(work(), sort_keys=True, default=str).encode()).hexdigest()
        with Together(digest, progress, patience or Patience(), keeps=keeps) as team:
            yield team


def costliest_first(costs: Sequence[float]) -> list[int]:
    """Positions by falling cost; equal ones as they come.

    Whoever is free takes the next one: the last to finish is then at most 4/3 of the best there is (longest processing
    time first, Graham 1969), as far as the costs are right.

    Example:
        >>> costliest_first([2.0, 5.0, 2.0, 7.0])
        [3, 1, 0, 2]
    """
    return sorted(range(len(costs)), key=lambda position: -costs[position])
