"""NaturalScore: how real a video looks to a judge, on five levels.

A judge answers with an integer from 1 (definitely AI-generated) to 5 (definitely real). The released code (v1.1) asks
it three times and averages; a local model's answer is instead the expectation over the five digits of its next-token
probabilities, which is the same every time. Only numbers and texts here: no model, no file.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from opens2v_hf._util.argument_types import checked
from opens2v_hf._util.numbers import is_whole
from opens2v_hf.errors import JudgeError

LEVELS = (1, 2, 3, 4, 5)
"""Answers of a judge, from definitely AI-generated to definitely real."""

_LABEL = r"(?:(?:the|my|final|overall|naturalness|realism)\s+)*(?:score|rating)\s*(?::|=|-(?=\s)|is\b)?\s*"
_SHORT = re.compile(r"([0-9]+)(?:\s*/\s*5|\s+out\s+of\s+5)?\s*\.?", re.IGNORECASE)
_LABELLED = re.compile(_LABEL + _SHORT.pattern, re.IGNORECASE)
_LIST_NUMBER = re.compile(r"[0-9]+\s*\.")
_NUMBER_WORD = re.compile(r"\b(?:zero|two|three|four|five|six|seven|eight|nine|ten|half)\b", re.IGNORECASE)
_HEADING = re.compile(r"^#{1,6}\s+")
_DECORATION = str.maketrans("", "", "*_`\"'“”‘’")
_FENCE = re.compile(r"```[A-Za-z]*")
_THOUGHTS_END = re.compile(r"</(?:think|thinking|thought|reasoning)>", re.IGNORECASE)
_THOUGHTS_START = re.compile(r"<(?:think|thinking|thought|reasoning)>", re.IGNORECASE)
_MAX_REPLY_CHARS = 4_000


@checked
def read_score(reply: str) -> int:
    r"""Read the score that a judge's reply states, or refuse.

    What a model thought before it answered (`<think>...</think>`) does not count. A reply is a score only where nothing
    is left to interpretation. Markdown emphasis, fences and quotes aside, it is

    - one integer 1..5, alone or followed by "/5" or "out of 5", with or without a full stop, or
    - the same after "score" or "rating" ("Score: 4", "The final rating is 4/5."), or
    - a JSON object whose only number is an integer under "score" or "rating", or
    - a longer text that holds such a statement on one line of its own and no other number, in digits or in words.

    Everything else is refused: no number, several ("3 or 4", "between 3 and 4"), fractions ("4.5", "4.0", "7/10"),
    numbers outside 1..5, numbers inside a sentence, thoughts that do not end.

    Raises:
        JudgeError: the reply is no score; the message says why.

    Example:
        >>> read_score("4"), read_score("**Score: 4/5**"), read_score("The face melts away.\nRating: 2")
        (4, 4, 2)
        >>> read_score("between 3 and 4")
        Traceback (most recent call last):
        ...
        opens2v_hf.errors.JudgeError: the judge's reply is no score from 1 to 5: 'between 3 and 4'
    """
    if not reply.strip():
        raise JudgeError("the judge's reply is empty")
    answer = _without_thoughts(reply).strip()
    if not answer:
        raise JudgeError(f"the judge's reply holds thoughts and no answer: {_excerpt(reply)}")
    if len(answer) > _MAX_REPLY_CHARS:
        raise JudgeError(f"the judge's reply is no score: it has {len(answer)} characters")
    before, inside, after = _fenced(answer)
    if inside.startswith("{") and not _mentions_number(before + after):
        stated = _stated_in_json(inside)
    else:
        stated = _stated_in_text("\n".join((before, inside, after)))
    if stated is None:
        raise JudgeError(f"the judge's reply is no score from 1 to 5: {_excerpt(reply)}")
    if stated not in LEVELS:
        raise JudgeError(f"the judge's score lies outside 1..5: {_excerpt(reply)}")
    return stated


@checked
def expected_score(logits: Sequence[float]) -> float:
    """Expectation of the score over the five digits.

    Args:
        logits: of the tokens "1" to "5" as the next token, in this order; log-probabilities serve as well, since
            a constant added to all five changes nothing.

    Returns:
        sum of d · p(d), where p is the softmax of `logits` over the five digits alone; in [1, 5].

    Raises:
        JudgeError: not five finite numbers.

    Example:
        >>> expected_score([0.0, 0.0, 0.0, 0.0, 0.0])
        3.0
        >>> round(expected_score([-1e9, -1e9, -1e9, math.log(0.25), math.log(0.75)]), 6)
        4.75
    """
    return float(np.dot(LEVELS, level_probabilities(logits)))


def level_probabilities(logits: Sequence[float]) -> list[float]:
    """Softmax over the five digits, in float64.

    Raises:
        JudgeError: not five finite numbers.
    """
    values = np.asarray(logits, dtype=np.float64)
    if values.shape != (len(LEVELS),) or not np.isfinite(values).all():
        raise JudgeError(f"the judge's logits of the digits 1 to 5 are not five finite numbers (got {list(logits)})")
    weights = np.exp(values - values.max())
    return (weights / weights.sum()).tolist()


@dataclass(frozen=True)
class ListedExpectation:
    """The expectation over the digits that an endpoint lists among the likeliest first tokens of a reply.

    Attributes:
        score: sum of d · p(d) over the listed digits, in [1, 5].
        probabilities: of each digit, summing to 1; 0 for one that is not listed.
        digit_mass: probability of the listed digits together.
        uncertainty: by how much the score can be off at most because a digit that is not listed counts as 0.
    """

    score: float
    probabilities: Mapping[int, float]
    digit_mass: float
    uncertainty: float

    def to_dict(self) -> dict[str, Any]:
        """A JSON-compatible dict of all but the score, in the form in which local judges give it."""
        return {
            "probabilities": {str(level): value for level, value in self.probabilities.items()},
            "digit_mass": self.digit_mass,
            "uncertainty": self.uncertainty,
        }


def read_listed(logprobs: Mapping[str, float]) -> ListedExpectation:
    """Read the expectation of the score from the log-probabilities of a reply's first token.

    A digit that is not among the listed tokens is less likely than all of them, and shares with all other tokens what
    the listed ones leave of 1; both bound what it can change.

    Args:
        logprobs: token to log-probability, of the likeliest tokens; only "1" to "5" as they are written count.

    Raises:
        JudgeError: none of the digits is listed.

    Example:
        >>> read = read_listed({"4": math.log(0.6), "5": math.log(0.2), "The": math.log(0.2)})
        >>> round(read.score, 6), round(read.digit_mass, 6), abs(read.uncertainty) < 1e-9
        (4.25, 0.8, True)
    """
    listed = {level: math.exp(logprobs[str(level)]) for level in LEVELS if str(level) in logprobs}
    mass = math.fsum(listed.values())
    if not mass > 0.0:
        raise JudgeError(f"none of the digits 1 to 5 is among the reply's likeliest first tokens: {list(logprobs)[:5]}")
    score = math.fsum(level * value for level, value in listed.items()) / mass
    absent = [level for level in LEVELS if level not in listed]
    shares = [math.exp(value) for value in logprobs.values()]
    most = min(max(0.0, 1.0 - math.fsum(shares)), len(absent) * min(shares))
    reach = max((abs(level - score) for level in absent), default=0.0)
    return ListedExpectation(
        score=score,
        probabilities={level: listed.get(level, 0.0) / mass for level in LEVELS},
        digit_mass=mass,
        uncertainty=reach * most / (mass + most),
    )


def low_digit_mass(mass: float, bound: float) -> str:
    """Why there is no score."""
    return f"the digits 1 to 5 together have a probability of {mass:.3g}, below min_digit_mass={bound:g}"


def reread_run(run: Mapping[str, Any], *, min_digit_mass: float = 0.0) -> float:
    """The score of one stored run of a judge, read anew from its raw answers.

    Args:
        run: as a NaturalScore's details hold it: `reply`, `replies` and `problems`; `logprobs` or `probabilities` where
            the score is an expectation.
        min_digit_mass: least probability of the five digits together for which an expectation is a score.

    Raises:
        JudgeError: no answer is a score, or none was stored.

    Example:
        >>> reread_run({"reply": "Score: 4", "replies": ["hm", "Score: 4"]})
        4
    """
    if isinstance(run.get("logprobs"), Mapping):
        read = read_listed(run["logprobs"])
        if read.digit_mass < min_digit_mass:
            raise JudgeError(low_digit_mass(read.digit_mass, min_digit_mass))
        return read.score
    if isinstance(run.get("probabilities"), Mapping):
        mass = float(run.get("digit_mass", 1.0))
        if mass < min_digit_mass:
            raise JudgeError(low_digit_mass(mass, min_digit_mass))
        return math.fsum(level * float(run["probabilities"].get(str(level), 0.0)) for level in LEVELS)
    replies = [text for text in run.get("replies") or [run.get("reply", "")] if isinstance(text, str)]
    problems = [*(run.get("problems") or ()), *[""] * len(replies)]
    error = JudgeError("no answer was stored")
    for text, problem in zip(replies, problems, strict=False):
        if problem:
            error = JudgeError(str(problem))
            continue
        try:
            return read_score(text)
        except JudgeError as refused:
            error = refused
    raise error


def mean_of_runs(scores: Sequence[float | None], *, allow_partial: bool = False) -> float:
    """Average the runs of one video.

    Args:
        scores: of each run, in [1, 5]; None for a run in which the judge gave no score.
        allow_partial: average the runs that have a score; otherwise every run must have one.

    Raises:
        JudgeError: a run has no score and `allow_partial` is not set, or no run has one.
        ValueError: a score lies outside 1..5.

    Example:
        >>> mean_of_runs([4, 3, 5])
        4.0
    """
    present = [score for score in scores if score is not None]
    for score in present:
        if not LEVELS[0] <= score <= LEVELS[-1]:
            raise ValueError(f"a judge's score lies in 1..5 (got {score=})")
    if not present:
        raise JudgeError(f"the judge gave no score in any of {len(scores)} runs")
    if len(present) < len(scores) and not allow_partial:
        raise JudgeError(f"the judge gave a score in {len(present)} of {len(scores)} runs only")
    return math.fsum(present) / len(present)


def _without_thoughts(reply: str) -> str:
    """The text of a reply after its last thought; empty where the thoughts do not end."""
    rest = _THOUGHTS_END.split(reply)[-1]  # their start is ignored: some endpoints leave it out
    return "" if _THOUGHTS_START.search(rest) else rest


def _fenced(answer: str) -> tuple[str, str, str]:
    """The text before, in and after the one block of code of an answer; all of it is the block where there is none."""
    parts = _FENCE.split(answer)
    if len(parts) != 3:
        return "", answer, ""
    before, inside, after = (part.strip() for part in parts)
    return before, inside, after


def _stated_in_text(reply: str) -> int | None:
    lines = [_HEADING.sub("", line.strip()) for line in reply.translate(_DECORATION).splitlines() if line.strip()]
    stated: int | None = None
    for line in lines:
        match = _LABELLED.fullmatch(line) or _SHORT.fullmatch(line)
        if match is None:
            if _mentions_number(line):
                return None
        elif stated is not None or (len(lines) > 1 and _LIST_NUMBER.fullmatch(line)):
            return None
        else:
            stated = int(match.group(1))
    return stated


def _mentions_number(line: str) -> bool:
    return any(character.isnumeric() for character in line) or _NUMBER_WORD.search(line) is not None


def _stated_in_json(reply: str) -> int | None:
    try:
        # pairs, so that a key given twice is seen
        pairs = json.loads(reply, object_pairs_hook=list)
    except (ValueError, RecursionError):
        return None
    stated = [value for key, value in pairs if key.lower() in ("score", "rating")]
    rest = [value for key, value in pairs if key.lower() not in ("score", "rating")]
    if len(stated) != 1 or any(not isinstance(value, str) or _mentions_number(value) for value in rest):
        return None
    value = stated[0]
    return value if is_whole(value) else None


def _excerpt(reply: str, max_chars: int = 200) -> str:
    return repr(reply if len(reply) <= max_chars else reply[:max_chars] + "…")
