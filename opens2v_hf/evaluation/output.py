"""The folder that a run writes to: its result, its journal, its thumbnails."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from opens2v_hf._util.files import remove_files
from opens2v_hf.errors import ArgumentError, ResultError
from opens2v_hf.evaluation.thumbnails import thumbnails_folder
from opens2v_hf.evaluation.timings import FILE as TIMINGS
from opens2v_hf.jobs.journal import remove_crash_traces
from opens2v_hf.jobs.journal_files import journal_files
from opens2v_hf.jobs.lock import only_run
from opens2v_hf.metrics.registry import METRICS
from opens2v_hf.results.file_names import PARTIAL_ENDING
from opens2v_hf.results.result import RunResult


class Output:
    """The files of a run: its result, journal, thumbnails and error log.

    Args:
        folder: created if missing.
        split: names the files: `<split>.json`, `<split>.journal/`, `<split>.thumbnails/`, `<split>.errors.log`.
        overwrite: replace a result that this run cannot resume.
        fresh: remove the journal of earlier runs, and score everything again; implies `overwrite`.
        retry_failed: retry failures of earlier runs, including those that were caused by the videos.
        partial: the run is about some samples only; its result is `<split>.partial.json`.
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
        folder = Path(folder)
        self.result = folder / f"{split}{PARTIAL_ENDING if partial else '.json'}"
        self.journal = folder / f"{split}.journal"
        self.errors = folder / f"{split}.errors.log"
        self.thumbnails = thumbnails_folder(self.result)
        self.fresh = fresh
        self.retry_failed = retry_failed
        self._overwrite = overwrite or fresh

    @contextmanager
    def held(self, *, model: str, source: str, metrics: Collection[str]) -> Iterator[None]:
        """Lock the folder during the block; refuse to replace a result that this run cannot resume.

        Args:
            model: name of the model that is scored.
            source: of its videos.
            metrics: of this run.

        Raises:
            ArgumentError: see `refuse_to_lose`.
            ResultError: another run uses the folder, or it cannot be written.
        """
        before = _status(self.result)
        self.refuse_to_lose(model, source, metrics)  # before the lock creates the folder
        with only_run(self.journal):
            if _status(self.result) != before:  # another run has written a result in between
                self.refuse_to_lose(model, source, metrics)
            if self.fresh:
                remove_files(
                    [*journal_files(self.journal), *self.journal.glob("*.crash"), self.errors, self.journal / TIMINGS]
                )
            self._remove_leftovers()
            yield

    def refuse_to_lose(self, model: str, source: str, metrics: Collection[str]) -> None:
        """Refuse a run whose result would replace one that it cannot resume.

        Raises:
            ArgumentError: the existing result is of other videos, has no journal, or has more metrics.
        """
        # os.path does not raise for a name that is too long; creating the folder will
        if os.path.isdir(self.result):
            raise ArgumentError(f"{self.result} must be a file (got a folder); remove it, or choose another `out=`")
        if self._overwrite or not os.path.exists(self.result):
            return
        remedy = "choose another `out=`, or replace it with `resume='never'`"
        if not journal_files(self.journal):
            raise ArgumentError(f"{self.result} exists without a journal to resume from; {remedy}")
        try:
            before = RunResult.load(self.result)
        except ResultError as error:
            raise ArgumentError(f"{error}; {remedy}") from error
        if (before.model, _without_revision(before.source)) != (model, _without_revision(source)):
            raise ArgumentError(f"{self.result} is the result of {before.model!r} ({before.source}); {remedy}")
        lost = [metric.name for metric in before.metrics if metric.name in METRICS.keys() - set(metrics)]
        if lost:
            raise ArgumentError(
                f"{self.result} also holds {', '.join(lost)}, which this run would remove; add them to the metrics, "
                f"{remedy}"
            )

    def _remove_leftovers(self) -> None:
        """Remove the temporary files of runs that were killed."""
        remove_crash_traces(self.journal)
        leftovers = [
            *self.result.parent.glob(f".{self.result.name}.*"),
            *self.thumbnails.glob(".*.part"),
            *self.journal.glob(".*.tmp"),
        ]
        remove_files(leftovers, ", a leftover of an earlier run")


def _status(path: Path) -> tuple[int, ...] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def _without_revision(source: str) -> str:
    return re.sub(r"@[^/]*", "", source) if source.startswith("hf://") else source
