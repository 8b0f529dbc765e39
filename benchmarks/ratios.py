"""Where a benchmark leaves its ratios for `page.py`, which puts those of all benchmarks on one page."""

from __future__ import annotations

import json
import os
from pathlib import Path

VARIABLE = "OPENS2V_BENCH_RATIOS"
"""Names the file; without it nothing is left."""


def note(part: str, against: str, ratio: float, *, goal: float | None = None) -> None:
    """Leave a ratio.

    Args:
        part: of this package, and for what input.
        against: what a user would take otherwise, measured in the same run.
        ratio: speed of this package over that of the other; above 1 it is faster.
        goal: that the ratio should reach.
    """
    if path := os.environ.get(VARIABLE):
        with Path(path).open("a") as file:
            file.write(json.dumps({"part": part, "against": against, "ratio": ratio, "goal": goal}) + "\n")
