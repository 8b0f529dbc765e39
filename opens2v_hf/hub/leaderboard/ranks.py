"""Rank groups: between which places a model may stand, given that a benchmark is a sample of prompts.

Prompts are drawn anew with replacement, the same draw for all models, and every total is computed again from the
per-video values. Two models differ where the 95 % interval of the difference of their totals leaves out 0. Pairs are
judged one by one: among twenty pairs of equal models one will look different.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from opens2v_hf.data.eval_ids import applicable_ids, split_ids
from opens2v_hf.hub.leaderboard.rows import Board, Row, split_columns
from opens2v_hf.hub.results.record import Submission
from opens2v_hf.scores.resampling import interval_of, resampled_means
from opens2v_hf.scores.scorecard import NUM_RESAMPLES, counted_value, weights


@dataclass(frozen=True)
class RankGroup:
    """What is known of a model's place among the models with per-video values.

    Attributes:
        best: place if it beat every model that is not significantly better.
        worst: place if every model that is not significantly worse beat it.
        of: how many models there are to be compared.
        tied: keys of the other models from which it does not differ significantly, in the order of the board.
    """

    best: int
    worst: int
    of: int
    tied: tuple[str, ...]

    def __str__(self) -> str:
        places = str(self.best) if self.best == self.worst else f"{self.best}–{self.worst}"
        return f"{places} of {self.of}"


@dataclass(frozen=True)
class Difference:
    """How much higher one model scores than another.

    Attributes:
        value: first minus second, of values in 0..1.
        interval: 95 % paired bootstrap interval; None where one of them has no per-video values.
    """

    value: float
    interval: tuple[float, float] | None

    @property
    def significant(self) -> bool | None:
        """Whether the interval leaves out 0; None where there is no interval."""
        return None if self.interval is None else not self.interval[0] <= 0.0 <= self.interval[1]


class Draws:
    """Totals and columns of models over resampled prompts, the same prompts for all.

    Args:
        board: whose models with per-video values are drawn.
        num_resamples: of the bootstrap.
    """

    def __init__(self, board: Board, *, num_resamples: int = NUM_RESAMPLES) -> None:
        self.board = board
        self._columns = split_columns(board.split)
        self._weights = weights(board.version, board.split)
        self._rows = {row.key: row for row in board.rows if row.has_videos}
        self._means = {
            key: resampled_means(_table(row.submission, board.scoring), num_resamples=num_resamples, seed=0)
            for key, row in self._rows.items()
            if row.submission is not None
        }

    def groups(self) -> dict[str, RankGroup]:
        """Model to its rank group, for the models with per-video values; none where there is but one."""
        keys = list(self._rows)
        if len(keys) < 2:
            return {}
        better = {
            (one, other)
            for one in keys
            for other in keys
            if one != other and (found := self._total_interval(one, other)) is not None and found[0] > 0
        }
        groups = {}
        for key in keys:
            above = sum((other, key) in better for other in keys)
            below = sum((key, other) in better for other in keys)
            tied = tuple(o for o in keys if o != key and (o, key) not in better and (key, o) not in better)
            groups[key] = RankGroup(1 + above, len(keys) - below, len(keys), tied)
        return groups

    def total_difference(self, first: Row, second: Row) -> Difference | None:
        """Of the totals; None where one of them has none."""
        return _difference(first.total.value, second.total.value, self._total_interval(first.key, second.key))

    def column_difference(self, column: str, first: Row, second: Row) -> Difference | None:
        """Of a column; None where one of them has no value there."""
        interval = None
        if first.key in self._means and second.key in self._means:
            place = self._columns.index(column)
            interval = interval_of(self._means[first.key][:, place] - self._means[second.key][:, place])
        return _difference(first.columns[column].value, second.columns[column].value, interval)

    def _total_interval(self, one: str, other: str) -> tuple[float, float] | None:
        if one not in self._means or other not in self._means:
            return None
        return interval_of(self._totals(one) - self._totals(other))

    def _totals(self, key: str) -> np.ndarray:
        places = [self._columns.index(name) for name in self._weights]
        return self._means[key][:, places] @ np.array(list(self._weights.values()))


def _table(submission: Submission, scoring: str) -> np.ndarray:
    """What each id adds to each column: float [N, K], ids in alphabetical order, NaN where it is left out."""
    ids = sorted(split_ids(submission.split))
    columns = split_columns(submission.split)
    table = np.full((len(ids), len(columns)), np.nan)
    for place, name in enumerate(columns):
        applicable = applicable_ids(name, submission.split)
        for row, sample_id in enumerate(ids):
            if sample_id in applicable:
                counts = counted_value(name, submission.per_video.get(sample_id, {}).get(name), scoring)
                table[row, place] = np.nan if counts is None else counts
    return table


def _difference(first: float | None, second: float | None, interval: tuple[float, float] | None) -> Difference | None:
    return None if first is None or second is None else Difference(first - second, interval)


def undecided(groups: Sequence[RankGroup]) -> int:
    """How many pairs of models do not differ significantly."""
    return sum(len(group.tied) for group in groups) // 2
