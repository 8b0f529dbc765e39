"""`opens2v_hf.reproduce`: a published row, scored again from upstream's videos or made anew."""

from __future__ import annotations

import os
from typing import Any, Literal, get_args

from opens2v_hf.errors import ArgumentError
from opens2v_hf.evaluation.api import score
from opens2v_hf.generators.recipe import SEED, Recipe
from opens2v_hf.leaderboard.reproduction.comparison import Reproduction
from opens2v_hf.leaderboard.reproduction.published_rows import published_row
from opens2v_hf.leaderboard.reproduction.upstream_videos import upstream_videos

Source = Literal["results", "new"]
"""Where the videos come from: those that the benchmark's authors published, or made anew."""


def reproduce(
    name: str,
    *,
    source: Source = "results",
    split: str | None = None,
    videos: str | os.PathLike[str] | None = None,
    videos_revision: str | None = None,
    model: Any = None,
    recipe: Recipe | None = None,
    seed: int = SEED,
    out: str | os.PathLike[str] | None = None,
    **scoring: Any,
) -> Reproduction:
    """Score a published row of the leaderboard again, column by column beside the published numbers.

    Args:
        name: of the row, e.g. "VACE-1.3B".
        source: "results" scores the videos that the benchmark's authors published, the folder `Results` of their Hub
            repo; "new" makes them with the model, by the defaults of its authors.
        split: on which it is published; the first such split by default.
        videos: for "results": a folder or repo that holds them, see `opens2v_hf.score`; upstream's by default.
        videos_revision: of the Hub repo of videos.
        model: for "new": who makes them, see `opens2v_hf.score`, in place of the pipeline of diffusers that is known
            for this row; the recipe is that of the row all the same.
        recipe: for "new": settings that count more than the row's.
        seed: for "new"; the benchmark's 42 by default, whatever the authors' script takes.
        out: see `opens2v_hf.score`; "new" needs it.
        **scoring: further arguments of `opens2v_hf.score`: metrics, metric_models, limit, data_dir, ...

    Returns:
        The result, and each column beside the published one.

    Raises:
        ArgumentError: there is no such row; an argument does not belong to the source; or the row's videos cannot be
            made by its name alone.
        ResultError: upstream's repo holds no videos of it.
        OpenS2VError: see `opens2v_hf.score`.
    """
    if source not in get_args(Source):
        raise ArgumentError(f"source must be one of {', '.join(get_args(Source))} (got {source!r})")
    row = published_row(name)
    chosen = row.split_or_first(split)
    common = {"split": chosen, "name": row.name, "out": out, **scoring}
    if source == "results":
        if model is not None or recipe is not None or seed != SEED:
            raise ArgumentError("model, recipe and seed are for making the videos anew; give `source='new'` with them")
        place = videos if videos is not None else upstream_videos(row, chosen, revision=videos_revision)
        result = score(place, videos_revision=videos_revision, **common)
        return Reproduction(row, result, is_upstream=videos is None)
    if videos is not None or videos_revision is not None:
        raise ArgumentError("videos are made anew, and given; leave `videos=` out, or give `source='results'`")
    if model is None and row.why_not_new:
        raise ArgumentError(
            f"the videos of {row.name} cannot be made anew by its name: {row.why_not_new}. Give `model=` to say who "
            "makes them, or `source='results'` for the ones that the benchmark's authors published"
        )
    complete = (recipe or Recipe()).over(row.recipe)
    result = score(model=row.model if model is None else model, recipe=complete, seed=seed, **common)
    return Reproduction(row, result)
