"""Step forwards and backwards through samples of OpenS2V-5M that match a filter, while they stream."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import Any

from huggingface_hub import HfApi
from huggingface_hub.errors import HTTPError

from opens2v_hf._util.repo_id import is_repo_id
from opens2v_hf._util.temporary import TemporaryFolder
from opens2v_hf._util.text import shown
from opens2v_hf.data.opens2v5m.builder import DEFAULT_REPO
from opens2v_hf.data.opens2v5m.filters import Condition
from opens2v_hf.data.synthetic.dataset_layout import write_dataset
from opens2v_hf.errors import ArgumentError, SampleError
from opens2v_hf.reports.sheet.show import DatasetLocation

SYNTHETIC = "synthetic"
"""Names a small sample that is made on the spot."""

KEPT_ROWS = 32
"""Number of samples to which one can go back."""

MOST_ROWS = 5_000
"""Most rows that are searched for one with the tags; then the search reports that none was found, and may continue."""

_HUB = "hf://datasets/"
_TIMEOUT_S = 3.0


@dataclass(frozen=True)
class SampleFilter:
    """Conditions on a sample."""

    tags: tuple[str, ...] = ()  # words or parts of words, each of which must occur among the sample's tags, in any case
    # column to the least value that it may have; a sample without the value is left out
    least: Mapping[str, float] = field(default_factory=dict)
    duration_s: tuple[float, float] | None = None  # of the clip in seconds, from and to; None for any
    high_quality: bool = False  # whether the authors' filter is applied, which also leaves out subjects

    @property
    def conditions(self) -> list[Condition]:
        """The conditions on plain columns."""
        found: list[Condition] = [(name, ">=", value) for name, value in self.least.items()]
        if self.duration_s is not None:
            found += [("duration_s", ">=", self.duration_s[0]), ("duration_s", "<=", self.duration_s[1])]
        return found

    def has_tags(self, row: Mapping[str, Any]) -> bool:
        """Whether the sample has the tags.

        >>> row = {"tags": {"subject": ["woman", "Blue top"], "object": None}}
        >>> SampleFilter(tags=("blue", "WOMAN")).has_tags(row), SampleFilter(tags=("dog",)).has_tags(row)
        (True, False)
        """
        words = [word.lower() for words in row["tags"].values() for word in words or ()]
        return all(any(tag.lower() in word for word in words) for tag in self.tags)


class Browser:
    """A position in a stream of samples, for one visitor.

    Attributes:
        location: of the dataset.
        sample_filter: conditions on a sample.
    """

    def __init__(
        self, location: DatasetLocation, sample_filter: SampleFilter | None = None, *, hub_only: bool = False
    ) -> None:
        """Opens the stream.

        Args:
            location: of the dataset.
            sample_filter: conditions on a sample, None for none.
            hub_only: refuse rows with files elsewhere than on the Hub, for visitors who must not read this machine.

        Raises:
            SourceError: the dataset is missing.
            ArgumentError: the filter is invalid.
        """
        self.location = location
        self.sample_filter = sample_filter or SampleFilter()
        self._hub_only = hub_only
        self._lock = Lock()
        preset = "high-quality" if self.sample_filter.high_quality else None
        self._stream: Iterator[dict[str, Any]] = iter(
            location.rows("regular", filters=self.sample_filter.conditions or None, preset=preset)
        )
        self._rows: list[dict[str, Any]] = []
        self._forgotten = 0
        self._position = -1

    @property
    def position(self) -> int:
        """Of the current sample among those that are wanted, from 0; -1 before the first."""
        return self._position

    def next(self) -> dict[str, Any]:
        """The next sample.

        Raises:
            SampleError: there is none, or none among the searched rows; the position does not change.
        """
        with self._lock:
            index = self._position + 1 - self._forgotten
            if index == len(self._rows):
                self._rows.append(self._read())
                if len(self._rows) > KEPT_ROWS:
                    del self._rows[0]
                    self._forgotten += 1
            self._position += 1
            return self._rows[self._position - self._forgotten]

    def previous(self) -> dict[str, Any]:
        """The sample before.

        Raises:
            SampleError: the current one is the first, or the previous one was dropped; the position does not change.
        """
        with self._lock:
            if self._position <= 0:
                raise SampleError("this is the first sample")
            if self._position == self._forgotten:
                raise SampleError(
                    f"only the last {KEPT_ROWS} samples are kept; open the dataset again to see earlier ones"
                )
            self._position -= 1
            return self._rows[self._position - self._forgotten]

    def _read(self) -> dict[str, Any]:
        searched = 0
        for row in islice(self._stream, MOST_ROWS):
            searched += 1
            if self.sample_filter.has_tags(row):
                if self._hub_only:
                    _refuse_files_elsewhere(row)
                return row
        if searched == MOST_ROWS:
            raise SampleError(f"none of the next {MOST_ROWS:,} samples has these tags; search again to continue")
        raise SampleError(
            "there is no further sample of this kind" if self._position >= 0 else "there is no such sample"
        )


def location_of(text: str, *, hub_only: bool = False) -> DatasetLocation:
    """The dataset of a text.

    Args:
        text: a repo on the Hub (`org/name`), an `hf://datasets/` URL, a folder, or `SYNTHETIC`.
        hub_only: whether only the Hub and the synthetic sample are allowed.

    Raises:
        ArgumentError: it is none of these.
    """
    text = text.strip()
    if text == SYNTHETIC:
        return DatasetLocation(data_dir=str(synthetic_folder()))
    if text.startswith(_HUB):
        return DatasetLocation(data_dir=text)
    if not hub_only and (os.path.isdir(text) or "://" in text):
        return DatasetLocation(data_dir=text)
    if is_repo_id(text):
        return DatasetLocation(repo=text)
    kinds = "a repo on the Hub such as org/name" if hub_only else "a repo on the Hub such as org/name, or a folder"
    raise ArgumentError(f"the dataset must be {kinds}, or {SYNTHETIC!r} (got {shown(text)})")


def default_dataset() -> str:
    """Upstream's repo where the Hub answers at once, else `SYNTHETIC`."""
    try:
        HfApi().dataset_info(DEFAULT_REPO, timeout=_TIMEOUT_S)
    except (HTTPError, OSError):  # no answer, a refusal, or offline mode
        return SYNTHETIC
    return DEFAULT_REPO


@functools.cache
def synthetic_folder() -> Path:
    """The synthetic sample in the released layout, made once in a process."""
    return write_dataset(_temporary_folder().path)


@functools.cache
def _temporary_folder() -> TemporaryFolder:
    return TemporaryFolder("synthetic")


def _refuse_files_elsewhere(row: Mapping[str, Any]) -> None:
    for column in ("video", "background"):
        if row[column] is None:
            continue
        blob = row[column].blob
        spans = blob.get("spans")
        urls = [span["url"] for span in spans] if spans else [blob.get("path") or ""]
        if blob.get("bytes") is None and not all(url.startswith(_HUB) for url in urls):
            raise SampleError(f"the {column} of {row['id']} is not on the Hub, and files elsewhere are not read here")
