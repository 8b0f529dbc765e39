"""What a submission may not do to those that are there already."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from opens2v_hf.hub.results.record import Submission
from opens2v_hf.hub.results.validation.names import look
from opens2v_hf.hub.results.validation.problem import Problem, shown


def existing_problems(submission: Submission, existing: Sequence[Submission]) -> Iterator[Problem]:
    """Rows of others that it would add to, names that it could be taken for, and results that are there already."""
    appearance = look(submission.model)
    told: set[str] = set()
    for other in existing:
        for problem in _against(submission, appearance, other):
            if problem.code not in told:
                told.add(problem.code)
                yield problem


def author_problems(submission: Submission, authors: Collection[str]) -> Iterator[Problem]:
    """Whether the submission is of who sent it: one of their names on the Hub, their own or their organisations'."""
    if submission.submitted_by.casefold() not in {name.casefold() for name in authors}:
        what = f"{shown(submission.submitted_by)} is not who sent it ({', '.join(shown(name) for name in authors)})"
        yield Problem("not_the_sender", "submitted_by", what, "submit under your own name on the Hub")


def _against(submission: Submission, appearance: str, other: Submission) -> Iterator[Problem]:
    owned = submission.submitted_by.casefold() == other.submitted_by.casefold()
    if submission.model == other.model:
        if not owned:
            what = f"{shown(other.model)} belongs to {shown(other.submitted_by)}, who submitted it first"
            yield Problem("not_the_owner", "model", what, "ask its owner, or give your evaluation a name of its own")
    elif look(other.model) == appearance:
        what = f"{shown(submission.model)} looks like {shown(other.model)}, which is there already"
        yield Problem("look_alike", "model", what, "choose a name that cannot be mistaken, or write it as it is there")
    if submission.model_id and submission.model_id.casefold() == other.model_id.casefold() and not owned:
        what = f"{shown(submission.model_id)} belongs to {shown(other.submitted_by)}"
        yield Problem("not_the_owner", "model_id", what, "leave it empty, or ask its owner")
    if _result(submission) == _result(other):
        what = f"the same result of {shown(other.model)} is there already ({other.path})"
        yield Problem("duplicate", "", what, "nothing needs to be done")
    elif submission.per_video and submission.per_video == other.per_video and submission.model != other.model:
        what = f"the per-video values are those of {shown(other.model)}"
        yield Problem("copied_values", "per_video", what, "submit the values of this model's own videos")


def _result(submission: Submission) -> tuple[object, ...]:
    return (
        look(submission.model), submission.split, submission.version, submission.scoring,
        round(submission.total, 9), {name: round(value, 9) for name, value in submission.columns.items()},
    )  # fmt: skip
