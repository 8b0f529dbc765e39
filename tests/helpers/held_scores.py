"""The command line, launched; the second score in each process waits until that ends: `held_scores.py WORDS...`."""

from __future__ import annotations

import itertools
import runpy
import time
from typing import Any

from opens2v_hf.metrics.gmescore import GmeScore

LONG_S = 600.0


def hold() -> None:
    """Let each process score one video."""
    score, calls = GmeScore.score, itertools.count()

    def held(self: GmeScore, clip: Any, reference: str) -> Any:
        if next(calls):
            time.sleep(LONG_S)
        return score(self, clip, reference)

    GmeScore.score = held  # type: ignore[method-assign]


if __name__ == "__main__":
    hold()
    runpy.run_module("opens2v_hf", run_name="__main__", alter_sys=True)
