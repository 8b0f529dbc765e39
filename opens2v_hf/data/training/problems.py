"""The reasons why a sample is left out, and their counts over all workers of a process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar

from opens2v_hf.errors import ArgumentError, SampleError

if TYPE_CHECKING:
    import torch


class Reason(StrEnum):
    """Why a sample, a subject or the rest of a shard cannot be used."""

    VIDEO = "video"
    TOO_SHORT = "too short"
    MASK = "mask"
    BOX = "box"
    PARTNER = "partner"
    BACKGROUND = "background"
    NO_SUBJECT = "no subject"
    ROW = "row"
    SHARD = "shard"


class BadSample(SampleError):  # noqa: N818 - read as what it is where it is raised
    """A row that cannot become a training sample; the message says what is wrong and what to do.

    Attributes:
        reason: under which it is counted.
    """

    reason: ClassVar[Reason]


class BadVideo(BadSample):
    """The video is missing or broken, or is another one than the row describes."""

    reason = Reason.VIDEO


class TooShort(BadSample):
    """The clip has too few frames."""

    reason = Reason.TOO_SHORT


class BadMask(BadSample):
    """A mask is missing, empty, malformed, or of another frame."""

    reason = Reason.MASK


class BadBox(BadSample):
    """A box is outside the frame."""

    reason = Reason.BOX


class BadPartner(BadSample):
    """The other clip of a pair is missing or cannot be read."""

    reason = Reason.PARTNER


class BadBackground(BadSample):
    """The picture without subjects cannot be read."""

    reason = Reason.BACKGROUND


class NoSubject(BadSample):
    """Too few subjects can be shown."""

    reason = Reason.NO_SUBJECT


class BadRow(BadSample):
    """The row has missing values, or values of other types."""

    reason = Reason.ROW


@dataclass(frozen=True)
class Counts:
    """Numbers of samples, and of skipped rows by reason.

    Attributes:
        samples: that were yielded.
        skipped: samples that were left out, by reason.
        without_pair: samples that no cross-video pair names, which are no part of a view of pairs.
        dropped_subjects: subjects that were left out of samples because they could not be cut out, by reason.
    """

    samples: int
    skipped: Mapping[Reason, int]
    without_pair: int
    dropped_subjects: Mapping[Reason, int]


_REASONS = tuple(Reason)
_SAMPLES, _WITHOUT_PAIR, _SKIPPED = 0, 1, 2
_DROPPED = _SKIPPED + len(_REASONS)
_WRITERS = 257


class Tally:
    """Counters in shared memory: a DataLoader's workers write each to its own, the main process reads them all."""

    def __init__(self) -> None:
        import torch  # builds read clips too, and start in half the time without it

        self._cells = torch.zeros((_WRITERS, _DROPPED + len(_REASONS)), dtype=torch.int64).share_memory_()

    def sample(self) -> None:
        """Counts a sample that is yielded."""
        self._own()[_SAMPLES] += 1

    def no_pair(self) -> None:
        """Counts a sample without a pair."""
        self._own()[_WITHOUT_PAIR] += 1

    def skip(self, reason: Reason) -> None:
        """Counts a sample that is left out."""
        self._own()[_SKIPPED + _REASONS.index(reason)] += 1

    def drop(self, reason: Reason) -> None:
        """Counts a subject that is left out."""
        self._own()[_DROPPED + _REASONS.index(reason)] += 1

    def read(self) -> Counts:
        """The sums over all processes."""
        sums = self._cells.sum(dim=0).tolist()

        def by_reason(first: int) -> dict[Reason, int]:
            return {reason: count for reason, count in zip(_REASONS, sums[first:], strict=False) if count}

        return Counts(sums[_SAMPLES], by_reason(_SKIPPED), sums[_WITHOUT_PAIR], by_reason(_DROPPED))

    def _own(self) -> torch.Tensor:
        from torch.utils.data import get_worker_info

        worker = get_worker_info()
        writer = 0 if worker is None else worker.id + 1
        if writer >= _WRITERS:
            raise ArgumentError(f"a training view serves at most {_WRITERS - 1} workers of a DataLoader")
        return self._cells[writer]
