"""Rank groups: the range of ranks of a model, given that a benchmark is a sample of prompts.

Prompts are resampled with replacement, the same draw for all models, and every total is computed again from the
per-video values. Two models differ if the 95 % interval of the difference of their totals, as on the board, excludes
0. Pairs are tested without a correction: of twenty pairs of equal models about one will appear different.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from opens2v_hf.data.benchmark.ids import applicable_ids, split_ids
from opens2v_hf.leaderboard.rows import Board, split_columns
from opens2v_hf.leaderboard.submissions.record import Submission
from opens2v_hf.scores.resampling import interval_of, resampled_means
from opens2v_hf.scores.scorecard import NUM_RESAMPLES, counted_value, weights


@dataclass(frozen=True)
class RankGroup:
    """The range of a model's rank among the models with per-video values."""

    best: int  # rank if it beat every model that is not significantly better
    worst: int  # rank if every model that is not significantly worse beat it
    of: int  # number of compared models
    # keys of the other models from which it does not differ significantly, in the order of the board
    tied: tuple[str, ...]

    def __str__(self) -> str:
        ranks = str(self.best) if self.best == self.worst else f"{self.best}–{self.worst}"
        return f"{ranks} of {self.of}"


def rank_groups(board: Board, *, num_resamples: int = NUM_RESAMPLES) -> dict[str, RankGroup]:
    """Key of each model to its rank group, for the models with per-video values; empty for a single one.

    Args:
        board: of a split, by its version and scoring.
        num_resamples: of the bootstrap.
    """
    columns = split_columns(board.split)
    counted = weights(board.version, board.split)
    indices, by_weight = [columns.index(name) for name in counted], np.array(list(counted.values()))
    drawn = {
        row.key: resampled_means(_table(row.submission, board.scoring), num_resamples=num_resamples, seed=0)[:, indices]
        @ by_weight
        for row in board.rows
        if row.submission is not None and row.has_videos
    }
    if len(drawn) < 2:
        return {}
    better = {(one, other) for one in drawn for other in drawn if one != other and _is_above(drawn[one], drawn[other])}
    return {
        key: RankGroup(
            best=1 + sum((other, key) in better for other in drawn),
            worst=len(drawn) - sum((key, other) in better for other in drawn),
            of=len(drawn),
            tied=tuple(o for o in drawn if o != key and (o, key) not in better and (key, o) not in better),
        )
        for key in drawn
    }


def _is_above(totals: np.ndarray, others: np.ndarray) -> bool:
    interval = interval_of(totals - others)
    return interval is not None and interval[0] > 0


def _table(submission: Submission, scoring: str) -> np.ndarray:
    """The counted value of each id in each column: float [N, K], ids in alphabetical order, NaN if excluded."""
    ids = sorted(split_ids(submission.split))
    columns = split_columns(submission.split)
    table = np.full((len(ids), len(columns)), np.nan)
    for column, name in enumerate(columns):
        applicable = applicable_ids(name, submission.split)
        for row, sample_id in enumerate(ids):
            if sample_id in applicable:
                counts = counted_value(name, submission.per_video.get(sample_id, {}).get(name), scoring)
                table[row, column] = np.nan if counts is None else counts
    return table


def undecided(groups: Sequence[RankGroup]) -> int:
    """Number of pairs of models without a significant difference."""
    return sum(len(group.tied) for group in groups) // 2
