"""A board as a table: filter, search, order, columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from opens2v_hf.data.benchmark.sample import PAPER_CATEGORIES
from opens2v_hf.errors import ArgumentError
from opens2v_hf.leaderboard.ranks import RankGroup
from opens2v_hf.leaderboard.rows import (
    CLOSED,
    MEASURED,
    ON_THE_HUB,
    OPEN,
    PUBLISHED,
    Board,
    Cell,
    Row,
    split_columns,
)
from opens2v_hf.leaderboard.sanitize import spreadsheet_text
from opens2v_hf.scores.scorecard import COLUMNS, weights

RANK, GROUP, MODEL, TOTAL = "#", "Rank group", "Model", "Total"
ACCESS, TEAM, SOURCE, VIDEOS, DATE = "Access", "Evaluated by", "Source", "Videos", "Date"
DETAILS = (ACCESS, TEAM, SOURCE, VIDEOS, DATE)
"""Columns next to the scores."""

TITLES = {name: column.title for name, column in COLUMNS.items()}
SOURCES = {PUBLISHED: "published table", MEASURED: "per-video", ON_THE_HUB: "model repo"}
ACCESSES = {OPEN: "open", CLOSED: "closed", "": ""}

CATEGORIES = {
    "single-face-to-video": "Single face",
    "single-body-to-video": "Single body",
    "single-entity-to-video": "Single entity",
    "multi-face-to-video": "Multi face",
    "multi-body-to-video": "Multi body",
    "multi-entity-to-video": "Multi entity",
    "human-entity-to-video": "Human entity",
}
"""The paper's seven categories and their short titles."""

Value = str | int | Cell | None
"""A value of a table: a `Cell` in the columns of scores."""


@dataclass(frozen=True)
class RowFilter:
    """Which rows to show, and their order."""

    words: str = ""  # all words must occur in a row's name, team or Hub id, in any case; commas separate alternatives
    venue: str = ""  # "Open-Source", "Closed-Source", or "" for both
    # heading of a column; numbers in descending order, text in ascending order, then missing values. Rows without a
    # rank come last
    sort_by: str = TOTAL

    def matches(self, row: Row) -> bool:
        """Whether to show the row."""
        if self.venue and row.venue != self.venue:
            return False
        text = f"{row.name} {row.team} {row.model_id}".casefold()
        alternatives = [part.split() for part in self.words.casefold().split(",") if part.strip()]
        return not alternatives or any(all(word in text for word in words) for words in alternatives)


@dataclass(frozen=True)
class Table:
    """A table to display."""

    frame: pd.DataFrame  # of `Value`, a row a model with its key as the index; the second column is the model's name
    scores: tuple[str, ...]  # headings of the columns of `Cell`

    def intervals(self, heading: str) -> bool:
        """Whether a value of the column has an interval."""
        return heading in self.scores and any(cell.interval for cell in self.frame[heading])


def score_table(
    board: Board,
    groups: Mapping[str, RankGroup],
    row_filter: RowFilter = RowFilter(),
    shown: Sequence[str] | None = None,
) -> Table:
    """A row a model, a column a metric.

    Args:
        board: of a split.
        groups: of the models with per-video values.
        row_filter: which rows, in which order.
        shown: headings of the columns next to rank, model and total; None for all.
    """
    columns: dict[str, Callable[[Row], Value]] = {
        RANK: lambda row: row.rank,
        MODEL: lambda row: row.name,
        TOTAL: lambda row: row.total,
        **{TITLES[name]: _column(name) for name in by_weight(board.split, board.version)},
        **({GROUP: lambda row: str(groups.get(row.key, ""))} if groups else {}),
        ACCESS: lambda row: ACCESSES[row.venue],
        TEAM: lambda row: row.team,
        SOURCE: _source,
        VIDEOS: lambda row: max((cell.num_videos or 0 for cell in row.columns.values()), default=0) or None,
        DATE: lambda row: row.date,
    }
    table = _table([row for row in board.rows if row_filter.matches(row)], columns, row_filter.sort_by)
    always = (RANK, MODEL, TOTAL)
    headings = [name for name in columns if shown is None or name in always or name in shown]
    return Table(table.frame[headings], tuple(name for name in table.scores if name in headings))


def by_weight(split: str, version: str) -> list[str]:
    """The columns of a split, those that weigh most in its total first."""
    counted = weights(version, split)
    return sorted(split_columns(split), key=lambda name: -counted.get(name, 0.0))


def category_table(board: Board, column: str, row_filter: RowFilter = RowFilter()) -> Table:
    """A row a model with per-video values, a column a category, for one metric; best first by the metric.

    Raises:
        ArgumentError: the split's leaderboard has no such metric.
    """
    if column not in split_columns(board.split):
        raise ArgumentError(f"the leaderboard of {board.split} has no column {column!r}")
    rows = [row for row in board.rows if row.has_videos and row_filter.matches(row)]
    present = {category for row in rows for category in row.by_category[column]}
    columns: dict[str, Callable[[Row], Value]] = {
        RANK: lambda row: row.rank,
        MODEL: lambda row: row.name,
        TITLES[column]: _column(column),
        **{
            CATEGORIES[category]: _category(column, category)
            for category in dict.fromkeys(PAPER_CATEGORIES.values())
            if category in present
        },
    }
    table = _table(rows, columns, TITLES[column])
    table.frame[RANK] = range(1, len(rows) + 1)
    return table


def to_csv(table: Table) -> bytes:
    """The table as a CSV file that a spreadsheet opens without running anything.

    Scores are in percent; the bounds of their intervals, if there are any, are in columns of their own.
    """
    columns: dict[str, pd.Series] = {}
    for heading, values in table.frame.items():
        name = str(heading)
        if name not in table.scores:
            columns[name] = values.map(lambda value: "" if value is None else spreadsheet_text(str(value)))
            continue
        columns[name] = values.map(lambda cell: percent(cell.value))
        if table.intervals(name):
            for side, bound in enumerate(("low", "high")):
                columns[f"{name} {bound}"] = values.map(
                    lambda cell, side=side: percent(cell.interval[side] if cell.interval else None)
                )
    text = pd.DataFrame(columns).to_csv(index=False, lineterminator="\r\n")
    return text.encode("utf-8-sig")  # spreadsheets recognise UTF-8 by its byte order mark


def percent(value: float | None) -> str:
    """A value in 0..1 in percent with two decimals, as in the published tables; "" for None.

    Example:
        >>> percent(0.57605), percent(None)
        ('57.60', '')
    """
    return "" if value is None else f"{100 * value:.2f}"


def _column(name: str) -> Callable[[Row], Cell]:
    return lambda row: row.columns[name]


def _category(column: str, category: str) -> Callable[[Row], Cell]:
    return lambda row: row.by_category[column].get(category, Cell())


def _source(row: Row) -> str:
    if row.proposed_in is not None:
        return f"model repo, pull request {row.proposed_in}"
    return SOURCES.get(row.kind, "")


def _table(rows: Sequence[Row], columns: Mapping[str, Callable[[Row], Value]], sort_by: str) -> Table:
    values = [[value_of(row) for value_of in columns.values()] for row in rows]
    keys = [row.key for row in rows]
    frame = pd.DataFrame(values, index=keys, columns=list(columns), dtype=object)
    scores = tuple(name for name in columns if name == TOTAL or name in (*TITLES.values(), *CATEGORIES.values()))
    if sort_by in columns and rows:
        order = pd.DataFrame({"unranked": [row.rank is None for row in rows], "value": _order(frame[sort_by])}, keys)
        frame = frame.loc[order.sort_values(["unranked", "value"], na_position="last").index]
    return Table(frame, scores)


def _order(column: pd.Series) -> pd.Series:
    """Sort keys of a column; missing values are NaN."""
    values = column.map(lambda value: value.value if isinstance(value, Cell) else value)
    values = values.mask(values.map(lambda value: value is None or value == ""))
    if not values.map(lambda value: isinstance(value, str)).any():
        return pd.to_numeric(values) * (1 if column.name == RANK else -1)
    # padded, because "2–4 of 12" comes before "10 of 12"
    return values.str.casefold().str.replace(r"\d+", lambda found: found[0].zfill(6), regex=True)
