"""Outcome of a metric for one video, and its summary over many.

A video has a value, or it does not apply, or it failed; the three are never mixed up, and a mean always says how many
videos it rests on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from opens2v_hf._util.argument_types import checked
from opens2v_hf.scores.resampling import bootstrap_interval


class Status(StrEnum):
    """Whether a metric has a value for a video."""

    SCORED = "scored"
    NOT_APPLICABLE = "not_applicable"
    FAILED = "failed"


@dataclass(frozen=True)
class VideoScore:
    """One metric's outcome for one video.

    Attributes:
        status: whether there is a value.
        value: the score in the metric's own range; None unless `status` is `SCORED`.
        reason: why there is no value, or a remark on the one there is; empty where nothing is to be said.
        details: what the value was made from (per-frame values, counts, raw replies), for people to read;
            JSON-compatible.
        variants: the value by each definition of the metric, None where it has none; empty for a metric with one.
        references: what was found of each reference that applies; JSON-compatible.
        evidence: what the value rests on, as the metric's own objects; not part of the JSON form.
    """

    status: Status
    value: float | None = None
    reason: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    variants: Mapping[str, float | None] = field(default_factory=dict)
    references: Sequence[Mapping[str, Any]] = ()
    evidence: Sequence[Any] = field(default=(), repr=False, compare=False)

    def __post_init__(self) -> None:
        if (self.value is not None) != (self.status is Status.SCORED):
            raise ValueError(f"a value is given exactly when a video is scored (got {self.status=!s}, {self.value=})")
        if self.value is not None and not math.isfinite(self.value):
            raise ValueError(f"a score is a finite number (got {self.value=})")

    @classmethod
    def scored(
        cls,
        value: float,
        reason: str = "",
        *,
        variants: Mapping[str, float | None] | None = None,
        references: Sequence[Mapping[str, Any]] = (),
        **details: Any,
    ) -> VideoScore:
        """A video with a value."""
        return cls(Status.SCORED, float(value), reason, details, variants or {}, references)

    @classmethod
    def not_applicable(cls, reason: str, **details: Any) -> VideoScore:
        """A video that the metric is not defined for; it is left out of means and counted apart."""
        return cls(Status.NOT_APPLICABLE, None, reason, details)

    @classmethod
    def failed(cls, reason: str, **details: Any) -> VideoScore:
        """A video that should have a value and has none."""
        return cls(Status.FAILED, None, reason, details)

    def by_variant(self, variant: str) -> VideoScore:
        """The same by another of the `variants`.

        Example:
            >>> VideoScore.scored(0.5, variants={"released": 0.5, "coverage": 0.25}).by_variant("coverage").value
            0.25
        """
        if self.value is None:
            return self
        value = self.variants[variant]
        if value is None:
            return VideoScore.failed(f"the score is not a number by the variant {variant!r}")
        return VideoScore.scored(value, self.reason)

    def all_details(self) -> dict[str, Any]:
        """The details as they are written: with "references" and "variants" where there are any."""
        references = {"references": list(self.references)} if self.references else {}
        variants = {"variants": dict(self.variants)} if self.variants else {}
        return {**references, **self.details, **variants}

    def to_dict(self) -> dict[str, Any]:
        """A JSON-compatible dict with `status`, `value`, `reason` and `all_details`; the last two where not empty."""
        record: dict[str, Any] = {"status": str(self.status), "value": self.value}
        if self.reason:
            record["reason"] = self.reason
        if details := self.all_details():
            record["details"] = details
        return record

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> VideoScore:
        """Inverse of `to_dict`, up to JSON (a tuple becomes a list).

        Example:
            >>> score = VideoScore.scored(0.5, variants={"released": 0.5}, frames=[1])
            >>> VideoScore.from_dict(score.to_dict()) == score
            True
        """
        details = dict(record.get("details", {}))
        variants = details.pop("variants") if isinstance(details.get("variants"), Mapping) else {}
        references = details.pop("references") if isinstance(details.get("references"), list) else ()
        status, reason = Status(record["status"]), record.get("reason", "")
        return cls(status, record["value"], reason, details, variants, references)


@dataclass(frozen=True)
class Summary:
    """The mean of a metric over videos, with what it rests on.

    Attributes:
        mean: over the scored videos; None where there is none.
        interval: 95 % percentile bootstrap confidence interval of `mean` over videos; None below two scored videos.
        num_scored: videos with a value.
        num_not_applicable: videos that the metric is not defined for.
        num_failed: videos that should have a value and have none.
    """

    mean: float | None
    interval: tuple[float, float] | None
    num_scored: int
    num_not_applicable: int
    num_failed: int

    def to_dict(self) -> dict[str, Any]:
        """A JSON-compatible dict of the attributes."""
        return {
            "mean": self.mean,
            "interval": list(self.interval) if self.interval else None,
            "num_scored": self.num_scored,
            "num_not_applicable": self.num_not_applicable,
            "num_failed": self.num_failed,
        }


@checked
def summarize(scores: Sequence[VideoScore]) -> Summary:
    """Summarise the outcomes of one metric.

    Example:
        >>> summary = summarize([VideoScore.scored(0.25), VideoScore.scored(0.75), VideoScore.failed("no frames")])
        >>> summary.mean, summary.num_scored, summary.num_failed
        (0.5, 2, 1)
    """
    values = [score.value for score in scores if score.value is not None]
    return Summary(
        mean=math.fsum(values) / len(values) if values else None,
        interval=bootstrap_interval(values) if len(values) > 1 else None,
        num_scored=len(values),
        num_not_applicable=sum(score.status is Status.NOT_APPLICABLE for score in scores),
        num_failed=sum(score.status is Status.FAILED for score in scores),
    )
