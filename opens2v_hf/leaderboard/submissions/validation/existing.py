"""Checks of a submission against the existing ones: ownership, repetition, copies."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from opens2v_hf.leaderboard.submissions.record import Submission
from opens2v_hf.leaderboard.submissions.validation.copies import copy_signs, derived_from
from opens2v_hf.leaderboard.submissions.validation.names import confusable_key
from opens2v_hf.results.problem import Problem, shown

COMPARE = "a person should compare the videos of both before this is merged"


def against_existing(one: Submission, *, existing: Sequence[Submission]) -> Iterator[Problem]:
    """Rows of others that it would add to, names that it could be taken for, and results that are there already."""
    reported: set[tuple[str, str]] = set()
    for other in existing:
        for problem in _against(one, other):
            key = (problem.code, confusable_key(other.model) if problem.notice else "")
            if key not in reported:
                reported.add(key)
                yield problem
    others = [other for other in existing if confusable_key(other.model) != confusable_key(one.model)]
    if not any(code in ("copied_values", "duplicate", "looks_copied") for code, _ in reported):
        yield from _derived(one, others)


def _derived(one: Submission, others: Sequence[Submission]) -> Iterator[Problem]:
    """Of copies that only a comparison with all the others shows."""
    for copied in derived_from(one, others):
        names = " and ".join(f"{shown(other.model)} of {shown(other.submitted_by)}" for other in copied.originals)
        what = (
            f"looks like a {'copy' if len(copied.originals) == 1 else 'blend'} of {names} ({'; '.join(copied.signs)})"
        )
        yield Problem("looks_copied", "per_video", what, COMPARE, notice=True)


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
        yield Problem("looks_copied", "per_video", what, COMPARE, notice=True)


def _result(one: Submission) -> tuple[object, ...]:
    return (
        confusable_key(one.model), one.split, one.version, one.scoring,
        round(one.total, 9), {name: round(value, 9) for name, value in one.columns.items()},
    )  # fmt: skip
