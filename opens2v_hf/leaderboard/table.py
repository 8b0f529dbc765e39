"""What of a board is shown: filters, search, order and columns, as one table of plain values."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from opens2v_hf.data.benchmark.sample import PAPER_CATEGORIES
from opens2v_hf.errors import ArgumentError
from opens2v_hf.leaderboard.outside import spreadsheet_text
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
from opens2v_hf.scores.scorecard import COLUMNS, weights

RANK, GROUP, MODEL, TOTAL = "#", "Rank group", "Model", "Total"
ACCESS, TEAM, SOURCE, VIDEOS, DATE = "Access", "Evaluated by", "Source", "Videos", "Date"
DETAILS = (ACCESS, TEAM, SOURCE, VIDEOS, DATE)
"""Columns beside the scores."""

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
"""The paper's seven categories by their short titles."""

_NUMBER = re.compile(r"\d+")
"""In words that are ordered: 2–4 of 12 comes before 10 of 12."""

Value = str | int | Cell | None
"""What stands in a table: a `Cell` in the columns of scores."""


@dataclass(frozen=True)
class Wanted:
    """What a visitor asks of the rows.

    Attributes:
        words: every word must be found in a row's name, team or Hub id, whatever the case; of alternatives parted by
            commas one is enough.
        venue: "Open-Source", "Closed-Source", or "" for both.
        sort_by: heading of a column; numbers come largest first, words in their order, then what is missing, and rows
            without a rank last.
    """

    words: str = ""
    venue: str = ""
    sort_by: str = TOTAL

    def keeps(self, row: Row) -> bool:
        """Whether the row is one of those asked for."""
        if self.venue and row.venue != self.venue:
            return False
        about = f"{row.name} {row.team} {row.model_id}".casefold()
        alternatives = [part.split() for part in self.words.casefold().split(",") if part.strip()]
        return not alternatives or any(all(word in about for word in words) for words in alternatives)


@dataclass(frozen=True)
class Table:
    """Headings and rows of values, ready to be shown.

    Attributes:
        headings: of the columns; the second one is the model's name.
        scores: which columns hold scores, by their place.
        rows: the cells of each row: text, a number, None, or a `Cell` in the columns of scores.
        keys: the model of each row.
    """

    headings: tuple[str, ...]
    scores: frozenset[int]
    rows: tuple[tuple[Value, ...], ...]
    keys: tuple[str, ...]


def score_table(
    board: Board,
    groups: Mapping[str, RankGroup],
    wanted: Wanted = Wanted(),
    shown: Sequence[str] | None = None,
) -> Table:
    """A row a model, a column a metric.

    Args:
        board: of a split.
        groups: of the models with per-video values.
        wanted: which rows, in which order.
        shown: headings of the columns that are shown beside rank, model and total; None for all that there are.
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
    always = (RANK, MODEL, TOTAL)
    headings = tuple(name for name in columns if shown is None or name in always or name in shown)
    scores = frozenset(i for i, name in enumerate(headings) if name == TOTAL or name in TITLES.values())
    kept = _sorted([row for row in board.rows if wanted.keeps(row)], wanted.sort_by, columns)
    rows = tuple(tuple(columns[name](row) for name in headings) for row in kept)
    return Table(headings, scores, rows, tuple(row.key for row in kept))


def by_weight(split: str, version: str) -> list[str]:
    """The columns of a split, those that weigh most in its total first."""
    counted = weights(version, split)
    return sorted(split_columns(split), key=lambda name: -counted.get(name, 0.0))


def category_table(board: Board, column: str, wanted: Wanted = Wanted()) -> Table:
    """A row a model with per-video values, a column a category, for one metric; best first by the metric.

    Raises:
        ArgumentError: the split's leaderboard has no such metric.
    """
    if column not in split_columns(board.split):
        raise ArgumentError(f"the leaderboard of {board.split} has no column {column!r}")
    kept = [row for row in board.rows if row.has_videos and wanted.keeps(row)]
    present = {category for row in kept for category in row.by_category[column]}
    categories = [category for category in dict.fromkeys(PAPER_CATEGORIES.values()) if category in present]
    headings = (RANK, MODEL, TITLES[column], *(CATEGORIES[category] for category in categories))
    by_value = _sorted(kept, TITLES[column], {TITLES[column]: _column(column)})
    rows: tuple[tuple[Value, ...], ...] = tuple(
        (
            place,
            row.name,
            row.columns[column],
            *(row.by_category[column].get(category, Cell()) for category in categories),
        )
        for place, row in enumerate(by_value, start=1)
    )
    return Table(headings, frozenset(range(2, len(headings))), rows, tuple(row.key for row in by_value))


def to_csv(table: Table) -> bytes:
    """The table as a CSV file that a spreadsheet opens without running anything.

    Scores are in percent, with the bounds of their intervals in columns beside them where there are any.
    """
    with_interval = {
        i
        for i in table.scores
        if any(isinstance(row[i], Cell) and row[i].interval for row in table.rows)  # type: ignore[union-attr]
    }
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    header: list[str] = []
    for i, heading in enumerate(table.headings):
        header += [heading, f"{heading} low", f"{heading} high"] if i in with_interval else [heading]
    writer.writerow(header)
    for row in table.rows:
        values: list[str] = []
        for i, value in enumerate(row):
            if isinstance(value, Cell):
                values.append(percent(value.value))
                if i in with_interval:
                    values += [percent(bound) for bound in value.interval or (None, None)]
            else:
                values.append("" if value is None else spreadsheet_text(str(value)))
        writer.writerow(values)
    return b"\xef\xbb\xbf" + buffer.getvalue().encode()  # spreadsheets tell UTF-8 by this mark


def percent(value: float | None) -> str:
    """A value in 0..1 in percent with two decimals, as the published tables have it; "" for None.

    Example:
        >>> percent(0.57605), percent(None)
        ('57.60', '')
    """
    return "" if value is None else f"{100 * value:.2f}"


def _column(name: str) -> Callable[[Row], Cell]:
    return lambda row: row.columns[name]


def _source(row: Row) -> str:
    if row.proposed_in is not None:
        return f"model repo, pull request {row.proposed_in}"
    return SOURCES.get(row.kind, "")


def _sorted(rows: Iterable[Row], by: str, columns: Mapping[str, Callable[[Row], Value]]) -> list[Row]:
    value_of = columns.get(by)
    if value_of is None:
        return list(rows)

    def place(row: Row) -> tuple[bool, bool, float, str]:
        value = value_of(row)
        number = value.value if isinstance(value, Cell) else value
        if number is None or number == "":
            return row.rank is None, True, 0.0, ""
        if isinstance(number, str):
            return row.rank is None, False, 0.0, _NUMBER.sub(lambda found: found[0].zfill(6), number.casefold())
        return row.rank is None, False, float(number if by == RANK else -number), ""

    return sorted(rows, key=place)
