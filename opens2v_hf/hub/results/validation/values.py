"""Whether the numbers of a submission follow from each other."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from opens2v_hf.data.eval_ids import applicable_ids, split_ids
from opens2v_hf.data.eval_rules import GENERAL_METRICS
from opens2v_hf.hub.results.record import Submission
from opens2v_hf.hub.results.validation.problem import Problem, shown
from opens2v_hf.scores.scorecard import COLUMNS, RELEASED, STRICT, counted_value, scorecard, total_of, weights

TOTAL_TOLERANCE = 0.0002
"""0.02 points: as far as published totals are from what their rounded columns give."""

COLUMN_TOLERANCE = 1e-6

RAW_RANGES: Mapping[str, tuple[float, float]] = {
    "nexusscore": (-1.0, 1.0),
    "naturalscore": (1.0, 5.0),
    "gmescore": (-1.0, 1.0),
    "aesthetics": (-10.0, 20.0),
    "motion_amplitude": (-1000.0, 1000.0),
    "motion_smoothness": (0.0, 1.0),
    "facesim_cur": (0.0, 1.0),
}
"""What a metric can give for one video: cosines, ratings, shares; for the LAION head and the flow, generous bounds."""

RELEASED_SHARE = 0.5
"""Released scoring leaves out videos in which no subject or no face is found. A column that leaves out more than half
of the videos that it applies to says little of the benchmark: who keeps the best few alone would lead it."""

_FEW = 3


def column_problems(submission: Submission) -> Iterator[Problem]:
    """Columns that are missing, too many or out of range, and a total that does not follow from them."""
    needed = weights(submission.version, submission.split)
    known = weights("v1.1", submission.split)
    sound = True
    for name in needed:
        if name not in submission.columns:
            sound = False
            yield Problem("column_missing", f"columns.{name}", "has no value", "score the split with all metrics")
    for name, value in submission.columns.items():
        if name not in known:
            what = f"{submission.split} has no such column"
            yield Problem("column_unknown", f"columns.{name}", what, "leave it null")
        elif not (math.isfinite(value) and 0.0 <= value <= 1.0):
            sound = False
            what = f"{shown(value)} lies outside 0..1"
            yield Problem("out_of_range", f"columns.{name}", what, "give the normalised value, not percent or raw")
    if not (math.isfinite(submission.total) and 0.0 <= submission.total <= 1.0):
        yield Problem("out_of_range", "total", f"{shown(submission.total)} lies outside 0..1", "give it in 0..1")
    elif sound:
        expected = total_of(submission.columns, submission.split, submission.version)
        if abs(expected - submission.total) > TOTAL_TOLERANCE:
            what = f"is {submission.total:.4f}, and the columns give {expected:.4f}"
            yield Problem("total_mismatch", "total", what, "give the weighted sum of the columns")
    for name, count in submission.num_videos.items():
        most = len(applicable_ids(name, submission.split))
        if not 0 <= count <= most:
            what = f"{shown(count)} lies outside 0..{most}"
            yield Problem("out_of_range", f"num_videos.{name}", what, "count the videos that the column rests on")


def id_problems(record: Mapping[str, Any], split: str) -> Iterator[Problem]:
    """Ids of per-video values that are missing, unknown or there more than once."""
    expected = set(split_ids(split))
    counts = Counter(entry["id"] for entry in record["per_video"])
    for code, ids, what, remedy in (
        ("ids_missing", expected - set(counts), "lack samples of the split", "score all of them"),
        ("ids_unknown", set(counts) - expected, "name samples that the split does not have", "remove them"),
        ("ids_duplicate", {i for i, n in counts.items() if n > 1}, "name samples twice", "give each once"),
    ):
        if ids:
            first = ", ".join(shown(sample_id) for sample_id in sorted(ids)[:_FEW])
            yield Problem(code, "per_video", f"{what}: {first}, {len(ids)} in all", remedy)


def released_gaps(submission: Submission) -> dict[str, tuple[int, int]]:
    """Columns whose released mean would leave out videos that it may not leave out.

    A metric that applies to every sample needs a value for all of them; NexusScore and FaceSim count for at least
    `RELEASED_SHARE` of theirs.

    Args:
        submission: with per-video values.

    Returns:
        Column to how many videos do not count in it, and to how many it applies.
    """
    gaps = {}
    for name in weights("v1.1", submission.split):
        ids = applicable_ids(name, submission.split)
        needed = len(ids) if name in GENERAL_METRICS else RELEASED_SHARE * len(ids)
        counted = sum(_counts(name, submission.per_video.get(i, {}).get(name)) for i in ids)
        if counted < needed:
            gaps[name] = len(ids) - counted, len(ids)
    return gaps


def _counts(name: str, value: float | None) -> bool:
    return value is not None and counted_value(name, value, RELEASED) is not None


def per_video_problems(submission: Submission) -> Iterator[Problem]:
    """Raw values that cannot be, and columns that do not follow from them.

    The ids must have been found right, see `id_problems`, and the columns, see `column_problems`.
    """
    sound = True
    applies = {name: applicable_ids(name, submission.split) for name in COLUMNS}
    for name in COLUMNS:
        low, high = RAW_RANGES[name]
        values = {i: given[name] for i, given in submission.per_video.items() if name in given}
        wrong = [i for i, value in values.items() if not (math.isfinite(value) and low <= value <= high)]
        stray = [i for i in values if i not in applies[name]]
        if wrong:
            sound = False
            what = f"{shown(values[wrong[0]])} lies outside {low:g}..{high:g}, {len(wrong)} such values"
            yield Problem("out_of_range", f"per_video[{wrong[0]}].{name}", what, "give the metric's raw value")
        if stray:
            sound = False
            what = f"has a value where {name} does not apply, {len(stray)} such values"
            yield Problem("not_applicable", f"per_video[{stray[0]}].{name}", what, "leave it null")
    if submission.scoring != STRICT:
        for name, (num_without, num_applicable) in released_gaps(submission).items():
            what = f"{num_without} of {num_applicable} videos have no value that counts"
            yield Problem("values_missing", f"per_video.{name}", what, "score them, or submit strict scoring")
    if not sound:
        return
    values_of = {
        name: {i: submission.per_video[i].get(name) for i in sorted(ids)}
        for name, ids in applies.items()
        if ids and name in submission.columns
    }
    card = scorecard(
        values_of,
        split=submission.split,
        category_of=split_ids(submission.split),
        version=submission.version,
        scoring=submission.scoring,
        applicable={name: applies[name] for name in values_of},
        num_resamples=0,
    )
    for name, column in card.columns.items():
        given = submission.columns.get(name)
        if given is None:
            continue
        if column.normalised is None or abs(column.normalised - given) > COLUMN_TOLERANCE:
            derived = "no value" if column.normalised is None else f"{column.normalised:.6f}"
            what = f"is {given:.6f}, and the per-video values give {derived}"
            yield Problem("column_mismatch", f"columns.{name}", what, "give the mean of the per-video values")
        elif submission.num_videos.get(name) != column.num_videos:
            what = f"is {shown(submission.num_videos.get(name))}, and the per-video values give {column.num_videos}"
            yield Problem("count_mismatch", f"num_videos.{name}", what, "count the videos that the column rests on")
