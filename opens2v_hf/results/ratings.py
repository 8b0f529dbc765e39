"""Tables of human ratings and of scores, read from CSV, Parquet or result files.

A row of either is an item (a prompt, a sample id) and the model that made its video.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from opens2v_hf._util.argument_types import checked
from opens2v_hf.errors import ArgumentError, ResultError
from opens2v_hf.results.imagenhub import read_imagenhub

if TYPE_CHECKING:
    import pandas as pd

KEYS = ["item", "model"]

Reduce = Literal["min", "mean", "max"]
"""Reductions of several numbers in a cell to one; judges answer with one for each subject."""

_REDUCTIONS: Mapping[str, Callable[[list[float]], float]] = {
    "min": min,
    "mean": lambda numbers: sum(numbers) / len(numbers),
    "max": max,
}
_EMPTY = frozenset(("", "na", "<na>", "n/a", "nan", "null", "none"))
"""Cells without a rating or score, in lower case."""

_RATER = re.compile(r"rater[_ ]?(?P<rater>[A-Za-z0-9]*?)(?:_(?P<dimension>[A-Za-z]\w*))?$")


@checked
def load_ratings(path: str | os.PathLike[str], *, dimension: str | None = None) -> pd.DataFrame:
    """Read human ratings.

    Tidy: columns item, model, rater, rating, and dimension where several things were rated. Wide: item, model, and a
    column `rater<name>` or `rater<name>_<dimension>` for each rater. A folder is one of ImagenHub, see
    `opens2v_hf.results.imagenhub`.

    Args:
        path: .csv, .parquet, or a folder.
        dimension: which of several; may be left out where there is one.

    Returns:
        A row for each item and model, in the order of the file; a column for each rater, float, NaN where not rated.

    Raises:
        ArgumentError: the file has several dimensions and none was chosen, or not the one that was.
        ResultError: the file is missing, unreadable, or not a table of ratings; two ratings of one rater for one row.
    """
    table = read_imagenhub(Path(path)) if Path(path).is_dir() else _read_table(path)
    missing = [name for name in KEYS if name not in table]
    if missing:
        raise ResultError(f"{path}: a table of ratings must have the columns item and model (got {_names(table)})")
    tidy = _tidy(table, path)
    found = list(dict.fromkeys(tidy["dimension"]))
    if dimension is None and len(found) > 1:
        raise ArgumentError(
            f"{path} rates {', '.join(map(str, found))}; choose one of them (`--dimension`, `dimension=`)"
        )
    if dimension is not None:
        if dimension not in found:
            known = ", ".join(str(name) for name in found if name) or "no named one"
            raise ArgumentError(f"{path} has no dimension {dimension!r} (it has: {known})")
        tidy = tidy[tidy["dimension"] == dimension]
    twice = tidy.duplicated([*KEYS, "rater"])
    if twice.any():
        row = tidy[twice].iloc[0]
        raise ResultError(f"{path}: rater {row['rater']} rated {row['item']!r} of {row['model']!r} more than once")
    order = tidy[KEYS].drop_duplicates()
    wide = tidy.pivot(index=KEYS, columns="rater", values="rating").reset_index()
    wide.columns.name = None
    return order.merge(wide, on=KEYS, how="left").reset_index(drop=True)


@checked
def load_scores(paths: Iterable[str | os.PathLike[str]], column: str, *, reduce: Reduce | None = None) -> pd.DataFrame:
    """Read the scores of one metric or judge.

    Args:
        paths: tables (.csv, .parquet) with the columns item, model and `column`; or result files of `opens2v score`
            (.json), one for each model, of which `column` is a metric.
        column: name of the scores.
        reduce: for cells with several numbers, such as "8 5 9".

    Returns:
        Columns item, model, score; rows without a score are left out.

    Raises:
        ArgumentError: a cell holds several numbers and `reduce` was not given.
        ResultError: a file is missing, unreadable, without the column, or scores one row twice.
    """
    import pandas as pd

    paths = list(paths)
    if not paths:
        raise ArgumentError("give at least one file of scores")
    parts = [_scores_of(path, column, reduce) for path in paths]
    table = pd.concat(parts, ignore_index=True).dropna(subset=["score"]).reset_index(drop=True)
    twice = table.duplicated(KEYS)
    if twice.any():
        row = table[twice].iloc[0]
        raise ResultError(f"the scores hold {row['item']!r} of {row['model']!r} more than once; leave one out")
    return table


def _scores_of(path: str | os.PathLike[str], column: str, reduce: Reduce | None) -> pd.DataFrame:
    import pandas as pd

    if Path(path).suffix.lower() == ".json":
        return _scores_of_result(path, column)
    table = _read_table(path)
    missing = [name for name in (*KEYS, column) if name not in table]
    if missing:
        raise ResultError(f"{path} has no column {', '.join(missing)} (it has: {_names(table)})")
    _require_text(table, KEYS, path)
    scores = [
        _number(cell, reduce, f"{path}, row {row + 1}, column {column}") for row, cell in enumerate(table[column])
    ]
    return pd.DataFrame({"item": table["item"].astype(str), "model": table["model"].astype(str), "score": scores})


def _scores_of_result(path: str | os.PathLike[str], column: str) -> pd.DataFrame:
    import pandas as pd

    from opens2v_hf.results.result import RunResult

    result = RunResult.load(path)
    values = {item: score.value for item, score in result.metric(column).scores.items()}
    return pd.DataFrame({"item": list(values), "model": result.model, "score": [*values.values()]}).astype(
        {"score": float}
    )


def _read_table(path: str | os.PathLike[str]) -> pd.DataFrame:
    import pandas as pd

    readers = {
        # as text: an id or a name such as "01", "1e5" or "NA" must not become a number or a gap
        ".csv": lambda: pd.read_csv(path, encoding="utf-8-sig", dtype=str, keep_default_na=False),
        ".parquet": lambda: pd.read_parquet(path),
    }
    reader = readers.get(Path(path).suffix.lower())
    if reader is None:
        raise ResultError(f"{path} must be a .csv or .parquet file")
    try:
        return reader()
    except Exception as error:  # pandas and pyarrow pass on any error of their parsers
        raise ResultError(f"cannot read {path}: {' '.join(str(error).split())}") from error


def _tidy(table: pd.DataFrame, path: str | os.PathLike[str]) -> pd.DataFrame:
    """Columns item, model, rater, dimension, rating, from either form of file. Empty ratings are left out."""
    import pandas as pd

    if {"rater", "rating"} <= set(table):
        _require_text(table, [*KEYS, "rater"], path)
        tidy = table[[*KEYS, "rater", "rating"]].assign(dimension=table.get("dimension"))
    else:
        columns = {name: found for name in table if (found := _RATER.match(str(name)))}
        if not columns:
            raise ResultError(
                f"{path} holds no ratings: it must have the columns rater and rating, or a column rater<name> for each "
                f"rater (got {_names(table)})"
            )
        _require_text(table, KEYS, path)
        tidy = pd.concat(
            [
                table[KEYS].assign(rater=found["rater"], dimension=found["dimension"], rating=table[name])
                for name, found in columns.items()
            ],
            ignore_index=True,
        )
    tidy = tidy.astype({"item": str, "model": str, "rater": str})
    tidy = tidy[~_is_empty(tidy["rating"])]
    numbers = pd.to_numeric(tidy["rating"], errors="coerce").astype(float)
    wrong = tidy["rating"][~np.isfinite(numbers)]
    if len(wrong):
        raise ResultError(f"{path}: a rating must be a finite number (got {wrong.iloc[0]!r})")
    return tidy.assign(rating=numbers)


def _is_empty(cells: pd.Series) -> pd.Series:
    return cells.astype(str).str.strip().str.lower().isin(_EMPTY)


def _require_text(table: pd.DataFrame, columns: Iterable[str], path: str | os.PathLike[str]) -> None:
    for name in columns:
        empty = table[name].isna() | (table[name].astype(str).str.strip() == "")
        if empty.any():
            raise ResultError(f"{path}: {name} must not be empty (got nothing in row {empty.to_numpy().argmax() + 1})")


def _number(cell: object, reduce: Reduce | None, where: str) -> float:
    words = str(cell).replace(",", " ").split()
    if len(words) <= 1 and str(cell).strip().lower() in _EMPTY:
        return math.nan
    try:
        numbers = [float(word) for word in words]
    except ValueError as error:
        raise ResultError(f"{where}: a score must be a number (got {cell!r})") from error
    if not all(map(math.isfinite, numbers)):
        raise ResultError(f"{where}: a score must be a finite number (got {cell!r})")
    if len(numbers) > 1 and reduce is None:
        raise ArgumentError(
            f"{where} holds several numbers ({cell!r}); choose min, mean or max (`--reduce`, `reduce=`)"
        )
    return _REDUCTIONS[reduce or "mean"](numbers)


def _names(table: pd.DataFrame) -> str:
    return ", ".join(map(str, table.columns))
