"""The published leaderboard as submissions: the first content of the results dataset.

    python -m opens2v_hf.leaderboard.submissions.published TABLES OUT

reads `results_<Split>.csv`, the tables of the OpenS2V-Eval Space, and writes a record for each of their rows.
"""

from __future__ import annotations

import argparse
import csv
import re
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from opens2v_hf._util.console import say
from opens2v_hf.errors import ResultError
from opens2v_hf.leaderboard.submissions.record import FORMAT, Submission
from opens2v_hf.scores.scorecard import COLUMNS

SOURCE = "https://huggingface.co/spaces/BestWishYsh/OpenS2V-Eval"
OWNER = "BestWishYsh"
"""Owner of the rows that are taken from the published tables."""

TAKEN_OVER_AT = "2026-11-22 00:00:00"
VERSION = "v1.1"

TABLES = {
    "open-domain": "results_Open-Domain.csv",
    "human-domain": "results_Human-Domain.csv",
    "single-domain": "results_Single-Domain.csv",
}

HEADINGS = {
    "Aesthetics↑": "aesthetics",
    "MotionSmoothness↑": "motion_smoothness",
    "MotionAmplitude↑": "motion_amplitude",
    "FaceSim↑": "facesim_cur",
    "GmeScore↑": "gmescore",
    "NexusScore↑": "nexusscore",
    "NaturalScore↑": "naturalscore",
}
"""Heading of a column of the tables to the metric's name."""

_LINKED = re.compile(r"\[(?P<name>.+)\]\((?P<link>.+)\)")


def read_table(path: Path, split: str) -> list[Submission]:
    """The rows of one published table.

    Args:
        path: CSV with the headings Model (as a markdown link), Venue, Evaluated by, TotalScore↑ and those of
            `HEADINGS`, values in percent.
        split: that the table is of.

    Raises:
        ResultError: the file is missing, or is not such a table.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise ResultError(f"cannot read the table {path}: {error.strerror}") from error
    return [_submission(row, split, f"{path.name}, row {number}") for number, row in enumerate(rows, start=1)]


def write_published(tables: Path, out: Path) -> list[Path]:
    """Write a record for every published row below `out`, as the results dataset holds them.

    Raises:
        ResultError: a table is missing or malformed.
    """
    written = []
    for split, name in TABLES.items():
        for submission in read_table(tables / name, split):
            path = out / submission.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(submission.to_json())
            written.append(path)
    return written


def _submission(row: dict[str, str], split: str, where: str) -> Submission:
    linked = _LINKED.fullmatch(row.get("Model") or "")
    if linked is None:
        raise ResultError(f"{where}: {row.get('Model')!r} is not [model](link)")
    columns = {name: _fraction(row[heading], where) for heading, name in HEADINGS.items() if heading in row}
    record: dict[str, Any] = {
        "format": FORMAT,
        "model": linked["name"],
        "model_id": "",
        "link": linked["link"],
        "team": row["Evaluated by"],
        "venue": row["Venue"],
        "split": split,
        "version": VERSION,
        "edition": "",
        "scoring": "released",
        "total": _fraction(row["TotalScore↑"], where),
        "columns": {name: columns.get(name) for name in COLUMNS},
        "num_videos": dict.fromkeys(COLUMNS),
        "per_video": [],
        "provenance": {
            "kind": "published",
            "source": SOURCE,
            "packages": [],
            "models": [],
            "options": [],
            "caveats": [],
            "benchmark": {"source": "", "prompt_file": "", "sha256": ""},
        },
        "submitted_by": OWNER,
        "submitted_at": TAKEN_OVER_AT,
    }
    return Submission.from_dict(record, source=where)


def _fraction(percent: str, where: str) -> float:
    try:
        return float(Decimal(percent.removesuffix("%")) / 100)
    except InvalidOperation as error:
        raise ResultError(f"{where}: {percent!r} is not a percentage") from error


def main() -> None:
    """The command line of this module."""
    parser = argparse.ArgumentParser(prog="python -m opens2v_hf.leaderboard.submissions.published", description=__doc__)
    parser.add_argument("tables", type=Path, help="folder of the published tables")
    parser.add_argument("out", type=Path, help="folder of the results dataset")
    arguments = parser.parse_args()
    say(f"wrote {len(write_published(arguments.tables, arguments.out))} records")


if __name__ == "__main__":
    main()
