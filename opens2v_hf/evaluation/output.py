"""The folder that a run writes to: its result, its journal, its thumbnails."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from opens2v_hf.errors import ArgumentError, ResultError
from opens2v_hf.evaluation.thumbnails import thumbnails_folder
from opens2v_hf.evaluation.timings import FILE as TIMINGS
from opens2v_hf.jobs.journal import remove_crash_traces
from opens2v_hf.jobs.journal_files import journal_files, remove_files
from opens2v_hf.jobs.lock import only_run
from opens2v_hf.results.result import PARTIAL_ENDING, RunResult


class Output:
    """Where the result of a split goes, and what lies beside it.

    Args:
        folder: made where it is missing.
        split: names the files: `<split>.json`, `<split>.journal/`, `<split>.thumbnails/`, `<split>.errors.log`.
        overwrite: replace a result that this run does not go on from.
        fresh: forget what earlier runs finished, and score everything anew; implies `overwrite`.
        retry_failed: try failures of earlier runs again, also those that lie in the videos.
        partial: the run is about some samples only; its result is `<split>.partial.json`, beside that of all.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        split: str,
        *,
        overwrite: bool = False,
        fresh: bool = False,
        retry_failed: bool = False,
        partial: bool = False,
    ) -> None:
        place = Path(folder)
        self.result = place / f"{split}{PARTIAL_ENDING if partial else '.json'}"
        self.journal = place / f"{split}.journal"
        self.errors = place / f"{split}.errors.log"
        self.thumbnails = thumbnails_folder(self.result)
        self.fresh = fresh
        self.retry_failed = retry_failed
        self._overwrite = overwrite or fresh

    @contextmanager
    def held(
        self, *, model: str, source: str, metrics: Collection[str], known_metrics: Collection[str]
    ) -> Iterator[None]:
        """Keep other runs out while the block lasts, once it is known that nothing of theirs would be lost.

        Args:
            model: name of the model that is to be scored.
            source: of its videos.
            metrics: that it is to be scored with.
            known_metrics: names of all metrics that can be asked for.

        Raises:
            ArgumentError: a result is there that this run would replace by something else.
            ResultError: another run is writing to the folder, or it cannot be written.
        """
        self.refuse_to_lose(model, source, set(metrics), set(known_metrics))  # and leave no folder behind
        with only_run(self.journal):
            # another run may have written one between the two
            self.refuse_to_lose(model, source, set(metrics), set(known_metrics))
            if self.fresh:
                remove_files(
                    [*journal_files(self.journal), *self.journal.glob("*.crash"), self.errors, self.journal / TIMINGS]
                )
            self._remove_leftovers()
            yield

    def refuse_to_lose(self, model: str, source: str, metrics: set[str], known: set[str]) -> None:
        """Refuse a run whose result would replace something else.

        Raises:
            ArgumentError: the result that is there is of other videos, has no journal, or has more metrics.
        """
        if self._overwrite or not self.result.exists():
            return
        remedy = "choose another `out=`, or replace it with `resume='never'`"
        if not journal_files(self.journal):
            raise ArgumentError(f"{self.result} exists, and no journal is beside it to go on from; {remedy}")
        try:
            before = RunResult.load(self.result)
        except ResultError as error:
            raise ArgumentError(f"{error}; {remedy}") from error
        if (before.model, _place(before.source)) != (model, _place(source)):
            raise ArgumentError(f"{self.result} is the result of {before.model!r} ({before.source}); {remedy}")
        lost = [metric.name for metric in before.metrics if metric.name in known - metrics]
        if lost:
            raise ArgumentError(
                f"{self.result} also holds {', '.join(lost)}, which this run would leave out; name them among the "
                f"metrics as well, {remedy}"
            )

    def _remove_leftovers(self) -> None:
        """What a run that was killed while it wrote a file has left beside it."""
        remove_crash_traces(self.journal)
        leftovers = [*self.result.parent.glob(f".{self.result.name}.*"), *self.thumbnails.glob(".*.part")]
        for path in leftovers:
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise ResultError(f"cannot remove {path}, which an earlier run left: {error.strerror}") from error


def _place(source: str) -> str:
    """A source without the revision of its repo."""
    return re.sub(r"@[^/]*", "", source) if source.startswith("hf://") else source
