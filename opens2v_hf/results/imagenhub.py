"""Human ratings in the form in which ImagenHub publishes them: a folder with a table for each rater."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

from opens2v_hf.errors import ResultError

if TYPE_CHECKING:
    import pandas as pd

DIMENSIONS = ("consistency", "quality")
"""Of the two ratings of a cell, each 0, 0.5 or 1: whether a picture is what was requested, and its visual quality."""

_FILE = re.compile(r"(?!\.).*_rater(?P<rater>\w+)\.tsv")


def read_imagenhub(folder: Path) -> pd.DataFrame:
    """Read the ratings of one task, e.g. `ImagenHub_Subject-Driven_IG`.

    The files are `<name>_rater<number>.tsv`, with the column `uid` and a column for each model, whose cells are
    `[consistency,quality]`.

    Args:
        folder: with the files of all raters.

    Returns:
        Columns item, model, rater, dimension (see `DIMENSIONS`) and rating; empty cells are left out.

    Raises:
        ResultError: there is no such file in the folder, or one cannot be read or has another form.
    """
    import pandas as pd

    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        raise ResultError(f"cannot list {folder}: {error.strerror}") from error
    files = {path: found["rater"] for path in paths if (found := _FILE.fullmatch(path.name))}
    if not files:
        raise ResultError(
            f"{folder} holds no ratings; a folder must be ImagenHub's, with files <name>_rater<number>.tsv"
        )
    rows = []
    for path, rater in files.items():
        try:
            table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False, encoding="utf-8-sig")
        except Exception as error:  # pandas passes on any error of its parser
            raise ResultError(f"cannot read {path}: {' '.join(str(error).split())}") from error
        if "uid" not in table:
            raise ResultError(f"{path} must have the column uid (got {', '.join(map(str, table.columns))})")
        for model in table.columns.drop("uid"):
            for item, cell in zip(table["uid"], table[model], strict=True):
                rows += [(item, model, rater, *rated) for rated in _ratings(cell, f"{path}, {item}, {model}")]
    return pd.DataFrame(rows, columns=["item", "model", "rater", "dimension", "rating"])


def _ratings(cell: str, where: str) -> list[tuple[str, float]]:
    if not cell.strip():
        return []
    try:
        found = json.loads(cell)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, list) or len(found) != len(DIMENSIONS):
        raise ResultError(f"{where} must be [consistency,quality] (got {cell!r:.60})")
    return list(zip(DIMENSIONS, found, strict=True))
