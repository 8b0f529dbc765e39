"""The best and the worst videos of a model, column by column."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from opens2v_hf.results.columns import column_values
from opens2v_hf.results.result import RunResult
from opens2v_hf.scores.scorecard import COLUMNS


@dataclass(frozen=True)
class ScoredVideo:
    """A video's value in one column.

    Attributes:
        id: of its sample.
        raw: in the metric's own units.
        normalised: in 0..1.
    """

    id: str
    raw: float
    normalised: float


@dataclass(frozen=True)
class Extremes:
    """One column of one model.

    Attributes:
        column: name of the metric.
        best: highest first.
        worst: lowest first; no video is in both.
    """

    column: str
    best: tuple[ScoredVideo, ...]
    worst: tuple[ScoredVideo, ...]


def extremes(result: RunResult, *, most: int) -> list[Extremes]:
    """The best and the worst videos in every column that has values, in the order of the published tables.

    Args:
        result: of one model.
        most: of each; fewer where a column has not twice as many videos, so that none is both.
    """
    values = column_values(result)
    return [
        _of_column(name, values[name], most)
        for name in COLUMNS
        if any(v is not None for v in values.get(name, {}).values())
    ]


def _of_column(name: str, values: Mapping[str, float | None], most: int) -> Extremes:
    scored = [ScoredVideo(i, raw, COLUMNS[name].normalise(raw)) for i, raw in values.items() if raw is not None]
    ranked = sorted(scored, key=lambda video: (-video.normalised, video.id))
    each = min(most, (len(ranked) + 1) // 2)
    worst = ranked[each:][-most:][::-1]
    return Extremes(name, tuple(ranked[:each]), tuple(worst))
