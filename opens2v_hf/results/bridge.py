"""Comparison of two judges, or two editions, over the same videos: whether one can replace the other.

Videos are paired by item and model. Intervals are 95 % percentile bootstrap intervals in which all videos of a model
are drawn together, since the videos of one model resemble each other; with one model, the videos are drawn.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from opens2v_hf._util.argument_types import checked
from opens2v_hf.data.benchmark.sample import PAPER_CATEGORIES
from opens2v_hf.errors import ArgumentError, ResultError
from opens2v_hf.results.agreement import RESAMPLES, Estimate
from opens2v_hf.results.columns import category_of_id
from opens2v_hf.results.ratings import KEYS, Reduce, load_scores
from opens2v_hf.results.result import read_results
from opens2v_hf.scores.agreement import kendall_tau_b, spearman
from opens2v_hf.scores.resampling import interval_of

if TYPE_CHECKING:
    import pandas as pd

    from opens2v_hf.results.result import MetricResult

FEW_MODELS = 10
"""Below which an interval over models is somewhat too narrow."""

_LIMITS = 1.959963984540054  # of the normal distribution, 95 %
_STATISTICS = ("bias", "sd", "lower_limit", "upper_limit", "slope", "intercept", "spearman")


@dataclass(frozen=True)
class Pairing:
    """Comparison of the second judge with the first over some videos, in units of their scores.

    Attributes:
        num_videos: that both have scored.
        num_models: whose videos they are.
        bias: mean of B minus A.
        sd: standard deviation of B minus A (n - 1).
        lower_limit: bias - 1.96 sd: 95 % of the differences of single videos lie above it (Bland and Altman).
        upper_limit: bias + 1.96 sd.
        slope: of B over A by least squares; below 1 where B spreads less, and where A is noisy.
        intercept: of that line.
        spearman: rank correlation of the videos' scores.
    """

    num_videos: int
    num_models: int
    bias: Estimate
    sd: Estimate
    lower_limit: Estimate
    upper_limit: Estimate
    slope: Estimate
    intercept: Estimate
    spearman: Estimate


@dataclass(frozen=True)
class Verdict:
    """Whether B can replace A.

    Attributes:
        tolerance: largest bias that does not matter, in units of the scores.
        answer: "yes" where the intervals of the bias, overall and in each category, and every model's mean difference
            lie within the tolerance; "no" where one of them lies outside; "undecided" where the data do not decide it.
        reasons: what the answer rests on, a sentence each.
    """

    tolerance: float
    answer: str
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Bridge:
    """See the module.

    Attributes:
        a: the first judge, in words.
        b: the second one.
        overall: over all videos.
        kendall: tau-b of the videos' scores.
        by_category: category of the benchmark to the same over its videos; empty for items that are no ids of it.
        model_means: model to its mean by A and by B.
        model_rank: Spearman correlation of these means; None below three models.
        num_only_a: videos that only A has scored.
        num_only_b: only B.
        num_other_videos: pairs that are left out, because the file is another one.
        warnings: limits of the comparison, a sentence each.
        verdict: None where no tolerance was given.
    """

    a: str
    b: str
    overall: Pairing
    kendall: Estimate
    by_category: Mapping[str, Pairing]
    model_means: Mapping[str, tuple[float, float]]
    model_rank: float | None
    num_only_a: int
    num_only_b: int
    num_other_videos: int
    warnings: tuple[str, ...]
    verdict: Verdict | None = None

    def to_dict(self) -> dict[str, Any]:
        """A JSON-compatible dict of the attributes."""
        return asdict(self)


@dataclass(frozen=True)
class Side:
    """The scores of one judge.

    Attributes:
        name: of the judge, in words.
        scores: columns item, model, score, sha256 (of the video; empty where that is not known).
    """

    name: str
    scores: pd.DataFrame


@checked
def load_side(path: str | os.PathLike[str], column: str = "naturalscore", *, reduce: Reduce | None = None) -> Side:
    """Read the scores of one judge.

    Args:
        path: a result of `opens2v score`, a folder of results (one for each model), or a table (.csv, .parquet) with
            the columns item, model and `column`.
        column: the metric, or the column of the table.
        reduce: what to take of a cell of the table that holds several numbers.

    Raises:
        ResultError: a file is missing or malformed, lacks the column, scores a video twice, or results of different
            judges lie in one folder.
    """
    import pandas as pd

    if Path(path).suffix.lower() in (".csv", ".parquet"):
        return Side(f"{column} of {Path(path).name}", load_scores([path], column, reduce=reduce).assign(sha256=""))
    parts: list[pd.DataFrame] = []
    settings: dict[str, Path] = {}
    for file, result in read_results([path]):
        metric = result.metric(column)
        settings.setdefault(_setting(metric), file)
        digest_of = {video.id: video.sha256 for video in result.videos}
        rows = [
            (item, result.model, score.value, digest_of[item])
            for item, score in metric.scores.items()
            if score.value is not None
        ]
        parts.append(pd.DataFrame(rows, columns=[*KEYS, "score", "sha256"]))
    if len(settings) > 1:
        first, second = list(settings.values())[:2]
        raise ResultError(f"{first} and {second} were made with different judges or options; keep one kind in {path}")
    scores = pd.concat(parts, ignore_index=True)
    twice = scores.duplicated(KEYS)
    if twice.any():
        row = scores[twice].iloc[0]
        raise ResultError(f"{path} scores {row['item']!r} of {row['model']!r} more than once; leave one result out")
    return Side(_in_words(column, metric), scores)


@checked
def bridge(a: Side, b: Side, *, tolerance: float | None = None, resamples: int = RESAMPLES, seed: int = 0) -> Bridge:
    """Compare two judges over the videos that both have scored.

    Args:
        a: the judge to be replaced.
        b: the one that may replace it.
        tolerance: see `Verdict`; None for no verdict.
        resamples: of the bootstrap; 0 for no intervals.
        seed: of the bootstrap.

    Raises:
        ArgumentError: `tolerance` is not above 0, `resamples` is negative, or intervals are switched off for a verdict.
        ResultError: the two have fewer than two videos in common.
    """
    if tolerance is not None and not (math.isfinite(tolerance) and tolerance > 0):
        raise ArgumentError(f"tolerance must be a number above 0, in units of the scores (got {tolerance})")
    if resamples < 0 or (tolerance is not None and not resamples):
        raise ArgumentError(f"resamples must be at least 0, and above 0 for a verdict (got {resamples})")
    rows = a.scores.merge(b.scores, on=KEYS, suffixes=("_a", "_b"))
    num_common = len(rows)
    differs = (rows["sha256_a"] != rows["sha256_b"]) & (rows["sha256_a"] != "") & (rows["sha256_b"] != "")
    rows = rows[~differs].reset_index(drop=True)
    if len(rows) < 2:
        other = f"{int(differs.sum())} pairs are of different video files; " if differs.any() else ""
        raise ResultError(
            f"A and B have {len(rows)} videos in common, and at least 2 are needed: {other}A names {_examples(a)}, B "
            f"{_examples(b)}; item and model must be equal in both"
        )
    first, second = (rows[f"score_{side}"].to_numpy(float) for side in "ab")
    models = rows["model"].to_numpy(str)
    draw = _Bootstrap(resamples, seed)
    categories = [PAPER_CATEGORIES.get(category_of_id(item) or "") for item in rows["item"]]
    by_category = {
        name: draw.pairing(first[at], second[at], models[at])
        for name in dict.fromkeys(PAPER_CATEGORIES.values())
        if len(at := np.flatnonzero([category == name for category in categories])) > 1
    }
    means = {model: (float(first[models == model].mean()), float(second[models == model].mean())) for model in models}
    pairs = np.array(list(means.values()))
    found = Bridge(
        a=a.name,
        b=b.name,
        overall=draw.pairing(first, second, models),
        kendall=draw.kendall(first, second, models),
        by_category=by_category,
        model_means=means,
        model_rank=_number(spearman(*pairs.T)) if len(means) > 2 else None,
        num_only_a=len(a.scores) - num_common,
        num_only_b=len(b.scores) - num_common,
        num_other_videos=int(differs.sum()),
        warnings=tuple(_warnings(len(means))),
    )
    if tolerance is None:
        return found
    return Bridge(**{**vars(found), "verdict": _verdict(found, tolerance)})


def statistics(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Bias, its standard deviation, the limits of agreement, slope, intercept and Spearman's correlation.

    J. M. Bland, D. G. Altman, "Statistical methods for assessing agreement between two methods of clinical measurement"
    (1986).

    Args:
        a: float [N], finite.
        b: float [N], likewise.

    Returns:
        float64 [7]; NaN for what is not defined, as the slope over a constant `a`.

    Example:
        >>> statistics(np.array([1.0, 2.0, 3.0]), np.array([2.0, 3.0, 4.0])).tolist()
        [1.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    """
    difference = b - a
    bias = difference.mean()
    sd = difference.std(ddof=1) if len(a) > 1 else math.nan
    spread = ((a - a.mean()) ** 2).sum()
    slope = ((a - a.mean()) * (b - b.mean())).sum() / spread if spread > 0 else math.nan
    intercept = b.mean() - slope * a.mean()
    return np.array([bias, sd, bias - _LIMITS * sd, bias + _LIMITS * sd, slope, intercept, spearman(a, b)])


@dataclass(frozen=True)
class _Bootstrap:
    resamples: int
    seed: int

    def pairing(self, a: np.ndarray, b: np.ndarray, models: np.ndarray) -> Pairing:
        values = statistics(a, b)
        drawn = np.array([statistics(a[rows], b[rows]) for rows in self._rows(models)])
        estimates = {
            name: _estimate(values[index], drawn[:, index] if len(drawn) else drawn)
            for index, name in enumerate(_STATISTICS)
        }
        return Pairing(len(a), len(set(models)), **estimates)

    def kendall(self, a: np.ndarray, b: np.ndarray, models: np.ndarray) -> Estimate:
        counts = np.array([np.bincount(rows, minlength=len(a)) for rows in self._rows(models)], dtype=float)
        drawn = kendall_tau_b(a, b, counts) if len(counts) else np.empty(0)
        return _estimate(float(kendall_tau_b(a, b)[0]), drawn)

    def _rows(self, models: np.ndarray) -> list[np.ndarray]:
        """Row numbers of each resample."""
        clusters = np.unique(models, return_inverse=True)[1]
        if not clusters.any():  # one model
            clusters = np.arange(len(models))
        members = [np.flatnonzero(clusters == cluster) for cluster in range(int(clusters.max()) + 1)]
        generator = np.random.default_rng(self.seed)
        size = len(members)
        return [
            np.concatenate([members[index] for index in generator.integers(0, size, size=size)])
            for _ in range(self.resamples)
        ]


def _estimate(value: float, drawn: np.ndarray) -> Estimate:
    if math.isnan(value):
        return Estimate(None)
    return Estimate(float(value), *(interval_of(drawn[np.isfinite(drawn)]) or (None, None)))


def _verdict(found: Bridge, tolerance: float) -> Verdict:
    answers: list[str] = []
    reasons: list[str] = []
    for name, pairing in {"all videos": found.overall, **found.by_category}.items():
        low, high = pairing.bias.low, pairing.bias.high
        if low is None or high is None:
            answers.append("undecided")
            reasons.append(f"{name}: too few videos for an interval of the bias")
            continue
        inside, outside = -tolerance <= low and high <= tolerance, low > tolerance or high < -tolerance
        answers.append("yes" if inside else "no" if outside else "undecided")
        how = {"yes": "lies within", "no": "lies outside", "undecided": "reaches beyond"}[answers[-1]]
        reasons.append(f"{name}: the bias, {low:+.3f} to {high:+.3f}, {how} ±{tolerance:g}")
    worst, (by_a, by_b) = max(found.model_means.items(), key=lambda item: abs(item[1][1] - item[1][0]))
    gap = by_b - by_a
    answers.append("yes" if abs(gap) <= tolerance else "no")
    how = "within" if abs(gap) <= tolerance else "beyond"
    reasons.append(f"models: the mean of {worst} differs most, by {gap:+.3f}, {how} ±{tolerance:g}")
    answer = "no" if "no" in answers else "undecided" if "undecided" in answers else "yes"
    return Verdict(tolerance, answer, tuple(reasons))


def _warnings(num_models: int) -> list[str]:
    if num_models == 1:
        return ["all videos are of one model: nothing is said about others, and intervals are over its videos"]
    if num_models < FEW_MODELS:
        return [f"the intervals rest on {num_models} models, and are somewhat too narrow"]
    return []


def _setting(metric: MetricResult) -> str:
    """The identity of a judge: everything that affects its scores, wherever it ran."""
    judge = metric.options.get("judge")
    asked = {name: value for name, value in judge.items() if name != "url"} if isinstance(judge, Mapping) else judge
    models = [(model.role, model.name, model.revision, model.quantization, model.engine) for model in metric.models]
    return repr((models, sorted({**metric.options, "judge": asked}.items(), key=lambda item: item[0])))


def _in_words(column: str, metric: MetricResult) -> str:
    models = ", ".join(f"{m.name}@{m.revision[:12]}" if m.revision else m.name for m in metric.models)
    edition = metric.options.get("edition")
    return f"{column} by {models or 'no model'}" + (f" ({edition})" if edition else "")


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


def _examples(side: Side) -> str:
    return "nothing" if not len(side.scores) else " of ".join(repr(str(side.scores[key].iloc[0])) for key in KEYS)
