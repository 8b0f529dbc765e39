"""Checks of a submission against the existing ones: ownership, repetition, copies."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import numpy as np
import pandas as pd

from opens2v_hf.leaderboard.submissions.record import Submission
from opens2v_hf.leaderboard.submissions.validation.names import confusable_key
from opens2v_hf.results.problem import Problem, shown
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
video of the model has are counted: ratings in whole steps and ends of a range are often equal by chance."""

DECIMALS = 6


def against_existing(one: Submission, *, existing: Sequence[Submission]) -> Iterator[Problem]:
    """Rows of others that it would add to, names that it could be taken for, and results that are there already."""
    reported: set[tuple[str, str]] = set()
    for other in existing:
        for problem in _against(one, other):
            key = (problem.code, confusable_key(other.model) if problem.notice else "")
            if key not in reported:
                reported.add(key)
                yield problem


def sender(one: Submission, *, authors: Collection[str] | None) -> Iterator[Problem]:
    """Whether the submission is of who sent it: one of their names on the Hub, their own or their organisations'."""
    if authors is not None and one.submitted_by.casefold() not in {name.casefold() for name in authors}:
        what = f"{shown(one.submitted_by)} is not who sent it ({', '.join(shown(name) for name in authors)})"
        yield Problem("not_the_sender", "submitted_by", what, "submit under your own name on the Hub")


def _against(one: Submission, other: Submission) -> Iterator[Problem]:
    owned = one.submitted_by.casefold() == other.submitted_by.casefold()
    same_key = confusable_key(one.model) == confusable_key(other.model)
    if one.model == other.model:
        if not owned:
            what = f"{shown(other.model)} belongs to {shown(other.submitted_by)}, who submitted it first"
            yield Problem("not_the_owner", "model", what, "ask its owner, or give your evaluation a name of its own")
    elif same_key:
        what = f"{shown(one.model)} looks like {shown(other.model)}, which is already in the dataset"
        yield Problem("look_alike", "model", what, "choose a name that cannot be mistaken, or write it as it is there")
    if one.model_id and one.model_id.casefold() == other.model_id.casefold() and not owned:
        what = f"{shown(one.model_id)} belongs to {shown(other.submitted_by)}"
        yield Problem("not_the_owner", "model_id", what, "leave it empty, or ask its owner")
    if _result(one) == _result(other):
        what = f"the same result of {shown(other.model)} is there already ({other.path})"
        yield Problem("duplicate", "", what, "nothing needs to be done")
    elif one.model != other.model and one.videos and one.per_video == other.per_video:
        what = f"the per-video values are those of {shown(other.model)}"
        yield Problem("copied_values", "per_video", what, "submit the values of this model's own videos")
    elif not same_key and (signs := copy_signs(one, other)):
        what = f"looks like a copy of {shown(other.model)} of {shown(other.submitted_by)} ({'; '.join(signs)})"
        remedy = "a person should compare the videos of both before this is merged"
        yield Problem("looks_copied", "per_video", what, remedy, notice=True)


def _result(one: Submission) -> tuple[object, ...]:
    return (
        confusable_key(one.model), one.split, one.version, one.scoring,
        round(one.total, 9), {name: round(value, 9) for name, value in one.columns.items()},
    )  # fmt: skip


def copy_signs(one: Submission, other: Submission) -> list[str]:
    """Columns whose per-video values one of two submissions may have from the other, with what they have in common.

    The samples that both have are compared, so that a copy to another split is found as well. Values that were all
    shifted, scaled or reversed keep their correlation; if some were changed or are of a third model, others are the
    same; values that were given to other videos keep their distribution.

    Args:
        one: a submission.
        other: another.
    """
    common = [sample_id for sample_id in one.per_video if sample_id in other.per_video]
    signs = []
    for name in COLUMNS:
        both = [i for i in common if name in one.per_video[i] and name in other.per_video[i]]
        first = np.array([one.per_video[i][name] for i in both])
        second = np.array([other.per_video[i][name] for i in both])
        if len(both) < FEWEST_VIDEOS or min(len(np.unique(v)) for v in (first, second)) < FEWEST_VALUES:
            continue
        with np.errstate(all="ignore"):  # values beyond a metric's range are refused elsewhere
            rank, linear, distribution = (
                float(np.corrcoef(a, b)[0, 1])
                for a, b in ((_ranks(first), _ranks(second)), (first, second), (np.sort(first), np.sort(second)))
            )
        same_video = np.mean(_is_rare(first) & (np.abs(first - second) < 0.5 * 10.0**-DECIMALS))
        share = len(np.intersect1d(_rare(first), _rare(second))) / len(both)
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
    return signs


def _is_rare(values: np.ndarray) -> np.ndarray:
    return ~pd.Series(values).round(DECIMALS).duplicated(keep=False).to_numpy()


def _rare(values: np.ndarray) -> np.ndarray:
    return values[_is_rare(values)].round(DECIMALS)


def _ranks(values: np.ndarray) -> np.ndarray:
    return pd.Series(values).rank().to_numpy()
