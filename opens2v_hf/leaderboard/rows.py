"""Rows of the leaderboard: what submissions and the Hub's own leaderboard say of each model on a split."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import pandas as pd

from opens2v_hf.errors import ArgumentError
from opens2v_hf.leaderboard.sanitize import plain
from opens2v_hf.leaderboard.submissions.record import Submission
from opens2v_hf.leaderboard.submissions.validation.names import confusable_key
from opens2v_hf.leaderboard.submissions.validation.rules import released_gaps
from opens2v_hf.scores.scorecard import RELEASED, total_of, weights

OPEN, CLOSED = "Open-Source", "Closed-Source"
PUBLISHED, MEASURED, ON_THE_HUB = "published", "measured", "hub"

NO_VIDEOS = "without per-video values"
NO_COLUMNS = "without a column that these weights need"
OTHER_EDITION = "made with other models or options than this edition's"
TOO_FEW = "without values of too many videos, which released scoring would leave out"


@dataclass(frozen=True)
class Cell:
    """One number of a row."""

    value: float | None = None  # in 0..1; None if there is none
    interval: tuple[float, float] | None = None  # 95 % bootstrap interval over prompts; None without per-video values
    num_videos: int | None = None  # that the value rests on; None if unknown


@dataclass(frozen=True)
class HubScores:
    """The score of a model on a split in its own repo, as listed by the Hub's leaderboard of the benchmark."""

    model_id: str  # "org/name"
    split: str  # of the benchmark
    total: float  # in 0..1, which nothing can be checked by
    # number of the pull request that proposes it, None if the model's owner has merged it
    pull_request: int | None = None


@dataclass(frozen=True)
class Row:
    """A model on a split, by the weights of a version and one of the two ways to count what failed."""

    key: str  # of the model, the same in all splits: the confusable key of its name, or its id on the Hub
    name: str  # of the model as it is shown, on one line
    total: Cell  # weighted total
    columns: Mapping[str, Cell]  # by name of the metric; those of the split
    by_category: Mapping[str, Mapping[str, Cell]]  # column to category to its cell; empty without per-video values
    venue: str  # "Open-Source" or "Closed-Source"; "" where it is not said
    team: str  # who evaluated it
    link: str  # as submitted, unchecked
    model_id: str  # on the Hub; may be empty
    kind: str  # "published", "measured" or "hub"
    date: str  # of the submission, "2025-10-01"; empty if it is not known
    # by total, from 1; None without a total, and for what a model's repo says, which nothing can be checked by
    rank: int | None = None
    submission: Submission | None = None  # of the row; None if only the Hub's own leaderboard lists the model
    proposed_in: int | None = None  # number of the pull request in the model's repo that is not merged yet

    @property
    def has_videos(self) -> bool:
        """Whether there are per-video values behind the row."""
        return self.submission is not None and bool(self.submission.per_video)


@dataclass(frozen=True)
class Board:
    """All rows of a split, best total first."""

    split: str  # of the benchmark
    version: str  # of the weights
    scoring: str  # "released" or "strict"
    rows: tuple[Row, ...]  # ranked; those without a rank come last
    left_out: Mapping[str, int] = field(default_factory=dict)  # why models are not on this board, to how many there are

    def row(self, key: str) -> Row | None:
        """The row of a model; None if it has none."""
        return next((row for row in self.rows if row.key == key), None)


def split_columns(split: str) -> tuple[str, ...]:
    """Names of the columns that a split's leaderboard has, in their order."""
    return tuple(weights("v1.1", split))


def make_board(
    submissions: Sequence[Submission],
    hub: Sequence[HubScores] = (),
    *,
    split: str,
    version: str = "v1.1",
    scoring: str = RELEASED,
) -> Board:
    """The leaderboard of a split.

    A model's row is its newest submission with a value for this version and scoring. Submissions with per-video values
    are scored from them, so they are on every board, but on the released one only if that excludes few of their videos
    (`released_gaps`). Others are on boards of their own scoring, and on those of another version if they have its
    columns. Submissions made with other models or options than the version's edition are on none of its boards.

    Args:
        submissions: of all splits.
        hub: of all splits; models that have a submission on the split are left out.
        split: of the benchmark.
        version: of the edition, "v1.1", "v1.0" or "v1.2-open".
        scoring: "released" or "strict".
    """
    names = names_of(submissions)
    rows: dict[str, Row] = {}
    refused: dict[str, str] = {}
    here = [one for one in submissions if one.split == split]
    for one in sorted(here, key=lambda one: one.submitted_at):
        key = confusable_key(one.model)
        made = _submitted_row(one, names[key], version, scoring)
        if isinstance(made, Row):
            rows[key] = made
        else:
            refused[key] = made
    by_id = {one.model_id.casefold(): confusable_key(one.model) for one in submissions if one.model_id}
    if version == "v1.1" and scoring == RELEASED:
        for entry in (entry for entry in hub if entry.split == split):
            identity = entry.model_id.casefold()
            key = by_id.get(identity, f"hub:{identity}")
            if key not in rows:
                rows[key] = _hub_row(entry, key, names.get(key, plain(entry.model_id)))
    left_out: dict[str, int] = {}
    for key, reason in refused.items():
        if key not in rows:
            left_out[reason] = left_out.get(reason, 0) + 1
    return Board(split, version, scoring, _ranked(rows.values()), left_out)


def names_of(submissions: Iterable[Submission]) -> dict[str, str]:
    """Key of each model to its name as it is shown, which no other model has: that of its newest submission."""
    shown: dict[str, str] = {}
    for one in sorted(submissions, key=lambda one: one.submitted_at):
        shown[confusable_key(one.model)] = plain(one.model) or "(no name)"
    taken: dict[str, int] = {}
    for key, name in shown.items():
        taken[name] = taken.get(name, 0) + 1
        if taken[name] > 1:
            shown[key] = f"{name} ({taken[name]})"
    return shown


def _submitted_row(one: Submission, name: str, version: str, scoring: str) -> Row | str:
    """The row of a submission, or why there is none."""
    by_category: Mapping[str, Mapping[str, Cell]] = {}
    if one.edition_differences(version):
        return OTHER_EDITION
    if one.per_video and scoring == RELEASED and released_gaps(one):
        return TOO_FEW
    if one.per_video:
        card = one.scorecard(version, scoring)
        if card.partial:
            return NO_COLUMNS
        total = Cell(card.total, card.interval)
        columns = {c.name: Cell(c.normalised, c.interval, c.num_videos) for c in card.columns.values()}
        by_category = {
            c.name: {
                category: Cell(cell.normalised, cell.interval, cell.num_videos)
                for category, cell in c.by_category.items()
            }
            for c in card.columns.values()
        }
    elif one.scoring != scoring:
        return NO_VIDEOS
    else:
        columns = {
            name: Cell(one.columns.get(name), None, one.num_videos.get(name)) for name in split_columns(one.split)
        }
        try:
            computed = total_of(one.columns, one.split, version)
        except ArgumentError:
            return NO_COLUMNS
        total = Cell(one.total if one.version == version else computed)
    return Row(
        key=confusable_key(one.model),
        name=name,
        total=total,
        columns=columns,
        by_category=by_category,
        venue=one.venue if one.venue in (OPEN, CLOSED) else "",
        team=plain(one.team),
        link=one.link,
        model_id=one.model_id,
        kind=one.provenance.kind,
        date=plain(one.submitted_at[:10]),
        submission=one,
    )


def _hub_row(entry: HubScores, key: str, name: str) -> Row:
    return Row(
        key=key,
        name=name,
        total=Cell(entry.total),
        columns={name: Cell() for name in split_columns(entry.split)},
        by_category={},
        venue=OPEN,
        team=plain(entry.model_id.split("/")[0]),
        link="",
        model_id=entry.model_id,
        kind=ON_THE_HUB,
        date="",
        proposed_in=entry.pull_request,
    )


def _ranked(rows: Collection[Row]) -> tuple[Row, ...]:
    """Best first; rows of equal totals share a rank, and the next one's counts them all.

    A row without a total has no rank, and neither has one of a model's own repo, whose numbers cannot be recomputed.
    They come last.
    """
    frame = pd.DataFrame({"row": list(rows)}, dtype=object)
    frame["key"] = [row.key for row in rows]
    frame["total"] = pd.Series([row.total.value for row in rows], dtype=float)
    counted = frame["total"].where([row.kind != ON_THE_HUB for row in rows])
    frame["rank"] = counted.rank(method="min", ascending=False)
    ordered = frame.fillna({"total": 0.0}).sort_values(["rank", "total", "key"], ascending=[True, False, True])
    return tuple(
        row if math.isnan(rank) else replace(row, rank=int(rank))
        for row, rank in zip(ordered["row"], ordered["rank"], strict=True)
    )
