"""Reading the stored answers of a judge again: the scores that this version reads from them, without a new call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from opens2v_hf._util.argument_types import checked
from opens2v_hf.errors import JudgeError, ResultError
from opens2v_hf.jobs.journal_files import Record, change_records
from opens2v_hf.jobs.lock import only_run
from opens2v_hf.jobs.outcome import Outcome, plain
from opens2v_hf.results.result import RunResult
from opens2v_hf.scores.natural import mean_of_runs, reread_run
from opens2v_hf.scores.outcome import Status, VideoScore

METRIC = "naturalscore"

_WITH_SCORE = ("unit", "retried")
"""Kinds of records of a journal that hold the score of a video."""

_SAME = 1e-9  # probabilities went through JSON; a score differs from another one by far more


@dataclass(frozen=True)
class Change:
    """A video whose score changes.

    Attributes:
        id: of the sample.
        before: score in the result; None where there was none.
        after: score that is read now; None where the answers are no score.
        reason: why there is no score now; empty where there is one.
    """

    id: str
    before: float | None
    after: float | None
    reason: str = ""


@dataclass(frozen=True)
class Rejudged:
    """The outcome of reading the answers again.

    Attributes:
        result: with the new scores.
        changes: the videos whose score changed.
        num_read: videos with stored answers.
        num_without: videos of the metric that have none, e.g. because the judge never answered; they stay as before.
    """

    result: RunResult
    changes: tuple[Change, ...]
    num_read: int
    num_without: int

    def to_dict(self) -> dict[str, Any]:
        """A JSON-compatible dict of all but the result."""
        return {
            "changes": [vars(change) for change in self.changes],
            "num_read": self.num_read,
            "num_without": self.num_without,
        }


@checked
def rejudge(result: RunResult) -> Rejudged:
    """Read the stored answers of a result's NaturalScore again.

    Args:
        result: of a scoring run; it is left as it is.

    Raises:
        ResultError: it holds no NaturalScore, or none with stored answers.
    """
    metric = result.metric(METRIC)
    allow_partial = metric.options.get("allow_partial") is True
    judge = metric.options.get("judge")
    bound = judge.get("min_digit_mass") if isinstance(judge, Mapping) else None
    min_digit_mass = float(bound) if isinstance(bound, int | float) else 0.0
    stored = {sample_id: runs for sample_id, score in metric.scores.items() if (runs := list(_runs(score)))}
    if not stored:
        raise ResultError(f"the {METRIC} of {result.model!r} holds no answers of a judge; score the videos again")
    scores, changes = dict(metric.scores), []
    for sample_id, runs in stored.items():
        before = scores[sample_id]
        after = _read_again(before, runs, allow_partial=allow_partial, min_digit_mass=min_digit_mass)
        if _differs(before.value, after.value):
            scores[sample_id] = after
            changes.append(Change(sample_id, before.value, after.value, after.reason if after.value is None else ""))
    metrics = tuple(replace(one, scores=scores) if one is metric else one for one in result.metrics)
    asked = [score for score in metric.scores.values() if score.status != "not_applicable"]
    return Rejudged(replace(result, metrics=metrics), tuple(changes), len(stored), len(asked) - len(stored))


@checked
def update_journal(journal: Path, before: RunResult, after: RunResult) -> int:
    """Replace changed scores in the journal of a run, so that a later run does not bring the old ones back.

    A later run takes a video that failed and has a score now from the journal, too, also of a judge behind an endpoint:
    its answer is paid for. One that still has no score is requested again.

    Returns:
        The number of scores that were replaced.

    Raises:
        ResultError: another run is writing to the journal, or it cannot be read or written.
    """
    old, new = (result.metric(METRIC).scores for result in (before, after))
    changed = {sample_id: score for sample_id, score in new.items() if score is not old[sample_id]}

    def updated(record: Record) -> Record:
        score = changed.get(record.about.get("id", ""))
        if score is None or record.kind not in _WITH_SCORE or record.about.get("metric") != METRIC:
            return record
        if record.value["value"] != plain(old[record.about["id"]].to_dict()):  # of other settings or another video
            return record
        failed = score.status is Status.FAILED
        outcome = Outcome(plain(score.to_dict()), score.reason if failed else "")
        return replace(record, kind=record.kind if failed else "unit", value=outcome.to_dict())

    with only_run(journal):
        return change_records(journal, updated)


def _runs(score: VideoScore) -> Iterator[Mapping[str, Any]]:
    runs = score.details.get("runs")
    for run in runs if isinstance(runs, list) else ():
        if isinstance(run, Mapping):
            yield run


def _read_again(
    score: VideoScore, runs: list[Mapping[str, Any]], *, allow_partial: bool, min_digit_mass: float
) -> VideoScore:
    values: list[float | None] = []
    read_runs: list[dict[str, Any]] = []
    errors: list[str] = []
    for run in runs:
        kept = {name: value for name, value in run.items() if name not in ("score", "error")}
        try:
            values.append(reread_run(run, min_digit_mass=min_digit_mass))
            read_runs.append({"score": values[-1], **kept})
        except JudgeError as error:
            values.append(None)
            errors.append(str(error))
            read_runs.append({"score": None, **kept, "error": str(error)})
    details = {**score.details, "runs": read_runs}
    try:
        value = mean_of_runs(values, allow_partial=allow_partial)
    except JudgeError as error:
        return VideoScore.failed("; ".join(dict.fromkeys([str(error), *errors])), **details)
    remarks = [f"a run is left out: {error}" for error in dict.fromkeys(errors)]
    return VideoScore.scored(value, "; ".join(remarks), **details)


def _differs(before: float | None, after: float | None) -> bool:
    if before is None or after is None:
        return before is not after
    return abs(before - after) > _SAME
