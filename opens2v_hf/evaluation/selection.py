"""Selection of some samples of a split, for a cheap trial."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from opens2v_hf._util.numbers import is_whole
from opens2v_hf.data.benchmark.in_turn import in_turn
from opens2v_hf.data.benchmark.sample import EvalSample
from opens2v_hf.errors import ArgumentError

_MOST_NAMED = 12


@dataclass(frozen=True)
class Selection:
    """Which samples to score; all by default.

    Attributes:
        limit: at most this number of samples with a video, drawn from the categories in turn.
        ids: of samples.
        categories: of samples, e.g. "singleface".

    Raises:
        ArgumentError: the limit is below 1 or no whole number, or a list is empty.
    """

    limit: int | None = None
    ids: tuple[str, ...] | None = None
    categories: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if self.limit is not None and not is_whole(self.limit, 1):
            raise ArgumentError(f"limit must be a whole number of at least 1 (got {self.limit!r})")
        for name in ("ids", "categories"):
            if getattr(self, name) == ():
                raise ArgumentError(f"{name} must name at least one (got none)")

    @classmethod
    def of(
        cls, limit: int | None, ids: str | Sequence[str] | None, categories: str | Sequence[str] | None
    ) -> Selection:
        """From arguments: each list is a sequence, or a string of names with commas between them."""
        return cls(limit, _names(ids, "ids"), _names(categories, "category"))

    @property
    def is_whole(self) -> bool:
        """Whether all samples are selected."""
        return self == Selection()

    def choose(self, samples: Sequence[EvalSample], with_video: Collection[str]) -> list[EvalSample]:
        """The selected samples, in their order.

        Raises:
            ArgumentError: an id or a category is not in the split, or no selected sample has a video.
        """
        _check_known("sample", self.ids, [sample.id for sample in samples])
        _check_known("category", self.categories, list(dict.fromkeys(sample.category for sample in samples)))
        chosen = [
            sample
            for sample in samples
            if (self.ids is None or sample.id in self.ids)
            and (self.categories is None or sample.category in self.categories)
        ]
        found = [sample for sample in chosen if sample.id in with_video]
        if not chosen:
            raise ArgumentError(f"no sample is selected by all of these: {self.describe()}")
        if not found:
            raise ArgumentError(
                f"none of the {len(chosen)} selected samples ({self.describe()}) has a video, such as "
                f"{chosen[0].id}.mp4"
            )
        if self.limit is None:
            return chosen
        drawn = {sample.id for sample in in_turn(found)[: self.limit]}
        return [sample for sample in chosen if sample.id in drawn]

    def describe(self) -> str:
        """The selection in words, for the result."""
        parts = [] if self.limit is None else [f"limit {self.limit}"]
        for name, values in (("ids", self.ids), ("categories", self.categories)):
            if values is not None:
                rest = f", ... and {len(values) - _MOST_NAMED} more" if len(values) > _MOST_NAMED else ""
                parts.append(f"{name} {', '.join(values[:_MOST_NAMED])}{rest}")
        return "; ".join(parts)


def _names(value: str | Sequence[str] | None, argument: str) -> tuple[str, ...] | None:
    if value is None:
        return None
    if not isinstance(value, Iterable):
        raise ArgumentError(f"{argument} must be a list of names, or a string with commas (got {value!r:.80})")
    parts = value.split(",") if isinstance(value, str) else value
    return tuple(dict.fromkeys(name for part in parts if (name := str(part).strip())))


def _check_known(kind: str, names: Sequence[str] | None, known: Sequence[str]) -> None:
    for name in names or ():
        if name not in known:
            by_lower = {one.lower(): one for one in known}
            near = [by_lower[one] for one in difflib.get_close_matches(name.lower(), by_lower, n=3)]
            hint = f"did you mean {' or '.join(near)}?" if near else f"there are, e.g., {', '.join(known[:8])}"
            raise ArgumentError(f"the split has no {kind} {name!r}; {hint}")
