"""Agreement of a metric or a judge with human ratings, and of raters with each other.

Everything is computed on the rows (item and model) that have a score and a rating, against the mean rating of each row.
Intervals are 95 % percentile bootstrap intervals over items: all models of an item are drawn together.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from opens2v_hf._util.argument_types import checked
from opens2v_hf.errors import ArgumentError, ResultError
from opens2v_hf.results.ratings import KEYS
from opens2v_hf.scores import agreement as formulas
from opens2v_hf.scores.resampling import interval_of

if TYPE_CHECKING:
    import pandas as pd

RESAMPLES = 1000
_NUM_WORST = 12


@dataclass(frozen=True)
class Estimate:
    """A statistic and its 95 % interval; None where it is not defined."""

    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class RaterAgreement:
    """Agreement of the raters; `leave_one_out` is the usual reference for what a metric can reach.

    Attributes:
        num_raters: columns of the table.
        num_rows: rows with at least one rating.
        pairwise: mean Spearman correlation over pairs of raters.
        leave_one_out: mean Spearman correlation of a rater with the mean of the others.
        alpha: Krippendorff's, ordinal.
    """

    num_raters: int
    num_rows: int
    pairwise: Estimate
    leave_one_out: Estimate
    alpha: Estimate


@dataclass(frozen=True)
class Disagreement:
    """A row that the scores and the raters rank differently.

    Attributes:
        item: of the row.
        model: of the row.
        score: the metric's.
        rating: mean of the raters.
        score_rank: share of the rows below it by score, in [0, 1].
        rating_rank: the same by rating.
    """

    item: str
    model: str
    score: float
    rating: float
    score_rank: float
    rating_rank: float


@dataclass(frozen=True)
class Agreement:
    """Agreement of one column of scores with the raters.

    Attributes:
        name: of the scores.
        num_rows: rows with a score and a rating.
        num_items: items among them.
        num_models: models among them.
        num_unrated: scores without a rating.
        num_unscored: ratings without a score.
        spearman: with the mean rating, over all rows.
        kendall: tau-b, likewise.
        pairwise_accuracy: share of pairs of the same item that the scores order as the ratings do. Pairs with equal
            ratings are left out; equal scores count one half.
        num_pairs: that were compared.
        num_tied_pairs: that were left out.
        per_model: Spearman correlation over the rows of each model; None where undefined.
        fisher_mean: mean of `per_model` after Fisher's transformation, as papers report it.
        within_items: mean over items of the Spearman correlation over the item's models. A plain mean: over few models
            it is often 1 or -1, which Fisher's transformation cannot average.
        model_means: Spearman correlation of the models' mean scores and mean ratings.
        item_means: the same for items.
        given: name of the other metric of `partial`.
        partial: Spearman correlation with the ranks of the other metric held fixed.
        raters: how far the raters agree on all rated rows.
        worst: the rows with the largest difference of ranks, largest first.
    """

    name: str
    num_rows: int
    num_items: int
    num_models: int
    num_unrated: int
    num_unscored: int
    spearman: Estimate
    kendall: Estimate
    pairwise_accuracy: Estimate
    num_pairs: int
    num_tied_pairs: int
    per_model: dict[str, float | None]
    fisher_mean: Estimate
    within_items: Estimate
    model_means: float | None
    item_means: Estimate
    given: str | None
    partial: Estimate | None
    raters: RaterAgreement
    worst: tuple[Disagreement, ...]

    def to_dict(self) -> dict[str, Any]:
        """A JSON-compatible dict of the attributes."""
        return asdict(self)


@checked
def rater_agreement(ratings: pd.DataFrame, *, resamples: int = RESAMPLES, seed: int = 0) -> RaterAgreement:
    """Agreement of raters with each other.

    Args:
        ratings: see `load_ratings`.
        resamples: of the bootstrap over items; 0 for no intervals.
        seed: of the bootstrap.

    Raises:
        ResultError: fewer than two raters, or nothing was rated.
    """
    by_rater = _by_rater(ratings)
    if len(by_rater) < 2 or not by_rater.shape[1]:
        raise ResultError(f"agreement of raters needs at least two raters and one rated row (got {by_rater.shape})")
    items = _codes(ratings["item"])

    def estimate(statistic: Callable[[np.ndarray], float]) -> Estimate:
        return _estimate(lambda rows: statistic(by_rater[:, rows]), items, resamples, seed)

    return RaterAgreement(
        num_raters=len(by_rater),
        num_rows=by_rater.shape[1],
        pairwise=estimate(formulas.rater_correlation),
        leave_one_out=estimate(formulas.leave_one_out),
        alpha=estimate(formulas.krippendorff_alpha),
    )


@checked
def agreement(
    scores: pd.DataFrame,
    ratings: pd.DataFrame,
    *,
    name: str = "score",
    given: pd.DataFrame | None = None,
    given_name: str = "given",
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Agreement:
    """Compare scores with human ratings.

    Args:
        scores: columns item, model, score; see `load_scores`.
        ratings: columns item, model, and one for each rater; see `load_ratings`.
        name: of the scores.
        given: scores of another metric that `scores` is to add to. Rows without them are left out.
        given_name: of those.
        resamples: of the bootstrap over items; 0 for no intervals.
        seed: of the bootstrap.

    Raises:
        ArgumentError: `resamples` is negative.
        ResultError: no row has both a score and a rating.
    """
    if resamples < 0:
        raise ArgumentError(f"resamples must be at least 0 (got {resamples})")
    rated = ratings[KEYS].assign(rating=formulas.mean_rating(_by_rater(ratings))).dropna(subset=["rating"])
    rows = scores[[*KEYS, "score"]].merge(rated, on=KEYS)
    if given is not None:
        rows = rows.merge(given[[*KEYS, "score"]].rename(columns={"score": "given"}), on=KEYS)
    if not len(rows):
        raise ResultError(
            f"no row of {name} has a rating: the scores name {_examples(scores)}, the ratings {_examples(ratings)}; "
            "item and model must be equal in both"
        )
    score, rating = rows["score"].to_numpy(float), rows["rating"].to_numpy(float)
    items, models = _codes(rows["item"]), _codes(rows["model"])
    model_names = list(dict.fromkeys(rows["model"]))

    def estimate(statistic: Callable[[np.ndarray], float]) -> Estimate:
        return _estimate(statistic, items, resamples, seed)

    def by_model(at: np.ndarray) -> np.ndarray:
        return np.array(
            [
                formulas.spearman(score[of], rating[of])
                for code in range(len(model_names))
                for of in [at[models[at] == code]]
            ]
        )

    def means(at: np.ndarray, groups: np.ndarray) -> float:
        known, codes = np.unique(groups[at], return_inverse=True)
        size = np.bincount(codes, minlength=len(known))
        return formulas.spearman(
            np.bincount(codes, weights=score[at]) / size, np.bincount(codes, weights=rating[at]) / size
        )

    pairs = formulas.pair_counts(score, rating, items)
    everything = np.arange(len(rows))
    partial = None
    if given is not None:
        other = rows["given"].to_numpy(float)
        partial = estimate(lambda at: formulas.partial_spearman(score[at], rating[at], other[at]))
    return Agreement(
        name=name,
        num_rows=len(rows),
        num_items=len(set(items)),
        num_models=len(model_names),
        num_unrated=len(scores) - len(scores.merge(rated, on=KEYS)),
        num_unscored=len(rated) - len(rated.merge(scores, on=KEYS)),
        spearman=estimate(lambda at: formulas.spearman(score[at], rating[at])),
        kendall=_kendall(score, rating, items, resamples, seed),
        pairwise_accuracy=_accuracy(pairs, resamples, seed),
        num_pairs=int(pairs.compared.sum()),
        num_tied_pairs=int(pairs.tied.sum()),
        per_model={model: _number(value) for model, value in zip(model_names, by_model(everything), strict=True)},
        fisher_mean=estimate(lambda at: formulas.fisher_mean(by_model(at))),
        within_items=_within_items(score, rating, items, resamples, seed),
        model_means=_number(means(everything, models)),
        item_means=estimate(lambda at: means(at, items)),
        given=None if given is None else given_name,
        partial=partial,
        raters=rater_agreement(ratings, resamples=resamples, seed=seed),
        worst=_worst(rows),
    )


def _by_rater(ratings: pd.DataFrame) -> np.ndarray:
    return ratings.drop(columns=KEYS).to_numpy(float).T


def _codes(names: pd.Series) -> np.ndarray:
    return names.factorize()[0]


def _draws(items: np.ndarray, resamples: int, seed: int) -> list[np.ndarray]:
    """Item codes drawn with replacement, as many as there are: R arrays [I]. All statistics share the draws."""
    generator = np.random.default_rng(seed)
    num_items = int(items.max()) + 1
    return [generator.integers(0, num_items, size=num_items) for _ in range(resamples)]


def _estimate(statistic: Callable[[np.ndarray], float], items: np.ndarray, resamples: int, seed: int) -> Estimate:
    rows_of = _rows_of(items)
    drawn = [statistic(np.concatenate([rows_of[item] for item in draw])) for draw in _draws(items, resamples, seed)]
    return _with_interval(statistic(np.arange(len(items))), np.array(drawn))


def _kendall(score: np.ndarray, rating: np.ndarray, items: np.ndarray, resamples: int, seed: int) -> Estimate:
    draws = _draws(items, resamples, seed)
    counts = np.array([np.bincount(draw, minlength=int(items.max()) + 1)[items] for draw in draws], dtype=float)
    drawn = formulas.kendall_tau_b(score, rating, counts) if draws else np.empty(0)
    return _with_interval(float(formulas.kendall_tau_b(score, rating)[0]), drawn)


def _accuracy(pairs: formulas.PairCounts, resamples: int, seed: int) -> Estimate:
    drawn = [
        pairs.agreeing[draw].sum() / total
        for draw in _draws(np.arange(len(pairs.compared)), resamples, seed)
        if (total := pairs.compared[draw].sum())
    ]
    return _with_interval(pairs.accuracy, np.array(drawn))


def _within_items(score: np.ndarray, rating: np.ndarray, items: np.ndarray, resamples: int, seed: int) -> Estimate:
    of_item = np.array([formulas.spearman(score[at], rating[at]) for at in _rows_of(items)])
    defined = of_item[~np.isnan(of_item)]
    if not len(defined):
        return Estimate(None)
    draws = _draws(np.arange(len(defined)), resamples, seed)
    return _with_interval(float(defined.mean()), np.array([defined[draw].mean() for draw in draws]))


def _rows_of(items: np.ndarray) -> list[np.ndarray]:
    return [np.flatnonzero(items == item) for item in range(int(items.max()) + 1)]


def _with_interval(value: float, drawn: np.ndarray) -> Estimate:
    if math.isnan(value):
        return Estimate(None)
    return Estimate(value, *(interval_of(drawn) or (None, None)))


def _number(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _worst(rows: pd.DataFrame) -> tuple[Disagreement, ...]:
    ranked = rows.assign(score_rank=rows["score"].rank(pct=True), rating_rank=rows["rating"].rank(pct=True))
    gap = (ranked["score_rank"] - ranked["rating_rank"]).abs()
    order = gap.sort_values(ascending=False, kind="stable").index[:_NUM_WORST]
    fields = ["item", "model", "score", "rating", "score_rank", "rating_rank"]
    return tuple(Disagreement(*row) for row in ranked.loc[order, fields].itertuples(index=False))


def _examples(table: pd.DataFrame) -> str:
    return "nothing" if not len(table) else " of ".join(repr(str(table[key].iloc[0])) for key in KEYS)
