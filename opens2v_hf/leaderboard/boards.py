"""The boards of one read of the submissions, computed on demand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import RLock

from opens2v_hf.leaderboard.ranks import RankGroup, rank_groups
from opens2v_hf.leaderboard.rows import Board, HubScores, Row, make_board, names_of
from opens2v_hf.leaderboard.submissions.record import SPLITS, Submission
from opens2v_hf.leaderboard.submissions.validation.names import confusable_key
from opens2v_hf.scores.scorecard import NUM_RESAMPLES, SCORINGS, VERSIONS

BoardKey = tuple[str, str, str]
"""Split, version of the weights, scoring."""


@dataclass(frozen=True)
class Offers:
    """Which settings lead to rows on a split."""

    venues: frozenset[str]  # of its models
    versions: tuple[str, ...]  # of the weights
    scorings: tuple[str, ...]  # "released" and "strict", if there are rows
    categories: bool  # whether a row has per-video values, and so values by category, intervals and a rank group


class Boards:
    """The leaderboards of all splits, versions and scorings; several visitors may ask at once.

    Args:
        submissions: of all splits.
        hub: what the Hub's own leaderboard of the benchmark lists.
        num_resamples: of the bootstrap of rank groups.
    """

    def __init__(
        self, submissions: Sequence[Submission], hub: Sequence[HubScores] = (), *, num_resamples: int = NUM_RESAMPLES
    ) -> None:
        self.submissions = tuple(submissions)
        self.hub = tuple(hub)
        self._num_resamples = num_resamples
        self._boards: dict[BoardKey, Board] = {}
        self._groups: dict[BoardKey, Mapping[str, RankGroup]] = {}
        self._lock = RLock()

    def board(self, which: BoardKey) -> Board:
        """The board of a split, version and scoring."""
        with self._lock:
            if which not in self._boards:
                split, version, scoring = which
                self._boards[which] = make_board(
                    self.submissions, self.hub, split=split, version=version, scoring=scoring
                )
            return self._boards[which]

    def offers(self, split: str) -> Offers:
        """Which settings lead to rows on a split."""
        found = {(v, s): self.board((split, v, s)).rows for v in VERSIONS for s in SCORINGS}
        rows = [row for rows in found.values() for row in rows]
        return Offers(
            venues=frozenset(row.venue for row in rows),
            versions=tuple(v for v in VERSIONS if any(found[v, s] for s in SCORINGS)),
            scorings=tuple(s for s in SCORINGS if any(found[v, s] for v in VERSIONS)),
            categories=any(row.has_videos for row in rows),
        )

    def groups(self, which: BoardKey) -> Mapping[str, RankGroup]:
        """The rank groups of a board."""
        with self._lock:
            if which not in self._groups:
                self._groups[which] = rank_groups(self.board(which), num_resamples=self._num_resamples)
            return self._groups[which]

    def names(self) -> dict[str, str]:
        """Key of every model to its name, by name."""
        found = names_of(self.submissions)
        for split in SPLITS:
            found |= {row.key: row.name for row in self.board((split, "v1.1", "released")).rows}
        return dict(sorted(found.items(), key=lambda item: item[1].casefold()))

    def history(self, key: str) -> list[Submission]:
        """Every submission of a model, newest first."""
        found = [one for one in self.submissions if confusable_key(one.model) == key]
        return sorted(found, key=lambda one: one.submitted_at, reverse=True)

    def rows(self, key: str, version: str, scoring: str) -> dict[str, Row]:
        """Split to the model's row, for the splits that it has one on."""
        found = {split: self.board((split, version, scoring)).row(key) for split in SPLITS}
        return {split: row for split, row in found.items() if row is not None}
