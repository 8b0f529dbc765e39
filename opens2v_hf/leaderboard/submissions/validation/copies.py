"""Signs that per-video values are those of other submissions, changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from opens2v_hf.leaderboard.submissions.record import Submission
from opens2v_hf.leaderboard.submissions.validation.names import confusable_key
from opens2v_hf.scores.agreement import mean_ranks
from opens2v_hf.scores.scorecard import COLUMNS

FEWEST_VIDEOS = 20
FEWEST_VALUES = 10
"""Different ones: over fewer, as when almost every video is perfectly smooth, a correlation says nothing."""

COPIED_CORRELATION = 0.98
"""Of the videos of two models over the same prompts. Prompts that are hard for both make values go along with each
other, but not so closely."""

COPIED_DISTRIBUTION = 0.9999
"""Correlation of the sorted values, which a copy keeps if its values are given to other videos and changed a little."""

COPIED_SHARE = 0.5
SAME_VIDEO_SHARE = 0.2
"""Share of values that are the same to `DECIMALS` for any videos, and for the same video. Only values that no other
video of one of the two models has are counted, and each once: ratings in whole steps and ends of a range are often
equal by chance."""

DECIMALS = 6

COPIED_RANKS = 0.5
"""Share of videos that have the same ranks as any video of the other, in all columns that every video has. Whole videos
that change places keep them, whatever rising curve the values of a column go through. Of honest models, by CLIP-I and
DINO (four over 150 prompts, three over 102), it is 0.014 at most."""

DISTINCT = 0.8
"""Share of different values below which a column says nothing about that."""

HONEST_CORRELATION = 0.66
"""Largest rank correlation of two models over 102 to 273 prompts, of fourteen models by six measures (CLIP-I, DINO and
mean ratings of ImagenHub and Video-Bench): of DreamBooth and the same with LoRA, by CLIP-I. Without what all models
share it is 0.56."""

STANDARD_ERRORS = 4.0
"""By which a correlation must be above it, so that few videos prove nothing."""

FEWEST_OTHERS = 2
"""Further models that say how hard a prompt is."""

BLENDED_SHARE = 0.9
"""Share of the variance that follows from up to `MOST_BLENDED` others; at most 0.46 from all others together in that
data."""

FEWEST_COLUMNS = 2
"""In which a copy with noise or a blend must show: whole models are copied, and by chance two do not agree."""

MOST_BLENDED = 3
SMALLEST_PART = 0.01
"""Of the variance, that a further one of them adds."""

MOST_MISSING = 0.2
"""Share of the videos that another submission may lack."""

FEWEST_BLENDED_VIDEOS = 50

_FARTHEST = 1e6
"""Bound of the values that are compared: those beyond a metric's range are refused elsewhere, and some overflow."""


@dataclass(frozen=True)
class Derived:
    """Submissions that one may have been computed from.

    Attributes:
        originals: one for a copy with changed values, several for a blend.
        signs: what they have in common, by column.
    """

    originals: tuple[Submission, ...]
    signs: tuple[str, ...]


def copy_signs(one: Submission, other: Submission) -> list[str]:
    """Columns whose per-video values one of two submissions may have from the other, with what they have in common.

    The samples that both have are compared, so that a copy to another split is found as well. Values that were all
    shifted, scaled or reversed keep their correlation; if some were changed or are of a third model, others are the
    same; values that were given to other videos keep their distribution, and if they were changed as well, the ranks
    that a video has in several columns.
    """
    common = [sample_id for sample_id in one.per_video if sample_id in other.per_video]
    signs = []
    for name in COLUMNS:
        both = [i for i in common if name in one.per_video[i] and name in other.per_video[i]]
        first = _bounded([one.per_video[i][name] for i in both])
        second = _bounded([other.per_video[i][name] for i in both])
        if len(both) < FEWEST_VIDEOS or min(len(np.unique(v)) for v in (first, second)) < FEWEST_VALUES:
            continue
        with np.errstate(all="ignore"):  # NaN is refused elsewhere
            rank, linear = _correlation(mean_ranks(first), mean_ranks(second)), _correlation(first, second)
            # also of values that were all reversed before they were given to other videos
            distribution = max(_correlation(np.sort(first), np.sort(each)) for each in (second, -second))
        is_rare = _is_rare(first) | _is_rare(second)
        same_video = np.mean(is_rare & (np.abs(first - second) < 0.5 * 10.0**-DECIMALS))
        share = max(_common(first, second), _common(second, first)) / len(both)
        if (
            max(abs(rank), abs(linear)) >= COPIED_CORRELATION
            or distribution >= COPIED_DISTRIBUTION
            or same_video >= SAME_VIDEO_SHARE
            or share >= COPIED_SHARE
        ):
            signs.append(
                f"{name}: rank correlation {rank:.3f}, linear {linear:.3f}, of the sorted values {distribution:.5f}, "
                f"{max(share, same_video):.0%} the same"
            )
    if not signs:
        share, names = same_ranks(one, other, common)
        if share >= COPIED_RANKS:
            signs.append(f"{share:.0%} of the videos have the ranks of other videos in all of {', '.join(names)}")
    return signs


def same_ranks(one: Submission, other: Submission, ids: Sequence[str]) -> tuple[float, list[str]]:
    """The share of videos whose ranks in several columns are those of any video of the other, and the columns."""
    tables: list[list[np.ndarray]] = [[], []]
    names = []
    for name in COLUMNS:
        both = [[each.per_video[i].get(name, np.nan) for i in ids] for each in (one, other)]
        if all(len(np.unique(v)) >= DISTINCT * len(v) and np.isfinite(v).all() for v in both):
            names.append(name)
            for table, values in zip(tables, both, strict=True):
                table.append(mean_ranks(_bounded(values)))
    if len(ids) < FEWEST_VIDEOS or len(names) < FEWEST_COLUMNS:
        return 0.0, []
    first, second = (list(map(tuple, np.transpose(table).tolist())) for table in tables)
    known = set(second)
    return sum(row in known for row in first) / len(first), names


def derived_from(one: Submission, others: Sequence[Submission]) -> Iterator[Derived]:
    """Submissions that one may be a copy of with noise on its values, or a blend of.

    Prompts that are hard for all models make honest values go along with each other. So what the other models have in
    common is removed from the ranks before two are compared; for blends, the values are regressed on those of the
    others, of which the best are chosen one after another.
    """
    latest = list({confusable_key(other.model): other for other in others if other.videos}.values())
    found: dict[tuple[int, ...], list[str]] = {}
    for name in COLUMNS:
        ids = [sample_id for sample_id, values in one.per_video.items() if name in values]
        values = _bounded([one.per_video[i][name] for i in ids])
        if len(ids) < FEWEST_VIDEOS or len(np.unique(values)) < FEWEST_VALUES:
            continue
        numbers, table = _values_of(latest, name, ids)
        blend, share = _blend(values, table)
        if share >= BLENDED_SHARE:
            key = tuple(sorted(numbers[position] for position in blend))
            found.setdefault(key, []).append(f"{name}: {share:.0%} of the variance follows from them")
            continue
        for position, correlation in _alike(values, table):
            sign = f"{name}: correlation {correlation:.2f} without what all share"
            found.setdefault((numbers[position],), []).append(sign)
    for originals, signs in found.items():
        if len(signs) >= FEWEST_COLUMNS:
            yield Derived(tuple(latest[number] for number in originals), tuple(signs))


def _values_of(others: Sequence[Submission], name: str, ids: Sequence[str]) -> tuple[list[int], np.ndarray]:
    """Numbers of those that have nearly all videos, and a column of values for each; the mean where one is missing."""
    numbers, columns = [], []
    for number, other in enumerate(others):
        values = _bounded([other.per_video.get(i, {}).get(name, np.nan) for i in ids])
        is_missing = np.isnan(values)
        if is_missing.mean() <= MOST_MISSING and len(np.unique(values[~is_missing])) >= FEWEST_VALUES:
            columns.append(np.where(is_missing, values[~is_missing].mean(), values))
            numbers.append(number)
    return numbers, np.array(columns).reshape(len(numbers), len(ids)).T


def _bounded(values: Sequence[float]) -> np.ndarray:
    return np.clip(np.array(values, dtype=float), -_FARTHEST, _FARTHEST)


def _alike(values: np.ndarray, table: np.ndarray) -> Iterator[tuple[int, float]]:
    """Positions of the columns that go along with the values more than honest ones would, and the correlation."""
    if table.shape[1] <= FEWEST_OTHERS:
        return
    bound = np.tanh(np.arctanh(HONEST_CORRELATION) + STANDARD_ERRORS / np.sqrt(len(values) - 3))
    ranks = _standardised(np.apply_along_axis(mean_ranks, 0, table))
    own = _standardised(mean_ranks(values))
    everyone = ranks.sum(axis=1)
    for position in range(ranks.shape[1]):
        shared = (everyone - ranks[:, position])[:, None]
        first, second = (_residuals(each, shared) for each in (own, ranks[:, position]))
        correlation = _correlation(first, second)
        if abs(correlation) >= bound:
            yield position, correlation


def _blend(values: np.ndarray, table: np.ndarray) -> tuple[list[int], float]:
    """Positions of two or more columns, chosen one after another, and the share of the values that follows from them.

    The share is of what is left of the variance without what the others of the table have in common; 0 if there is no
    such blend.
    """
    own, columns = _standardised(values), _standardised(table)
    chosen: list[int] = []
    for _ in range(min(MOST_BLENDED, columns.shape[1])):
        left = own if not chosen else _residuals(own, columns[:, chosen])
        rest = columns if not chosen else _residuals(columns, columns[:, chosen])
        norms = np.linalg.norm(rest, axis=0)
        gains = np.abs(left @ rest) / np.maximum(norms, 1e-6 * np.sqrt(len(own)))
        best = int(gains.argmax())
        if gains[best] ** 2 < SMALLEST_PART * len(own):
            break
        chosen.append(best)
    others = [position for position in range(columns.shape[1]) if position not in chosen]
    if len(own) < FEWEST_BLENDED_VIDEOS or len(chosen) < 2 or len(others) < FEWEST_OTHERS:
        return [], 0.0
    shared = columns[:, others].mean(axis=1)[:, None]
    before = _residuals(own, shared).var() / (len(own) - 2)
    after = _residuals(own, np.hstack([shared, columns[:, chosen]])).var() / (len(own) - 2 - len(chosen))
    return chosen, float(1 - after / before)


def _residuals(values: np.ndarray, predictors: np.ndarray) -> np.ndarray:
    """What a linear regression on standardised predictors leaves of standardised values."""
    return values - predictors @ np.linalg.lstsq(predictors, values, rcond=None)[0]


def _standardised(values: np.ndarray) -> np.ndarray:
    return (values - values.mean(axis=0)) / values.std(axis=0)


def _correlation(first: np.ndarray, second: np.ndarray) -> float:
    first, second = first - first.mean(), second - second.mean()
    return float(first @ second / np.sqrt((first @ first) * (second @ second)))


def _is_rare(values: np.ndarray) -> np.ndarray:
    _, positions, counts = np.unique(values.round(DECIMALS), return_inverse=True, return_counts=True)
    return counts[positions] == 1


def _common(first: np.ndarray, second: np.ndarray) -> int:
    """How many values of which the first has one are in the second, there also several times."""
    return len(np.intersect1d(first[_is_rare(first)].round(DECIMALS), second.round(DECIMALS)))
